"""What a client of a channel knows of its place: each event once and in order, digests, gaps, what is lost. Pure."""

from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]
Row = tuple[dict[str, Any], int]  # an event and its offset


@dataclass
class Follower:
    """One channel as one client follows it (rt/wire/asyncapi.yaml, "Order and recovery").

    `receive` takes any message of the channel and answers the events that it brought; what there is to count is in
    `seen`.
    """

    channel: str
    epoch: str | None = None
    offset: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    stale: bool = False  # a `gap`, or a hole: nothing is certain until it has subscribed again

    @property
    def position(self) -> Message | None:
        """{epoch, offset} of the last event that was handed on; None before the first answer."""
        return None if self.epoch is None else {"epoch": self.epoch, "offset": self.offset}

    def stand(self, epoch: str, offset: int) -> None:
        """Its place is this one now."""
        self.epoch, self.offset = epoch, offset

    def ask(self) -> Message:
        """The `subscribe` that goes on where this client stands."""
        since = {} if self.position is None else {"since": self.position}
        return {"type": "subscribe", "channel": self.channel, **since}

    def receive(self, message: Message) -> list[Row]:
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

    def _subscribed(self, message: Message) -> list[Row]:
        self.stale = False
        if message["recovered"]:
            self._count("recovered")
            return [row for missed in message["events"] for row in self._event(missed["event"], missed["offset"])]
        if message["recovered"] is False:
            self._count("not recovered")
        self.stand(message["epoch"], message["offset"])
        return []

    def _event(self, event: Message, offset: int) -> list[Row]:
        if offset == self.offset + 1:
            self.offset = offset
            self._count("events")
            return [(event, offset)]
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
