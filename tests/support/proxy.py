"""A TCP proxy that misbehaves on demand: in front of PostgreSQL, Redis or the gateway."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Literal
from urllib.parse import urlsplit

CHUNK_BYTES: Final = 64 * 1024


class Proxy:
    """Forwards to one address. Change `delay_s`, `refuse` and `stall` at any time; they hold from the next chunk on.

    delay_s  every chunk waits this long, in both directions
    refuse   new connections are closed at once
    stall    nothing is forwarded, and nothing is closed: a black hole
    """

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._pipes: set[asyncio.Task[None]] = set()
        self._clients: set[asyncio.StreamWriter] = set()
        self._running = asyncio.Event()
        self._running.set()
        self._cuts: list[tuple[bytes, Literal["before", "after"]]] = []
        self.port = 0
        self.delay_s = 0.0
        self.refuse = False
        self.heard: Callable[[bytes], None] = lambda _: None  # what the server says, as it comes
        self.connections = 0  # accepted so far
        self.cuts = 0  # made so far by `cut_at`

    @property
    def stall(self) -> bool:
        return not self._running.is_set()

    @stall.setter
    def stall(self, wanted: bool) -> None:
        if wanted:
            self._running.clear()
        else:
            self._running.set()

    def url(self, original: str) -> str:
        """`original` with this proxy's address in place of the server's."""
        parts = urlsplit(original)
        credentials, at, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{credentials}{at}127.0.0.1:{self.port}").geturl()

    def move(self, host: str, port: int) -> None:
        """New connections go there."""
        self._upstream = (host, port)

    def cut_at(self, needle: bytes, when: Literal["before", "after"]) -> None:
        """Cuts, once, the connection on which a client sends `needle`: `before` it reaches the server, or `after` the
        server has answered and before the answer reaches the client. `needle` must lie in one chunk."""
        self._cuts.append((needle, when))

    def say(self, words: bytes) -> None:
        """Sends `words` to every client, as if its server had."""
        for client in self._clients:
            client.write(words)

    async def cut(self) -> None:
        """Closes every connection now."""
        for task in self._pipes:
            task.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Proxy"]:
        """Listens on a free port of 127.0.0.1 for the length of the block."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self._running.set()
            await self.cut()
            await server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pipes.add(task)
        self._clients.add(writer)
        try:
            if not self.refuse:
                self.connections += 1
                await self._join(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._pipes.discard(task)
            self._clients.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        answered = asyncio.Event()  # set: the next answer of the server is swallowed, and the connection cut
        ways = [
            asyncio.ensure_future(self._upward(reader, up_writer, answered)),
            asyncio.ensure_future(self._downward(up_reader, writer, answered)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            up_writer.close()  # before any wait: `cut` may come now, too
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            with contextlib.suppress(OSError):
                await up_writer.wait_closed()

    async def _upward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answered: asyncio.Event
    ) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            await self._pause()
            for cut in self._cuts:
                needle, when = cut
                if needle in chunk:
                    self._cuts.remove(cut)
                    self.cuts += 1
                    if when == "before":
                        return
                    answered.set()
                    break
            writer.write(chunk)
            await writer.drain()

    async def _downward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answered: asyncio.Event
    ) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            await self._pause()
            if answered.is_set():
                return
            self.heard(chunk)
            writer.write(chunk)
            await writer.drain()

    async def _pause(self) -> None:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        await self._running.wait()
