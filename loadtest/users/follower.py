"""What a client of a channel knows of its place: each event once and in order, digests, gaps, what is lost. Pure."""

from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]


@dataclass
class Follower:
    """One channel as one client follows it (rt/wire/asyncapi.yaml, "Order and recovery").

    `receive` takes any message of the channel and answers what there is to count: a word of `seen`, or None.
    """

    channel: str
    epoch: str | None = None
    offset: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    stale: bool = False  # a `gap`, or a hole: nothing is certain until it has subscribed again

    def ask(self) -> Message:
        """The `subscribe` that goes on where this client stands."""
        since = {} if self.epoch is None else {"since": {"epoch": self.epoch, "offset": self.offset}}
        return {"type": "subscribe", "channel": self.channel, **since}

    def receive(self, message: Message) -> list[Message]:
        """Takes a message; returns the events that it brought."""
        match message["type"]:
            case "subscribed":
                return self._subscribed(message)
            case "event":
                return self._event(message["event"], message["offset"])
            case "digest":
                self._digest(message["from"], message["to"])
            case "gap":
                self._count("gaps")
                self.stale = True
            case "unsubscribed":
                self._count("unsubscribed")
        return []

    def _subscribed(self, message: Message) -> list[Message]:
        self.stale = False
        if message["recovered"]:
            self._count("recovered")
            return [event for missed in message["events"] for event in self._event(missed["event"], missed["offset"])]
        if message["recovered"] is False:
            self._count("not recovered")
        self.epoch, self.offset = message["epoch"], message["offset"]
        return []

    def _event(self, event: Message, offset: int) -> list[Message]:
        if offset == self.offset + 1:
            self.offset = offset
            self._count("events")
            return [event]
        if not self.stale:  # otherwise it has been counted
            self._count("repeated" if offset <= self.offset else "holes")
            self.stale = True
        return []

    def _digest(self, first: int, last: int) -> None:
        if first <= self.offset + 1 <= last:
            self._count("digests")
            self._count("told by digest", last - self.offset)
            self.offset = last
        elif last > self.offset and not self.stale:
            self._count("holes")
            self.stale = True

    def _count(self, what: str, amount: int = 1) -> None:
        self.seen[what] = self.seen.get(what, 0) + amount
