"""A client for the live gateway: protocol "musclemap.v1" over WebSocket, as api/web/static/client.js is one.

    live = LiveClient("wss://example.org/ws", token=lambda expired: access_token_or_none())
    live.on("online", lambda message: print(message["users"]))
    live.subscribe("community", since=position, event=draw, state=load_the_page_again)
    live.set_viewport({"west": -10, "south": 35, "east": 30, "north": 60, "zoom": 5})
    live.set_presence({"lat": 52.5, "lng": 13.4, "status": "training"})
    live.start()

Kinds of `on`: `state` {state: connecting | open | waiting | stopped, retry_in_s?, code?}, and the gateway's `welcome`,
`status`, `online`, `presence`, `error`; `map` {resolution, cells: {cell: count}}, the whole visible map after a change.

It comes back by itself after every close that the protocol lets a client come back from. Handlers run in its thread.
"""

import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from loadtest.client.closes import ABNORMAL, NORMAL, TOKEN_EXPIRED, backoff_s, may_return
from loadtest.client.follower import Message
from loadtest.client.observer import Observer
from loadtest.client.subscription import RETRIES, Subscription
from loadtest.client.tiles import Tiles
from loadtest.client.timers import Timers

SUBPROTOCOL: Final = Subprotocol("musclemap.v1")
CONNECT_S: Final = 15.0  # from opening the socket to `welcome`
ACK_S: Final = 10.0  # a heartbeat without its answer: the network is gone, whatever the socket says
STABLE_S: Final = 10.0  # a connection that stood this long has succeeded: the next way back begins anew
REFRESH_BEFORE_S: Final = 300.0
REFRESH_EVERY_S_MIN: Final = 60.0
RETRY_S: Final = 0.5
_LOOK_S: Final = 30.0  # what another thread plans sooner is seen with the next message
_OF_CHANNELS: Final = frozenset({"event", "digest", "gap", "unsubscribed"})
_TOLD: Final = frozenset({"status", "online", "presence", "error"})

Token = Callable[[bool], str | None]


