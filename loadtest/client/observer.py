"""What somebody who measures hears of a client."""

from loadtest.client.follower import Message


class Observer:
    """What somebody who measures hears; this one does not listen."""

    def connected(self, took_s: float, error: Exception | None, status: int | None) -> None:
        """A handshake; the HTTP status where one was refused."""

    def answered(self, kind: str, took_s: float, size: int, code: str | None) -> None:
        """An answer to a message of this kind; the code of an error."""

    def counted(self, what: str, amount: int = 1) -> None:
        """Something that has no time of its own: a reconnect, a digest, a gap, a close."""

    def misled(self, what: str) -> None:
        """The gateway said what its protocol forbids."""

    def arrived(self, channel: str, event: Message) -> None:
        """An event as it came, live."""
