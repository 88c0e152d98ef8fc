"""A live connection of a Locust person: what its client hears goes into Locust's statistics, or is counted.

Statistics have what takes time: handshakes, answers, and how old an event is when it comes. The rest is counted
(loadtest/run/counts.py). What the protocol forbids is a failure.
"""

import time
from datetime import datetime

from locust.env import Environment

from loadtest.client import LiveClient, Observer
from loadtest.client.follower import Message
from loadtest.client.live import Token
from loadtest.run.counts import counted
from loadtest.run.options import owned
from loadtest.run.outcome import EVENT
from loadtest.run.targets import allowed


class ProtocolError(Exception):
    """What the gateway said is not what its protocol allows."""


def age_s(event: Message, now_s: float) -> float | None:
    """Seconds since the event happened, by the stamp in it; None where the stamp is cut to the minute, as everything
    anonymous is. Both clocks must agree."""
    stamp = event.get("created_at", "")
    return now_s - datetime.fromisoformat(stamp).timestamp() if "." in stamp else None


class ToLocust(Observer):
    """An observer that tells Locust."""

    def __init__(self, environment: Environment, kind: str = "WS") -> None:
        self._environment = environment
        self._kind = kind

    def connected(self, took_s: float, error: Exception | None, status: int | None) -> None:
        """A refused one is a failure, and counted by its status."""
        if error is not None:
            counted["refused connects"] += 1
            counted[f"refused connects: {status or type(error).__name__}"] += 1
        self.report(self._kind, "handshake", took_s, 0, error)

    def answered(self, kind: str, took_s: float, size: int, code: str | None) -> None:
        """One line of statistics for each kind of message."""
        self.report(self._kind, kind, took_s, size, None if code is None else RuntimeError(code))

    def counted(self, what: str, amount: int = 1) -> None:
        """Adds up."""
        counted[what] += amount

    def misled(self, what: str) -> None:
        """A failure."""
        self.report(self._kind, "protocol", 0, 0, ProtocolError(what))

    def arrived(self, channel: str, event: Message) -> None:
        """How old it is, where its stamp tells."""
        aged_s = age_s(event, time.time())
        if aged_s is None:
            return
        if aged_s < 0:
            counted["events from the future: set the clocks"] += 1
        self.report(EVENT, f"{channel.partition(':')[0]}: event", max(0.0, aged_s), 0, None)

    def report(self, kind: str, name: str, took_s: float, size: int, error: Exception | None) -> None:
        """One line of Locust's statistics."""
        self._environment.events.request.fire(
            request_type=kind, name=name, response_time=took_s * 1000, response_length=size, exception=error, context={}
        )


def connection(
    environment: Environment, url: str, token: Token = lambda _expired: None, receive_buffer: int | None = None
) -> LiveClient:
    """A client that tells Locust. Raises NotYours where the gateway is nobody's to load."""
    allowed(url, owned(environment))
    return LiveClient(url, token=token, observer=ToLocust(environment), receive_buffer=receive_buffer)
