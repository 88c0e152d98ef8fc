"""A crowd of WebSocket clients cheap enough to share a core with nothing but itself.

Each client is one asyncio.Protocol: it writes the handshake and its first messages, then counts the stamps
(`"t":<CLOCK_MONOTONIC ns>`) in what arrives and how late they are. It parses frames only as far as it must.
`python -m loadtest.crowd` runs one crowd as a process of its own and prints two JSON lines: when all are open, and
at the end. It talks to loopback addresses only and ends by itself.
"""

import argparse
import asyncio
import base64
import json
import os
import re
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import uvloop

from config.process import allow_open_files

_STAMP: Final = re.compile(rb'"t":\s?(\d+)')
_TAIL: Final = 40  # a stamp cut by the end of a read is found with the next one
SAMPLE_CLIENTS: Final = 64  # latency is taken from this many clients; counting is done for all
CONNECTS_AT_ONCE: Final = 200
_TICK_S: Final = 0.05
_BEAT: Final = b'{"type":"heartbeat","status":"training"}'


def client_frame(text: bytes) -> bytes:
    """A masked text frame with a zero mask: legal (RFC 6455, 5.3 wants it unpredictable only against proxies)."""
    size = len(text)
    if size < 126:
        return bytes((0x81, 0x80 | size)) + bytes(4) + text
    return struct.pack("!BBH", 0x81, 0x80 | 126, size) + bytes(4) + text


class Client(asyncio.Protocol):
    """One client: open once its handshake is answered, then a counter."""

    __slots__ = ("crowd", "first", "rest", "sampled", "seen", "transport")

    def __init__(self, crowd: "Crowd", first: bytes, sampled: bool) -> None:
        self.crowd = crowd
        self.first = first
        self.sampled = sampled
        self.seen = 0
        self.rest = b""
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self.crowd.handshake)

    def data_received(self, data: bytes) -> None:
        data = self.rest + data
        if self.first and b"\r\n\r\n" in data:
            self.transport.write(self.first)  # not before the handshake is answered: some servers refuse that
            self.first = b""
        found = 0
        end = 0
        if self.sampled:
            now = time.monotonic_ns()
            for match in _STAMP.finditer(data):
                if match.end() == len(data):
                    break  # the number may go on in the next read
                found += 1
                end = match.end()
                self.crowd.late_ns.append(now - int(match[1]))
        else:
            found = data.count(b'"t":')
            if found:
                end = data.rfind(b'"t":') + 4
        self.rest = data[max(end, len(data) - _TAIL) :]
        if found:
            self.seen += found
            self.crowd.delivered(found)
        elif not self.crowd.all_open.is_set() and self.seen == 0 and self.crowd.ready_mark in data:
            self.crowd.opened()

    def connection_lost(self, _error: Exception | None) -> None:
        self.crowd.lost()


class Crowd:
    """`size` clients on one address, and what they have counted together."""

    def __init__(self, port: int, path: str, subprotocol: str, ready_mark: bytes, source: str = "127.0.0.1") -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        offered = f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
        self.handshake = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{offered}\r\n"
        ).encode()
        self.port = port
        self.ready_mark = ready_mark
        self.source = source
        self.clients: list[Client] = []
        self.late_ns: list[int] = []
        self.deliveries = 0
        self.expected = 0
        self.open = 0
        self.closed = 0
        self.all_open = asyncio.Event()
        self.complete = asyncio.Event()
        self._size = 0

    async def connect(self, size: int, firsts: Sequence[bytes]) -> None:
        """Opens `size` clients; each sends its element of `firsts` (in turn) behind the handshake."""
        self._size = size
        loop = asyncio.get_running_loop()
        gate = asyncio.Semaphore(CONNECTS_AT_ONCE)

        async def one(number: int) -> None:
            async with gate:
                sampled = number % max(1, size // SAMPLE_CLIENTS) == 0  # first and last in the server's order alike
                client = Client(self, firsts[number % len(firsts)] if firsts else b"", sampled)
                await loop.create_connection(lambda: client, "127.0.0.1", self.port, local_addr=(self.source, 0))
                self.clients.append(client)

        await asyncio.gather(*(one(number) for number in range(size)))

    async def beat(self, frame: bytes, every_s: float) -> None:
        """Each client sends `frame` once in `every_s`, spread evenly; until cancelled."""
        per_tick = len(self.clients) / every_s * _TICK_S
        due, at = 0.0, 0
        while True:
            await asyncio.sleep(_TICK_S)
            due += per_tick
            while due >= 1:
                due -= 1
                self.clients[at % len(self.clients)].transport.write(frame)
                at += 1

    def opened(self) -> None:
        self.open += 1
        if self.open >= self._size:
            self.all_open.set()

    def delivered(self, count: int) -> None:
        self.deliveries += count
        if self.expected and self.deliveries >= self.expected:
            self.complete.set()

    def lost(self) -> None:
        self.closed += 1

    def close(self) -> None:
        for client in self.clients:
            client.transport.abort()


def percentile(values: Sequence[int], share: float) -> float:
    """The value at `share` (0..1) of the sorted values, in milliseconds; 0 where there is none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1e6 if ordered else 0.0


async def _run(options: argparse.Namespace, firsts: Sequence[bytes]) -> None:
    crowd = Crowd(options.port, options.path, options.subprotocol, options.ready.encode(), options.source)
    crowd.expected = options.clients * options.events
    await crowd.connect(options.clients, firsts)
    async with asyncio.timeout(options.open_s):
        await crowd.all_open.wait()
    print(json.dumps({"open": crowd.open}), flush=True)
    beating = asyncio.ensure_future(crowd.beat(client_frame(_BEAT), options.beat_s)) if options.beat_s else None
    try:
        async with asyncio.timeout(options.wait_s):
            await crowd.complete.wait()
    except TimeoutError:
        pass
    if beating is not None:
        beating.cancel()
    print(
        json.dumps(
            {
                "deliveries": crowd.deliveries,
                "complete": crowd.deliveries >= crowd.expected,
                "closed": crowd.closed,
                "p50_ms": round(percentile(crowd.late_ns, 0.50), 2),
                "p99_ms": round(percentile(crowd.late_ns, 0.99), 2),
            }
        ),
        flush=True,
    )
    crowd.close()


def main() -> None:
    """The command line of one crowd."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("clients", type=int)
    parser.add_argument("events", type=int, help="stamps that each client must see")
    parser.add_argument("--path", default="/")
    parser.add_argument("--subprotocol", default="")
    parser.add_argument("--ready", default="HTTP/1.1 101", help="what a client must see to count as open")
    parser.add_argument("--first", help="file with a JSON list of messages per line, dealt to the clients in turn")
    parser.add_argument("--source", default="127.0.0.1", help="own address; one has about 28,000 ports")
    parser.add_argument("--beat-s", type=float, default=0, help="seconds between a client's heartbeats; 0: none")
    parser.add_argument("--open-s", type=float, default=60)
    parser.add_argument("--wait-s", type=float, default=60)
    options = parser.parse_args()
    firsts: list[bytes] = []
    if options.first:
        lines = Path(options.first).read_text("utf-8").splitlines()
        firsts = [b"".join(client_frame(message.encode()) for message in json.loads(line)) for line in lines]
    uvloop.run(_run(options, firsts))


if __name__ == "__main__":
    allow_open_files()
    main()
