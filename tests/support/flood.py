"""`python -m tests.support.flood PORT KIND SOCKETS SECONDS`: sockets that send as fast as they may, one kind of bytes
that carry nothing, in a process of their own. Prints how each ended, as JSON, by count."""

import json
import selectors
import socket
import sys
import time
from collections import Counter
from typing import Final

from tests.support.raw import frame, request

CHUNK: Final = 60_000
OPENING: Final = request() + frame(0x81, b'{"type":"connect"}')
_HALF_MESSAGE: Final = frame(0x81, b'{"type":"ping"}' + b" " * 16_000)
# What opens the socket, and what follows for ever, and how much of it a write has at most.
KINDS: Final = {
    "empty continuations": (OPENING + frame(0x01, b"{"), frame(0x00), CHUNK),
    "continuations of a byte": (OPENING + frame(0x01, b"{"), frame(0x00, b" "), CHUNK),
    "messages in fragments": (OPENING, frame(0x01, b'{"type":"pi') + frame(0x80, b'ng"}'), CHUNK),
    "pings": (OPENING, frame(0x89), CHUNK),
    "pongs": (OPENING, frame(0x8A), CHUNK),
    "tiny texts": (OPENING, frame(0x81, b'{"type":"ping"}'), CHUNK),
    "half frames": (OPENING, _HALF_MESSAGE, 700),
    "single bytes": (OPENING, _HALF_MESSAGE, 1),
    "heads that never end": (b"GET /ws HTTP/1.1\r\n", b"a: b\r\n", 7),
}


class Flooder:
    """One socket, which is opened again when it was ended."""

    def __init__(self, port: int, kind: str) -> None:
        self.port = port
        self.opening, self.one, self.most = KINDS[kind]
        self.ends: Counter[str] = Counter()
        self.open()

    def open(self) -> None:
        """Connects and says what opens it."""
        self.socket = socket.socket()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(("127.0.0.1", self.port))
        self.socket.sendall(self.opening)
        self.socket.setblocking(False)
        self.stream = self.one * max(1, CHUNK // len(self.one))
        self.at = 0
        self.tail = b""

    def go_on(self) -> bool:
        """Sends what is taken; whether the socket is open."""
        try:
            while True:
                heard = self.socket.recv(65_536)
                if not heard:
                    self.end()
                    return False
                self.tail = (self.tail + heard)[-200:]
        except BlockingIOError:
            pass
        except OSError:
            self.end()
            return False
        try:
            sent = self.socket.send(self.stream[self.at : self.at + self.most])
            self.at = (self.at + sent) % len(self.stream)
        except BlockingIOError:
            pass
        except OSError:
            self.end()
            return False
        return True

    def end(self) -> None:
        """Notes how it ended."""
        at = self.tail.rfind(b"\x88")
        code = int.from_bytes(self.tail[at + 2 : at + 4], "big") if at >= 0 else 0
        head = self.tail.find(b"HTTP/1.1 ")
        self.ends[self.tail[head + 9 : head + 12].decode() if code == 0 and head >= 0 else str(code)] += 1
        self.socket.close()


def main(port: int, kind: str, sockets: int, seconds: float) -> None:
    """Floods, and prints."""
    selector = selectors.DefaultSelector()
    flooders = [Flooder(port, kind) for _ in range(sockets)]
    for flooder in flooders:
        selector.register(flooder.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, flooder)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for key, _ in selector.select(0.1):
            flooder = key.data
            was = flooder.socket
            try:
                is_open = flooder.go_on()
                if not is_open:
                    selector.unregister(was)
                    flooder.open()
                    selector.register(flooder.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, flooder)
            except OSError:
                continue
    print(json.dumps(sum((flooder.ends for flooder in flooders), Counter())))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
