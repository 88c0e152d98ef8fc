"""A live connection for Locust: the `websockets` client under gevent. It stays connected as a real client does.

Locust's statistics get what was asked and answered, with its time. What comes by itself has no time of its own: it is
counted (loadtest/users/counts.py), and is a failure where the protocol forbids it.
"""

import json
import random
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import gevent
from gevent.event import Event
from locust.env import Environment
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from loadtest.users.counts import counted
from loadtest.users.follower import Follower, Message

ANSWER_S = 10.0
BACKOFF_S = (1.0, 30.0)  # base, cap
NEVER_AGAIN = frozenset({1000, 1002, 1003, 1007, 1009})


def only_loopback(host: str) -> None:
    """Refuses to load anything but this machine."""
    name = urlsplit(host).hostname or host
    if name != "localhost" and not name.startswith("127.") and name != "::1":
        raise SystemExit(f"the load goes to loopback addresses only, not to {name}")


class ProtocolError(Exception):
    """What the gateway said is not what its protocol allows."""


class LiveConnection:
    """One client of protocol version 1, across reconnects. A greenlet keeps the socket and reads it."""

    def __init__(self, environment: Environment, url: str, token: Callable[[], str] | None = None) -> None:
        only_loopback(url)
        self.environment = environment
        self.on_event: Callable[[Message], None] = lambda _event: None
        self._url = url
        self._token = token
        self._followers: dict[str, Follower] = {}
        self._viewport: Message | None = None
        self._asked: dict[int, tuple[str, str, float]] = {}  # id -> (type, channel, when)
        self._next_id = 0
        self._socket: ClientConnection | None = None
        self._open = Event()
        self._resume: str | None = None
        self._return_s: float | None = None
        self._keeper: gevent.Greenlet[..., None] | None = None

    def start(self, channels: Iterable[str], viewport: Message | None = None) -> None:
        """Connects and follows the channels; returns when it is welcomed, or after ANSWER_S: it goes on trying."""
        self._followers = {channel: Follower(channel) for channel in channels}
        self._viewport = viewport
        self._keeper = gevent.spawn(self._keep)
        self._open.wait(ANSWER_S)

    def ask(self, message: Message) -> None:
        """Sends a message with an id; its answer is timed when it comes. While there is no connection: nothing."""
        if self._open.is_set():
            self._send(message)

    def close(self) -> None:
        """Leaves for good."""
        self._open.clear()
        if self._keeper is not None:
            self._keeper.kill()
        if self._socket is not None:
            self._socket.close()

    def report(self, name: str, took_s: float, size: int, error: Exception | None = None) -> None:
        """One line of Locust's statistics."""
        self.environment.events.request.fire(
            request_type="WS", name=name, response_time=took_s * 1000, response_length=size, exception=error, context={}
        )

    # --- one socket after the other

    def _keep(self) -> None:
        attempt = 0
        while True:
            began = time.perf_counter()
            code = self._live()
            self._open.clear()
            self._asked.clear()
            if code is not None:
                counted[f"closed {code}"] += 1
                if code in NEVER_AGAIN or 4500 <= code <= 4999:
                    self.report("closed for good", 0, 0, ProtocolError(f"close code {code}"))
                    return
                if code == 4001:
                    self._resume = None
            attempt = 0 if time.perf_counter() - began > BACKOFF_S[0] * 10 else attempt + 1
            base, cap = BACKOFF_S
            pause_s, self._return_s = self._return_s, None
            gevent.sleep(random.uniform(0, min(cap, base * 2**attempt)) if pause_s is None else pause_s)
            counted["reconnects"] += 1

    def _live(self) -> int | None:
        """One connection, from its handshake to its close code; None where there was no welcome."""
        began = time.perf_counter()
        try:
            self._socket = connect(
                self._url, subprotocols=[Subprotocol("musclemap.v1")], compression=None, proxy=None,
                open_timeout=ANSWER_S,
            )  # fmt: skip
        except (OSError, TimeoutError, InvalidHandshake) as error:
            counted["refused connects"] += 1
            self.report("handshake", time.perf_counter() - began, 0, error)
            return None
        self.report("handshake", time.perf_counter() - began, 0)
        try:
            self._introduce()
            for text in self._socket:
                self._take(json.loads(text), len(text))
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else 1006
        return 1000

    def _introduce(self) -> None:
        if self._resume is not None:
            self._send({"type": "connect", "resume": self._resume})
        elif self._token is not None:
            self._send({"type": "connect", "token": self._token()})
        else:
            self._send({"type": "connect"})

    def _send(self, message: Message) -> None:
        if self._socket is None:
            return
        self._next_id += 1
        self._asked[self._next_id] = (str(message["type"]), message.get("channel", ""), time.perf_counter())
        try:
            self._socket.send(json.dumps({**message, "id": self._next_id}))
        except ConnectionClosed:
            self._open.clear()  # its reader says why

    # --- what the gateway says

    def _take(self, message: Message, size: int) -> None:
        kind = message["type"]
        asked = self._asked.pop(message.get("id", -1), None)
        if asked:
            error = RuntimeError(message["code"]) if kind == "error" else None
            self.report(asked[0], time.perf_counter() - asked[2], size, error)
            if error is not None and asked[0] == "subscribe":
                gevent.spawn_later(message.get("retry_after_ms", 1000) / 1000, self._subscribe, asked[1])
        if kind == "welcome":
            self._welcomed(message)
        elif kind == "reconnect":
            counted["told to reconnect"] += 1
            self._return_s = message["after_ms"] / 1000
        elif kind in ("subscribed", "event", "digest", "gap", "unsubscribed") and message["channel"] in self._followers:
            self._follow(self._followers[message["channel"]], message)

    def _welcomed(self, message: Message) -> None:
        self._resume = message.get("resume")
        self._open.set()
        for channel in self._followers:
            self._subscribe(channel)
        if self._viewport is not None:
            self._send({"type": "viewport", **self._viewport})

    def _subscribe(self, channel: str) -> None:
        self.ask(self._followers[channel].ask())

    def _follow(self, follower: Follower, message: dict[str, Any]) -> None:
        was_stale = follower.stale
        for event in follower.receive(message):
            self.on_event(event)
        for what, amount in follower.seen.items():
            counted[what] += amount
            if what in ("holes", "repeated"):
                self.report(
                    "order of events", 0, 0, ProtocolError(f"{what}: offset {follower.offset} of {follower.channel}")
                )
        follower.seen.clear()
        if follower.stale and not was_stale:
            self._subscribe(follower.channel)
