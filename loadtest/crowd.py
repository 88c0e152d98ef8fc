"""A crowd of WebSocket clients so cheap that what is measured is the server: sockets, one epoll, one buffer.

Each client writes the handshake and its first messages, then counts the events in what arrives; some also read how late
they are (`"t":<CLOCK_MONOTONIC ns>`). Frames are parsed as little as will do. `python -m loadtest.crowd` runs one crowd
and prints two JSON lines: when all are open, and at the end. Loopback addresses only; it ends by itself.
"""

import argparse
import base64
import gc
import json
import os
import re
import select
import socket
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from config.process import allow_open_files

SAMPLE_CLIENTS: Final = 64  # latency is taken from this many clients; counting is done for all
OPENING_AT_ONCE: Final = 200
_STAMP: Final = re.compile(rb'"t":\s?(\d+)')
_MARK: Final = b'"workout_completed"'  # in every event once; a long mark is found faster than a short one
_TAIL: Final = 64  # a stamp or a mark cut by the end of a read is found with the next one
_READ_BYTES: Final = 64 * 1024
_ENDS: Final = b"}\n"  # of a message; of a block of server-sent events
_EVENTS_MAX: Final = 1_024
# A server that writes to a client asleep in epoll has to wake it, a sixth of the price of the write. Clients elsewhere
# cost it nothing of the kind, so these look by themselves.
_LOOK_EVERY_S: Final = 0.002
_BEAT: Final = b'{"type":"heartbeat","status":"training"}'
PING: Final = b"\x89\x00"  # in no text: NUL is not JSON
PONG: Final = b"\x8a\x80\x00\x00\x00\x00"
_IP_BIND_ADDRESS_NO_PORT: Final = 24  # <linux/in.h>; Python has no name for it before 3.12


def client_frame(text: bytes) -> bytes:
    """A masked text frame with a zero mask: legal (RFC 6455, 5.3 wants it unpredictable only against proxies)."""
    size = len(text)
    if size < 126:
        return bytes((0x81, 0x80 | size)) + bytes(4) + text
    return struct.pack("!BBH", 0x81, 0x80 | 126, size) + bytes(4) + text


def upgrade(port: int, path: str, subprotocol: str) -> bytes:
    """The request of a WebSocket."""
    key = base64.b64encode(os.urandom(16)).decode()
    offered = f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{offered}\r\n"
    ).encode()


def plain(port: int, path: str) -> bytes:
    """The request of a stream of server-sent events, in which the same marks are counted."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n\r\n".encode()


class Client:
    """What must be known of a client that is opening, is sampled, or whose last read ended within a message.

    `first` is sent behind the handshake; `rest` is the end of what was read, where a mark may be cut.
    """

    __slots__ = ("first", "is_open", "rest", "sampled")

    def __init__(self, *, first: bytes = b"", is_open: bool, sampled: bool) -> None:
        self.first = first
        self.is_open = is_open
        self.sampled = sampled
        self.rest = b""


class Crowd:
    """`size` clients of one address, and what they have counted together. Nothing happens but in `turn`.

    Of a client that is open, and not sampled, nothing is touched but its file number: with many thousands it is memory
    that costs, not instructions.
    """

    def __init__(
        self, port: int, handshake: bytes, ready_mark: bytes, source: str, size: int, firsts: Sequence[bytes]
    ) -> None:
        self._handshake = handshake
        self._port = port
        self._ready_mark = ready_mark
        self._source = source
        self._size = size
        self._firsts = firsts
        self._epoll = select.epoll()
        self._turned_at = 0.0
        self._watched: dict[int, Client] = {}
        self.sockets: dict[int, socket.socket] = {}  # by file number
        self.late_ns: list[int] = []
        self.begun = 0
        self.open = 0
        self.closed = 0
        self.deliveries = 0

    def begin(self) -> None:
        """Begins as many connections as may be opening at once."""
        while self.begun < self._size and self.begun - self.open - self.closed < OPENING_AT_ONCE:
            first = self._firsts[self.begun % len(self._firsts)] if self._firsts else b""
            # First and last in the server's order alike.
            sampled = self.begun % max(1, self._size // SAMPLE_CLIENTS) == 0
            self.begun += 1
            ours = _socket(self._source)
            ours.connect_ex(("127.0.0.1", self._port))
            self.sockets[ours.fileno()] = ours
            self._watched[ours.fileno()] = Client(first=first, is_open=False, sampled=sampled)
            self._epoll.register(ours, select.EPOLLOUT)

    def turn(self) -> None:
        """Reads what has come, once from each client."""
        nap_s = self._turned_at + _LOOK_EVERY_S - time.monotonic()
        if nap_s > 0:
            time.sleep(nap_s)
        self._turned_at = time.monotonic()
        watched = self._watched
        deliveries = 0
        for number, event in self._epoll.poll(0, _EVENTS_MAX):
            if event & select.EPOLLOUT:
                self._epoll.modify(number, select.EPOLLIN)
                self.write(number, self._handshake)
                continue
            data = self._read(number)
            if not data:
                self._lost(number)
            elif number in watched:
                self._watch(number, watched[number], data)
            else:
                deliveries += data.count(_MARK)
                if data[-1] not in _ENDS:
                    self._keep_rest(number, Client(is_open=True, sampled=False), data, 0)
                elif data[0] == PING[0]:
                    self.write(number, PONG)
        self.deliveries += deliveries

    def write(self, number: int, data: bytes) -> None:
        """Writes a frame of the client with this file number."""
        try:
            os.write(number, data)
        except OSError:
            return  # it is being lost, or does not take more: no server here reads that slowly

    def _read(self, number: int) -> bytes:
        try:
            return os.read(number, _READ_BYTES)
        except OSError:
            return b""

    def _watch(self, number: int, client: Client, data: bytes) -> None:
        data = client.rest + data
        if not client.is_open:
            self._watch_opening(number, client, data)
            return
        end = 0
        if client.sampled:
            now = time.monotonic_ns()
            for match in _STAMP.finditer(data):
                if match.end() == len(data):
                    break  # the number may go on in the next read
                end = match.end()
                self.deliveries += 1
                self.late_ns.append(now - int(match[1]))
        else:
            self.deliveries += data.count(_MARK)
        self._keep_rest(number, client, data, end)

    def _watch_opening(self, number: int, client: Client, data: bytes) -> None:
        client.rest = data[-_TAIL:]
        if client.first and b"\r\n\r\n" in data:
            self.write(number, client.first)  # not before the handshake is answered: some servers refuse that
            client.first = b""
        if self._ready_mark in data:
            client.is_open, client.rest = True, b""
            self.open += 1
            if not client.sampled:
                del self._watched[number]

    def _keep_rest(self, number: int, client: Client, data: bytes, end: int) -> None:
        """Keeps what a mark may be cut in, if anything: what ends a message is in no mark."""
        if data[-1] in _ENDS:
            client.rest = b""
        elif data.endswith(PING):
            self.write(number, PONG)
            client.rest = b""
        else:
            counted = end if client.sampled else data.rfind(_MARK) + len(_MARK)
            client.rest = data[max(counted, len(data) - _TAIL) :]
        if client.rest or client.sampled:
            self._watched[number] = client
        else:
            self._watched.pop(number, None)

    def _lost(self, number: int) -> None:
        client = self._watched.pop(number, None)
        self.sockets.pop(number).close()
        self.closed += 1
        self.open -= client is None or client.is_open


def _socket(source: str) -> socket.socket:
    """A socket of this address. Its port is chosen when it connects: a search among all that are bound is slow."""
    ours = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    ours.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ours.bind((source, 0))
    return ours


def percentile(values: Sequence[int], share: float) -> float:
    """The value at `share` (0..1) of the sorted values, in milliseconds; 0 where there is none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1e6 if ordered else 0.0


