"""Publishes stamped events to the peers that do not listen to Redis.

python -m loadtest.bench.peer_publish nchan|nats PORT EVENTS RATE SIZE
"""

import socket
import sys
import time


def main(kind: str, port: int, events: int, rate: float, size: int) -> None:
    """Sends `events` messages of about `size` bytes at `rate` a second and returns."""
    padding = "x" * max(0, size - 90)
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if kind == "nats":
            peer.recv(4096)
            peer.sendall(b'CONNECT {"verbose":false}\r\n')
        started = time.perf_counter()
        for number in range(events):
            wait_s = started + number / rate - time.perf_counter()
            if wait_s > 0:
                time.sleep(wait_s)
            stamp = time.monotonic_ns()
            body = f'{{"id":{number},"t":{stamp},"type":"workout_completed","p":"{padding}"}}'.encode()
            if kind == "nats":
                peer.sendall(b"PUB rt %d\r\n%b\r\n" % (len(body), body))
            else:
                head = b"POST /pub HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
                peer.sendall(head % len(body) + body)
                peer.recv(4096)
        if kind == "nats":
            peer.sendall(b"PING\r\n")
            peer.recv(4096)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
