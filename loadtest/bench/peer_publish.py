"""Publishes stamped events to the peers, each in its own way.

python -m loadtest.bench.peer_publish redis|nchan|nats|centrifugo ADDRESS EVENTS RATE SIZE

ADDRESS is the URL of Redis, whose channel `rt:community` the peers hear that have no way of their own, or a loopback
port. Events are stamped with the time when they were due, as loadtest/publish.py's are, and what is due at the same
time goes out together wherever the peer has a way for that.
"""

import json
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from redis import Redis

from config.limits import RELAY_BATCH

Send = Callable[[Sequence[bytes]], None]


def due(events: int, rate: float, size: int) -> Iterator[list[bytes]]:
    """All `events` of `size` bytes at `rate` a second, in batches as they are due."""
    began, sent = time.monotonic(), 0
    while sent < events:
        count = min(events, int((time.monotonic() - began) * rate) + 1, sent + RELAY_BATCH) - sent
        if count <= 0:
            time.sleep(max(0.0, began + sent / rate - time.monotonic()))
            continue
        stamps = [int((began + (sent + n) / rate) * 1e9) for n in range(count)]
        yield [_body(sent + n, size, stamp) for n, stamp in enumerate(stamps)]
        sent += count


def _body(number: int, size: int, stamp_ns: int) -> bytes:
    bare = b'{"id":%d,"t":%d,"type":"workout_completed","p":""}' % (number, stamp_ns)
    return bare[:-2] + b"x" * (size - len(bare)) + bare[-2:]


def _redis(url: str) -> Send:
    redis = Redis.from_url(url)

    def send(batch: Sequence[bytes]) -> None:
        pipe = redis.pipeline(transaction=False)
        for body in batch:
            pipe.publish("rt:community", body)
        pipe.execute()

    return send


def _nats(port: str) -> Send:
    peer = _connected(port)
    peer.recv(4096)
    peer.sendall(b'CONNECT {"verbose":false}\r\n')

    def send(batch: Sequence[bytes]) -> None:
        peer.sendall(b"".join(b"PUB rt %d\r\n%b\r\n" % (len(body), body) for body in batch) + b"PING\r\n")
        peer.recv(4096)

    return send


def _nchan(port: str) -> Send:
    peer = _connected(port)

    def send(batch: Sequence[bytes]) -> None:
        for body in batch:  # one request an event is all that it knows
            peer.sendall(_request("/pub", "text/plain", body))
            peer.recv(4096)

    return send


def _centrifugo(port: str) -> Send:
    peer = _connected(port)

    def send(batch: Sequence[bytes]) -> None:
        commands = [b'{"publish":{"channel":"bench","data":%b}}' % body for body in batch]
        peer.sendall(_request("/api/batch", "application/json", b'{"commands":[%b]}' % b",".join(commands)))
        answer = b""
        while not answer.endswith(b"]}") and (read := peer.recv(65_536)):
            answer += read
        failed = [
            reply["error"] for reply in json.loads(answer.partition(b"\r\n\r\n")[2])["replies"] if "error" in reply
        ]
        if failed:
            sys.exit(f"Centrifugo refuses to publish: {failed[0]}")

    return send


def _connected(port: str) -> socket.socket:
    peer = socket.create_connection(("127.0.0.1", int(port)))
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def _request(path: str, content: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


_KINDS: Final[Mapping[str, Callable[[str], Send]]] = {
    "redis": _redis,
    "nats": _nats,
    "nchan": _nchan,
    "centrifugo": _centrifugo,
}


def main(kind: str, address: str, events: int, rate: float, size: int) -> None:
    """Sends the events and returns."""
    send = _KINDS[kind](address)
    for batch in due(events, rate, size):
        send(batch)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