def _open(crowd: Crowd, size: int, within_s: float) -> None:
    """Raises TimeoutError."""
    deadline = time.monotonic() + within_s
    while crowd.open < size:
        crowd.begin()
        crowd.turn()
        if time.monotonic() > deadline:
            raise TimeoutError(f"{crowd.open} of {size} are open, {crowd.closed} were closed")


def _listen(crowd: Crowd, expected: int, within_s: float, beat_s: float) -> float:
    """Until all have seen what they expect; returns the seconds from the first delivery to the last.

    Each beats once in `beat_s` (0: never), spread evenly.
    """
    frame, clients = client_frame(_BEAT), list(crowd.sockets)
    began = time.monotonic()
    first, last, seen = 0.0, 0.0, crowd.deliveries
    beats, per_s = 0, len(clients) / beat_s if beat_s else 0.0
    while crowd.deliveries < expected and (passed := time.monotonic() - began) < within_s:
        while beats < passed * per_s:
            crowd.write(clients[beats % len(clients)], frame)
            beats += 1
        crowd.turn()
        if crowd.deliveries > seen:
            seen, last = crowd.deliveries, time.monotonic()
            first = first or last
    return last - first


def main() -> None:
    """The command line of one crowd."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("clients", type=int)
    parser.add_argument("events", type=int, help="events that each client must see")
    parser.add_argument("--path", default="/")
    parser.add_argument("--subprotocol", default="")
    parser.add_argument("--stream", action="store_true", help="server-sent events, no WebSocket")
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
    request = upgrade(options.port, options.path, options.subprotocol)
    crowd = Crowd(
        options.port,
        plain(options.port, options.path) if options.stream else request,
        options.ready.encode(),
        options.source,
        options.clients,
        firsts,
    )
    gc.disable()  # nothing here is ever in a cycle
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))  # whoever publishes on the same core goes first
    _open(crowd, options.clients, options.open_s)
    print(json.dumps({"open": crowd.open}), flush=True)
    expected = options.clients * options.events
    heard_s = _listen(crowd, expected, options.wait_s, options.beat_s)
    answer = {
        "deliveries": crowd.deliveries,
        "complete": crowd.deliveries >= expected,
        "closed": crowd.closed,
        "heard_s": round(heard_s, 3),
        "p50_ms": round(percentile(crowd.late_ns, 0.50), 2),
        "p99_ms": round(percentile(crowd.late_ns, 0.99), 2),
    }
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    allow_open_files()
    main()
