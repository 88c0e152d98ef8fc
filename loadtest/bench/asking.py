"""Many who ask one HTTP server the same kind of thing: without a pause, or as requests fall due.

One connection asks one thing at a time and is kept. Answers are counted and searched for errors, not decoded: the crowd
shares a core with the stores.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

CONNECTIONS: Final = 16
ANSWER_S: Final = 30.0
TICK_S: Final = 0.001  # what falls due within one is asked for at once
_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
_ERRORS: Final = b'"errors":'


class BadAnswerError(Exception):
    """An answer that is no success; the text is its beginning."""


def request(port: int, body: bytes, token: str = "") -> bytes:
    """A GraphQL request as it goes over the wire."""
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    head = f"POST /api/graphql HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n{bearer}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def size_of(answer: bytes) -> int:
    """Bytes of the whole answer that begins so, by its Content-Length; 0 while its head is not whole, -1 where it says
    no length. Pure."""
    end = answer.find(_HEAD_END)
    if end < 0:
        return 0
    head = answer[:end].lower()
    at = head.find(_LENGTH)
    return -1 if at < 0 else end + len(_HEAD_END) + int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])


def percentile_ms(ordered: Sequence[float], share: float) -> float:
    """Of sorted seconds, in milliseconds. Pure."""
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 2) if ordered else 0.0


class _Connection(asyncio.Protocol):
    """Sends what it is given and says when the whole answer is there."""

    def __init__(self, crowd: "Crowd") -> None:
        self._crowd = crowd
        self._transport: Any = None
        self._due = 0.0
        self._answer = b""
        self._size = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        self._crowd.lost(self)

    def ask(self, message: bytes, due: float) -> None:
        self._due, self._size, self._answer = due, 0, b""
        self._transport.write(message)

    def data_received(self, data: bytes) -> None:
        self._answer = self._answer + data if self._answer else data
        self._size = self._size or size_of(self._answer)
        if self._size < 0:
            self._crowd.failed("an answer of no stated length")
        elif 0 < self._size <= len(self._answer):
            self._crowd.answered(self, self._answer, time.perf_counter() - self._due)

    def close(self) -> None:
        self._transport.abort()


class Crowd:
    """Asks one server for `messages` in turn, again and again, on connections of each run's own: servers close those
    that are idle. Each run raises BadAnswerError."""

    def __init__(self, port: int, messages: Sequence[bytes], connections: int = CONNECTIONS) -> None:
        self.answer = b""  # the newest
        self._port = port
        self._messages = messages
        self._connections = connections
        self._all: list[_Connection] = []
        self._free: list[_Connection] = []
        self._late: deque[float] = deque()  # what was due when nobody was free
        self._times: list[float] = []  # seconds of each answer, from when it was due
        self.asked = 0  # in all
        self._pauseless = False
        self._settled = asyncio.Event()
        self._failed: BadAnswerError | None = None

    async def pauseless(self, seconds: float) -> int:
        """How many were answered within so many seconds while everybody asks again at once."""
        async with self._connected():
            self._pauseless = True
            while self._free:
                self._ask(time.perf_counter())
            await asyncio.sleep(seconds)
            done, self._pauseless = len(self._times), False
            await self._settle()
        return done

    async def at_rate(self, rate: float, seconds: float) -> list[float]:
        """At `rate` a second, sorted: seconds from when each was due to its answer."""
        async with self._connected():
            start, asked = time.perf_counter(), 0
            while asked < rate * seconds:
                now = time.perf_counter()
                while asked < min(seconds, now - start) * rate:
                    asked += 1
                    if self._free:
                        self._ask(now)
                    else:
                        self._late.append(now)
                await asyncio.sleep(TICK_S)
            await self._settle()
        return sorted(self._times)

    def answered(self, connection: _Connection, answer: bytes, seconds: float) -> None:
        """A connection has its answer."""
        if not answer.startswith(b"HTTP/1.1 200") or _ERRORS in answer:
            self.failed(answer[:600].decode("utf-8", "replace"))
            return
        self.answer = answer
        self._times.append(seconds)
        self._free.append(connection)
        if self._late:
            self._ask(self._late.popleft())
        elif self._pauseless:
            self._ask(time.perf_counter())
        elif len(self._free) == len(self._all):
            self._settled.set()

    def lost(self, connection: _Connection) -> None:
        """A connection is gone."""
        if connection in self._all:
            self.failed("the server has closed a connection")

    def failed(self, shown: str) -> None:
        """The run ends by this error."""
        self._failed = self._failed or BadAnswerError(shown)
        self._settled.set()

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        self._times, self._all = [], []
        for _ in range(self._connections):
            _, connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
            self._all.append(connection)
        self._free = list(self._all)
        try:
            yield
        finally:
            ours, self._all = self._all, []
            for connection in ours:
                connection.close()

    def _ask(self, due: float) -> None:
        self.asked += 1
        self._free.pop().ask(self._messages[self.asked % len(self._messages)], due)

    async def _settle(self) -> None:
        """Waits for what was asked for. Raises BadAnswerError or TimeoutError."""
        async with asyncio.timeout(ANSWER_S):
            while self._late or len(self._free) < len(self._all):
                self._settled.clear()
                await self._settled.wait()
                if self._failed is not None:
                    raise self._failed