class LiveClient:
    """One client, across reconnects."""

    def __init__(
        self,
        url: str,
        *,
        token: Token = lambda _expired: None,
        observer: Observer | None = None,
        receive_buffer: int | None = None,
    ) -> None:
        """`token(expired)` gives an access token, None for an anonymous connection; what it raises as OSError (a
        network's error is one) is a reason to come again. `receive_buffer`: bytes of the kernel for this socket."""
        self._url = url
        self._token = token
        self._observer = observer or Observer()
        self._receive_buffer = receive_buffer
        self._handlers: dict[str, list[Callable[[Message], None]]] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._viewport: Message | None = None
        self._presence: Message = {}
        self._place_sent = False
        self._tiles = Tiles()
        self._timers = Timers()
        self._waiting: dict[int, tuple[Message, float]] = {}
        self._next_id = 0
        self._socket: ClientConnection | None = None
        self._resume: str | None = None
        self._return_s: float | None = None
        self._token_expired = False
        self._heartbeat_s = 30.0
        self._deaf_until = 0.0
        self._open = threading.Event()
        self._leaving = threading.Event()
        self._keeper: threading.Thread | None = None

    # --- what an app does

    def on(self, kind: str, handler: Callable[[Message], None]) -> None:
        """Hears what the module's docstring lists."""
        self._handlers.setdefault(kind, []).append(handler)

    def start(self, wait_s: float = 0.0) -> bool:
        """Connects, and stays connected. Waits so long for `welcome`; whether it is there."""
        if self._keeper is None:
            self._leaving.clear()
            self._keeper = threading.Thread(target=self._keep, daemon=True)
            self._keeper.start()
        return self._open.wait(wait_s)

    def stop(self, *, leave: bool = False) -> None:
        """Ends the connection. With `leave` presence ends at once and not after the grace of a reload."""
        if leave:
            self._send({"type": "leave"})
        self._leaving.set()
        self._drop(NORMAL)
        keeper, self._keeper = self._keeper, None
        if keeper is not None and keeper is not threading.current_thread():
            keeper.join(CONNECT_S)
        self._resume = None

    def subscribe(self, channel: str, **handlers: Any) -> Subscription:
        """Follows a channel across reconnects; `handlers` are the fields of Subscription. Again: replaces the first."""
        subscription = Subscription(channel, **handlers)
        self._subscriptions[channel] = subscription
        if self._open.is_set():
            self._join(subscription)
        return subscription

    def unsubscribe(self, channel: str) -> None:
        """Leaves the channel for good."""
        subscription = self._subscriptions.pop(channel, None)
        if subscription is not None:
            subscription.ended = True
            self._ask({"type": "unsubscribe", "channel": channel})

    def set_viewport(self, viewport: Message | None) -> None:
        """The part of the map that is looked at; None = none."""
        self._viewport = viewport
        self._send_viewport()

    def set_presence(self, changes: Message) -> None:
        """What the next heartbeats say: any of lat, lng, cell, status, exercise, audience, background. A place is sent
        once per connection and when it changes."""
        self._place_sent = self._place_sent and not {"lat", "cell"} & changes.keys()
        self._presence |= changes
        self._heartbeat()

    def cut(self) -> None:
        """Loses the network, as seen from here: the socket is gone without a word."""
        if (live := self._socket) is not None:
            with suppress(OSError):
                live.socket.shutdown(socket.SHUT_RDWR)

    def be_deaf(self, seconds: float) -> None:
        """Reads nothing for so long, as a device that sleeps."""
        self._deaf_until = time.monotonic() + seconds

    # --- one socket after the other

    def _keep(self) -> None:
        attempt = 0
        while not self._leaving.is_set():
            began = time.monotonic()
            self._emit("state", {"state": "connecting"})
            code = self._one_connection()
            self._drop()
            if self._leaving.is_set():
                break
            if code is not None:
                self._observer.counted(f"closed {code}")
            code = ABNORMAL if code is None else code
            self._token_expired = code == TOKEN_EXPIRED
            if self._token_expired or not may_return(code):
                self._resume = None
            if not may_return(code):
                self._observer.misled(f"closed for good: {code}")
                break
            attempt = 0 if time.monotonic() - began > STABLE_S else attempt + 1
            pause_s = backoff_s(attempt, random.random()) if self._return_s is None else self._return_s
            self._return_s = None
            self._emit("state", {"state": "waiting", "retry_in_s": pause_s, "code": code})
            self._leaving.wait(pause_s)
            self._observer.counted("reconnects")
        self._emit("state", {"state": "stopped"})

    def _one_connection(self) -> int | None:
        """From the handshake to the close code; None where there was no socket."""
        began = time.monotonic()
        try:
            credentials = self._credentials()
            self._socket = live = self._opened()
        except (OSError, InvalidHandshake) as error:  # TimeoutError is an OSError
            status = error.response.status_code if isinstance(error, InvalidStatus) else None
            self._observer.connected(time.monotonic() - began, error, status)
            return None
        self._observer.connected(time.monotonic() - began, None, None)
        try:
            if self._leaving.is_set():
                return NORMAL
            live.send(json.dumps({"type": "connect", **credentials}))
            self._timers.set("deadline", began + CONNECT_S, live.close_socket)
            while True:
                self._read(live)
                self._timers.run(time.monotonic())
        except (ConnectionClosed, OSError):  # a socket that was cut may not even shut down
            return live.close_code or ABNORMAL

    def _opened(self) -> ClientConnection:
        return connect(
            self._url,
            sock=self._narrow_socket(),
            subprotocols=[SUBPROTOCOL],
            compression=None,
            proxy=None,
            open_timeout=CONNECT_S,
            close_timeout=1,
            ping_interval=None,
            legacy=True,  # not as a context manager
        )

    def _narrow_socket(self) -> socket.socket | None:
        """A socket with a small buffer, where one is wanted: the kernel's own hides a slow reader for megabytes."""
        if self._receive_buffer is None:
            return None
        where = urlsplit(self._url)
        port = where.port or (443 if where.scheme == "wss" else 80)
        for family, kind, _, _, address in socket.getaddrinfo(where.hostname, port, type=socket.SOCK_STREAM):
            one = socket.socket(family, kind)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
            one.settimeout(CONNECT_S)
            one.connect(address)
            return one
        raise OSError(f"no address of {where.hostname}")

    def _credentials(self) -> Message:
        if self._resume is not None:
            return {"resume": self._resume}
        token = self._token(self._token_expired)
        return {} if token is None else {"token": token}

    def _read(self, live: ClientConnection) -> None:
        if (deaf_s := self._deaf_until - time.monotonic()) > 0:
            self._timers.clear("ack")  # it cannot hear that it is alive
            self._leaving.wait(deaf_s)
        with suppress(TimeoutError):
            text = live.recv(timeout=self._timers.wait_s(time.monotonic(), _LOOK_S))
            self._take(json.loads(text), len(text))

    def _drop(self, code: int | None = None) -> None:
        self._open.clear()
        self._waiting.clear()
        self._timers = Timers()
        live, self._socket = self._socket, None
        if live is not None:
            with suppress(OSError):
                live.close(code or NORMAL)

    def _send(self, message: Message) -> None:
        live = self._socket
        if live is not None and self._open.is_set():
            with suppress(ConnectionClosed, OSError):  # its reader says why
                live.send(json.dumps(message))

    def _ask(self, message: Message) -> None:
        if self._open.is_set():
            self._next_id += 1
            self._waiting[self._next_id] = (message, time.perf_counter())
            self._send({**message, "id": self._next_id})

    # --- what the gateway says

    def _take(self, message: Message, size: int) -> None:
        kind = message["type"]
        asked = self._waiting.pop(message.get("id", -1), None)
        if asked is not None:
            question, at = asked
            self._observer.answered(
                question["type"], time.perf_counter() - at, size, message["code"] if kind == "error" else None
            )
            self._answered(question, message)
        elif kind in _OF_CHANNELS:
            subscription = self._subscriptions.get(message["channel"])
            if subscription is not None:
                if kind == "event":
                    self._observer.arrived(subscription.channel, message["event"])
                self._follow(subscription, message)
        elif kind == "map":
            if self._tiles.receive(message):
                self._emit("map", {"resolution": self._tiles.resolution, "cells": self._tiles.cells()})
        elif kind == "welcome":
            self._welcomed(message)
        elif kind == "pace":
            self._heartbeat_s = message["heartbeat_s"]
            self._later("heartbeat", self._heartbeat_s, self._heartbeat)
        elif kind == "refreshed":
            self._refresh_before(message.get("expires_in_s"))
        elif kind == "reconnect":
            self._observer.counted("told to reconnect")
            self._return_s = message["after_ms"] / 1000
        elif kind in _TOLD:
            self._emit(kind, message)

    def _answered(self, question: Message, answer: Message) -> None:
        asked, kind = question["type"], answer["type"]
        if asked == "heartbeat":
            self._timers.clear("ack")
        if asked == "subscribe":
            self._joined(question["channel"], answer)
        elif asked == "viewport" and kind == "viewport":
            self._tiles.show(answer["resolution"], answer["tiles"])
        elif asked == "viewport" and "retry_after_ms" in answer:
            self._later("viewport", answer["retry_after_ms"] / 1000, self._send_viewport)
        elif kind == "error":
            self._emit("error", answer)

    def _joined(self, channel: str, answer: Message) -> None:
        subscription = self._subscriptions.get(channel)
        if subscription is None:
            return
        if answer["type"] != "error":
            self._follow(subscription, answer)
        elif answer["code"] in RETRIES:
            self._join_later(subscription, answer.get("retry_after_ms", 1000) / 1000)
        else:
            subscription.refuse(answer["code"])

    def _welcomed(self, message: Message) -> None:
        self._timers.clear("deadline")
        self._resume = message.get("resume")
        self._return_s = None
        self._heartbeat_s = message["heartbeat_s"]
        self._place_sent = False
        self._open.set()
        self._emit("state", {"state": "open"})
        self._emit("welcome", message)
        self._refresh_before(message.get("expires_in_s"))
        for subscription in list(self._subscriptions.values()):
            self._join(subscription)
        self._send_viewport()
        self._heartbeat()

    def _follow(self, subscription: Subscription, message: Message) -> None:
        again = subscription.receive(message)
        seen = subscription.follower.seen
        for what, amount in seen.items():
            self._observer.counted(what, amount)
            if what in ("holes", "repeated"):
                self._observer.misled(f"{what}: offset {subscription.follower.offset} of {subscription.channel}")
        seen.clear()
        if again:
            self._join_later(subscription, RETRY_S * random.random())

    # --- what this client says

    def _join(self, subscription: Subscription) -> None:
        if subscription.ended or self._subscriptions.get(subscription.channel) is not subscription:
            return
        try:
            self._ask(subscription.question())
        except OSError:
            self._join_later(subscription, 1.0 + random.random())

    def _join_later(self, subscription: Subscription, seconds: float) -> None:
        self._later(f"join {subscription.channel}", seconds, lambda: self._join(subscription))

    def _heartbeat(self) -> None:
        if not self._open.is_set():
            return
        place = {key: value for key, value in self._presence.items() if key in ("lat", "lng", "cell")}
        rest = {key: value for key, value in self._presence.items() if key not in place}
        message = {"type": "heartbeat", **rest, **({} if self._place_sent else place)}
        self._place_sent = True
        self._later("heartbeat", self._heartbeat_s, self._heartbeat)
        if time.monotonic() >= self._deaf_until and (live := self._socket) is not None:
            self._later("ack", ACK_S, live.close_socket)
        self._ask(message)

    def _send_viewport(self) -> None:
        if self._viewport is not None:
            self._ask({"type": "viewport", **self._viewport})

    def _refresh_before(self, expires_in_s: float | None) -> None:
        if expires_in_s is not None:  # an older gateway does not say it: its close 4001 brings a new token
            self._later("refresh", max(REFRESH_EVERY_S_MIN, expires_in_s - REFRESH_BEFORE_S), self._refresh)

    def _refresh(self) -> None:
        with suppress(OSError):
            token = self._token(True)
            if token is not None:
                self._send({"type": "refresh", "token": token})

    def _later(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        self._timers.set(name, time.monotonic() + seconds, action)

    def _emit(self, kind: str, message: Message) -> None:
        for handler in self._handlers.get(kind, ()):
            handler(message)

    @contextmanager
    def running(self, wait_s: float = CONNECT_S) -> Iterator["LiveClient"]:
        """Started for as long as a `with` lasts."""
        self.start(wait_s)
        try:
            yield self
        finally:
            self.stop()
