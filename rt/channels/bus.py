"""Pub/Sub in: one connection to Redis that only hears, read by hiredis straight from the socket.

Channels are subscribed in batches, only those that somebody here wants. When the connection is lost, a canary that was
published does not come back, or another connection of this process hears that its server is no master any more, it is
replaced, everything is subscribed again, and each channel's owner is told (`confirmed`), to read what it missed.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

import hiredis
import structlog

from config.limits import BUS_RECONNECT_S, CANARY_EVERY_S, CANARY_WAIT_S
from config.process import set_within
from config.redis import AWAY, RedisClient, RedisError
from config.redis_address import parse
from rt.metrics import Counters

log = structlog.get_logger()

BUS_SUBSCRIBE_BATCH: Final = 512  # channels in one SUBSCRIBE

_CONNECT_S: Final = 2.0


def _nothing() -> None:
    """Nobody wants to know."""


_Route = tuple[Callable[[bytes], None], Callable[[], None]]  # heard, confirmed


class Bus:
    """See the module. `run` keeps the connection; the rest is synchronous."""

    def __init__(self, url: str, redis: RedisClient, gateway_id: str, counters: Counters) -> None:
        self.connected = False
        self.deaf = True  # until the first canary has come back
        self._address = parse(url)
        self._redis = redis
        self._counters = counters
        self._canary_channel = f"rt:canary:{gateway_id}".encode()
        self._sent = 0
        self._turn = 0  # of the client's connections when this one was made
        self._heard = asyncio.Event()
        self._routes: dict[bytes, _Route] = {}
        self._unconfirmed: dict[bytes, int] = {}
        self._to_subscribe: dict[bytes, None] = {}
        self._to_unsubscribe: dict[bytes, None] = {}
        self._scheduled = False
        self._line: _Line | None = None
        self.subscribe(self._canary_channel.decode(), self._on_canary)

    def subscribe(self, channel: str, heard: Callable[[bytes], None], confirmed: Callable[[], None] = _nothing) -> None:
        """`heard` gets each payload; `confirmed` is called each time the subscription (again) holds."""
        name = channel.encode()
        self._routes[name] = (heard, confirmed)
        self._to_unsubscribe.pop(name, None)
        self._to_subscribe[name] = None
        self._schedule()

    def unsubscribe(self, channel: str) -> None:
        """Hears the channel no more."""
        name = channel.encode()
        if self._routes.pop(name, None) is not None:
            if name in self._to_subscribe:
                del self._to_subscribe[name]
            self._to_unsubscribe[name] = None
            self._schedule()

    async def run(self, stopping: asyncio.Event) -> None:
        """Connects, and connects again, until `stopping`."""
        wait_s = BUS_RECONNECT_S[0]
        while not stopping.is_set():
            try:
                line = await self._connect()
            except (*AWAY, hiredis.HiredisError) as error:
                log.warning("bus_away", error=type(error).__name__)
                await set_within(stopping, wait_s)
                wait_s = min(BUS_RECONNECT_S[1], wait_s * 2)
                continue
            try:
                await self._keep(line, stopping)
            finally:
                healthy, self.connected = self.connected, False
                self._line = None
                line.abort()
            if healthy:
                wait_s = BUS_RECONNECT_S[0]
            else:  # it takes connections and is of no use
                await set_within(stopping, wait_s)
                wait_s = min(BUS_RECONNECT_S[1], wait_s * 2)

    # --- the connection

    async def _connect(self) -> "_Line":
        line = _Line(self._on_reply)
        self._turn = self._redis.turn
        async with asyncio.timeout(_CONNECT_S):
            found = await self._address.find()
            address = self._address.options | ({"host": found[0], "port": found[1]} if found else {})
            await line.open(address)
        self._unconfirmed = {}
        self._to_subscribe = dict.fromkeys(self._routes)
        self._to_unsubscribe = {}
        self._line = line
        self._write_subscriptions()
        return line

    async def _keep(self, line: "_Line", stopping: asyncio.Event) -> None:
        """Sends canaries over the other connections until this one is lost or deaf."""
        while not stopping.is_set() and not line.lost.is_set():
            self._heard.clear()
            self._sent += 1
            try:
                await self._send_canary()
            except AWAY as error:
                # Nothing is known of this connection; that Redis does not answer is degraded enough.
                self.connected = False
                log.warning("canary_not_sent", error=type(error).__name__)
                if self._redis.turn != self._turn:
                    return
                await _first(line.lost, stopping, CANARY_EVERY_S / 4)
                continue
            if not await _first(self._heard, line.lost, CANARY_WAIT_S):
                self._counters.canaries_lost += 1
                self.deaf = True
                log.warning("bus_deaf")
                return
            if self._redis.turn != self._turn:
                log.warning("bus_moves")
                return
            if not line.lost.is_set():
                self.connected = True
                self.deaf = False
                await _first(line.lost, stopping, CANARY_EVERY_S)

    async def _send_canary(self) -> None:
        """A replica takes a PUBLISH and hears it, and never what its master is told: it must refuse a write first."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.delete(self._canary_channel.decode())  # there is no such key; also a full Redis deletes
        pipe.publish(self._canary_channel.decode(), str(self._sent))
        await pipe.execute()

    def _on_canary(self, payload: bytes) -> None:
        if payload == str(self._sent).encode():
            self._heard.set()

    def _on_reply(self, reply: Any) -> None:
        if isinstance(reply, hiredis.ReplyError) and self._line is not None:
            log.warning("bus_refused", error=str(reply).partition(" ")[0])
            self._line.abort()  # which channels it is about is not said: all are subscribed again
        if not isinstance(reply, list) or len(reply) != 3:
            return
        kind, channel, payload = reply
        if kind == b"message":
            route = self._routes.get(channel)
            if route is not None:
                self._hand_over(route, channel, payload)
        elif kind == b"subscribe":
            left = self._unconfirmed.get(channel, 0) - 1
            if left > 0:
                self._unconfirmed[channel] = left
                return
            self._unconfirmed.pop(channel, None)
            route = self._routes.get(channel)
            if route is not None:
                route[1]()

    @staticmethod
    def _hand_over(route: _Route, channel: bytes, payload: bytes) -> None:
        try:
            route[0](payload)
        except Exception:
            # One message, not the line of all channels; whose channel it was is not for the log.
            log.exception("bus_message_failed", channel=channel.decode().rpartition(":")[0])

    # --- what is subscribed

    def _schedule(self) -> None:
        if not self._scheduled and self._line is not None:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._write_subscriptions)

    def _write_subscriptions(self) -> None:
        self._scheduled = False
        if self._line is None:
            return
        for batch in _batches(self._to_unsubscribe):
            self._line.send("UNSUBSCRIBE", *batch)
        for batch in _batches(self._to_subscribe):
            for name in batch:
                self._unconfirmed[name] = self._unconfirmed.get(name, 0) + 1
            self._line.send("SUBSCRIBE", *batch)
        self._to_unsubscribe.clear()
        self._to_subscribe.clear()


