"""A live connection for Locust: the `websockets` client under gevent, reporting what it sees as Locust requests."""

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import gevent
from locust.env import Environment
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

ANSWER_S = 10.0


def only_loopback(host: str) -> None:
    """Refuses to load anything but this machine."""
    name = urlsplit(host).hostname or host
    if name != "localhost" and not name.startswith("127.") and name != "::1":
        raise SystemExit(f"the load goes to loopback addresses only, not to {name}")


class LiveConnection:
    """One socket of protocol version 1. A greenlet reads; each answer and each event is reported."""

    def __init__(self, environment: Environment, url: str) -> None:
        only_loopback(url)
        self.environment = environment
        self.on_event: Callable[[dict[str, Any]], None] = lambda _event: None
        self.offsets: dict[str, int] = {}
        self._asked: dict[int, tuple[str, float]] = {}
        self._next_id = 0
        self._socket: ClientConnection = connect(
            url, subprotocols=[Subprotocol("musclemap.v1")], compression=None, proxy=None, open_timeout=ANSWER_S
        )
        self._reader = gevent.spawn(self._read)

    def ask(self, message: dict[str, Any]) -> None:
        """Sends a message with an id; its answer is timed when it comes."""
        self._next_id += 1
        self._asked[self._next_id] = (str(message["type"]), time.perf_counter())
        self._socket.send(json.dumps({**message, "id": self._next_id}))

    def close(self) -> None:
        self._reader.kill()
        self._socket.close()

    def report(self, name: str, took_s: float, size: int, error: Exception | None = None) -> None:
        """One line of Locust's statistics."""
        self.environment.events.request.fire(
            request_type="WS", name=name, response_time=took_s * 1000, response_length=size, exception=error, context={}
        )

    def _read(self) -> None:
        try:
            for text in self._socket:
                self._take(json.loads(text), len(text))
        except ConnectionClosed as closed:
            self.report("closed", 0, 0, closed)

    def _take(self, message: dict[str, Any], size: int) -> None:
        kind = message["type"]
        asked = self._asked.pop(message.get("id", -1), None)
        if asked:
            error = RuntimeError(message["code"]) if kind == "error" else None
            self.report(asked[0], time.perf_counter() - asked[1], size, error)
        if kind == "subscribed":
            self.offsets[message["channel"]] = message["offset"]
        elif kind == "event":
            channel, offset = message["channel"], message["offset"]
            expected = self.offsets[channel] + 1
            self.offsets[channel] = offset
            error = None if offset == expected else RuntimeError(f"offset {offset} where {expected} was due")
            self.report(f"event {channel.partition(':')[0]}", 0, size, error)
            self.on_event(message["event"])
