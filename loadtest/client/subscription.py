"""One channel as a client follows it, and what its app does with it (api/web/static/subscription.js is its like)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from loadtest.client.follower import Follower, Message, Row

Position = dict[str, Any]  # {epoch, offset}
RETRIES = frozenset({"RATE_LIMITED", "UNAVAILABLE"})


def _nothing(*_: Any) -> None:
    """What a handler does that nobody gave."""


@dataclass
class Subscription:
    """`event` and `digest` come in the order of their offsets, each once.

    The gateway no longer has what was missed: `lost` hears the new place, or, where there is one, `state` is asked
    instead. It loads what the app shows and answers as of which position; what follows that is handed on. `state` is
    also asked first where there is no `since`.
    """

    channel: str
    since: Position | None = None
    event: Callable[[Message, int], None] = _nothing
    digest: Callable[[Message], None] = _nothing
    joined: Callable[[Position], None] = _nothing
    lost: Callable[[Position], None] = _nothing
    state: Callable[[Position | None], Position] | None = None
    refused: Callable[[str | None], None] = _nothing
    token: Callable[[bool], str] | None = None
    follower: Follower = field(init=False)
    ended: bool = False
    token_expired: bool = False

    def __post_init__(self) -> None:
        self.follower = Follower(self.channel)
        if self.since is not None:
            self.follower.stand(**self.since)
        self._load_first = self.state is not None and self.since is None

    @property
    def position(self) -> Position | None:
        """Of the last event that was handed on."""
        return self.follower.position

    def question(self) -> Message:
        """The `subscribe` to send. May ask the app for its state and for a token, which may raise."""
        if self._load_first and self.state is not None:
            self.follower.stand(**self.state(self.position))
            self._load_first = False
        message = self.follower.ask()
        if self.token is not None:
            message["token"] = self.token(self.token_expired)
        return message

    def receive(self, message: Message) -> bool:
        """Takes a message of the channel; whether it has to be asked for again."""
        if self.ended or (self._load_first and message["type"] != "subscribed"):
            return False
        kind = message["type"]
        if kind == "subscribed" and message["recovered"] is False and self.state is not None:
            self.follower.seen["not recovered"] = self.follower.seen.get("not recovered", 0) + 1
            self._load_first = True
            return True
        if kind == "unsubscribed":
            return self._unsubscribed(message)
        was_stale, before = self.follower.stale, self.follower.offset
        self._hand_on(self.follower.receive(message))
        if kind == "digest" and self.follower.offset != before:
            self.digest(message)
        elif kind == "subscribed":
            self.token_expired = False
            (self.lost if message["recovered"] is False else self.joined)(self.position or {})
        return self.follower.stale and not was_stale

    def refuse(self, code: str | None) -> None:
        """It cannot be had."""
        self.ended = True
        self.refused(code)

    def _hand_on(self, rows: list[Row]) -> None:
        for event, offset in rows:
            self.event(event, offset)

    def _unsubscribed(self, message: Message) -> bool:
        self.follower.receive(message)
        if message.get("reason") == "token_expired" and self.token is not None:
            self.token_expired = True
            return True
        self.refuse(message.get("reason"))
        return False