class _Line(asyncio.Protocol):
    """The socket: replies out of bytes."""

    def __init__(self, on_reply: Callable[[Any], None]) -> None:
        self.lost = asyncio.Event()
        self._on_reply = on_reply
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self._greeting: asyncio.Future[None] | None = None
        self._greetings = 0

    async def open(self, address: dict[str, Any]) -> None:
        """Connects and signs in. Raises OSError, or RedisError where Redis refuses."""
        loop = asyncio.get_running_loop()
        if "path" in address:
            await loop.create_unix_connection(lambda: self, address["path"])
        else:
            tls = address.get("connection_class") is not None
            await loop.create_connection(
                lambda: self, address.get("host", "localhost"), address.get("port", 6379), ssl=tls or None
            )
        words = [word for word in (address.get("username"), address.get("password")) if word]
        self._greetings = 1 + bool(words)
        self._greeting = loop.create_future()
        if words:
            self.send("AUTH", *words)
        self.send("PING")
        try:
            await self._greeting
        except BaseException:
            self.abort()
            raise
        finally:
            self._greeting = None

    def send(self, *words: str | bytes) -> None:
        """Writes one command."""
        if self._transport is not None:
            command: Any = words  # the library's stub knows one word only
            self._transport.write(hiredis.pack_command(command))

    def abort(self) -> None:
        """Ends the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._transport = None
        self.lost.set()
        if self._greeting is not None and not self._greeting.done():
            self._greeting.set_exception(error or ConnectionError("closed"))

    def data_received(self, data: bytes) -> None:
        """Bytes of Redis."""
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            if self._greeting is None:
                self._on_reply(reply)
            elif isinstance(reply, hiredis.ReplyError):
                if not self._greeting.done():
                    self._greeting.set_exception(RedisError(str(reply)))
            else:
                self._greetings -= 1
                if self._greetings == 0 and not self._greeting.done():
                    self._greeting.set_result(None)


def _batches(names: Iterable[bytes]) -> Iterable[list[bytes]]:
    wanted = list(names)
    return (wanted[at : at + BUS_SUBSCRIBE_BATCH] for at in range(0, len(wanted), BUS_SUBSCRIBE_BATCH))


async def _first(one: asyncio.Event, other: asyncio.Event, timeout_s: float) -> bool:
    """Whether either was set within that time."""
    tasks = [asyncio.ensure_future(event.wait()) for event in (one, other)]
    try:
        done, _ = await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
    finally:
        for task in tasks:
            task.cancel()
