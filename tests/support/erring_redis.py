"""In front of a Redis: answers commands with an error in the server's place, drops the connection, or says nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import hiredis

from config.embedded.ports import HOST

CUT: Final = b"cut"
SILENCE: Final = b"silence"
# What servers say; by the first words.
ERRORS: Final = {
    "READONLY": b"-READONLY You can't write against a read only replica.\r\n",
    "LOADING": b"-LOADING Redis is loading the dataset in memory\r\n",
    "MASTERDOWN": b"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
    "MISCONF": b"-MISCONF Redis is configured to save RDB snapshots, but is unable to persist on disk.\r\n",
    "OOM": b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    "BUSY": b"-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n",
    "NOSCRIPT": b"-NOSCRIPT No matching script. Please use EVAL.\r\n",
    "NOPERM": b"-NOPERM this user has no permissions to run the command\r\n",
    "WRONGTYPE": b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    "CLUSTERDOWN": b"-CLUSTERDOWN Hash slot not served\r\n",
    "MOVED": b"-MOVED 1 127.0.0.1:1\r\n",
    "NOREPLICAS": b"-NOREPLICAS Not enough good replicas to write.\r\n",
    "NOAUTH": b"-NOAUTH Authentication required.\r\n",
    "ERR": b"-ERR nobody foresaw this\r\n",
    "cut": CUT,
    "silence": SILENCE,
}
# One of each kind that config/redis.py tells apart.
SOME_ERRORS: Final = ("READONLY", "OOM", "NOSCRIPT", "ERR", "cut", "silence")
_SIGN_IN: Final = frozenset({b"AUTH", b"SELECT", b"HELLO", b"CLIENT"})


class ErringRedis:
    """Forwards to the server of `url`. While `error` is set, it stands in for every answer, or for that to the commands
    of `only`; what signs a connection in always goes through. `met` and `served` count commands of either fate."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._pipes: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self.error: bytes | None = None
        self.only: frozenset[bytes] = frozenset()
        self.met = 0
        self.served = 0
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["ErringRedis"]:
        """Listens on a free port, at `url`, for the length of the block."""
        server = await asyncio.start_server(self._accepted, HOST, 0)
        credentials = self._parts.netloc.rpartition("@")[0]
        port = server.sockets[0].getsockname()[1]
        self.url = self._parts._replace(netloc=f"{credentials}@{HOST}:{port}").geturl()
        try:
            yield self
        finally:
            server.close()
            while self._pipes:
                task, writer = next(iter(self._pipes.items()))
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await _ended(writer)  # a task that is ended before it ran did not
                self._pipes.pop(task, None)
            await server.wait_closed()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._pipes[task] = writer
        task.add_done_callback(lambda _: self._pipes.pop(task, None))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._join(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            await _ended(writer)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._parts.hostname
        up_reader, up_writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        owed = _Owed()
        ways = [
            asyncio.ensure_future(self._upward(reader, writer, up_writer, owed)),
            asyncio.ensure_future(_downward(up_reader, writer, owed)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            up_writer.close()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            with contextlib.suppress(OSError):
                await up_writer.wait_closed()

    async def _upward(
        self,
        reader: asyncio.StreamReader,
        client: asyncio.StreamWriter,
        server: asyncio.StreamWriter,
        owed: "_Owed",
    ) -> None:
        commands = hiredis.Reader()
        while chunk := await reader.read(64 * 1024):
            commands.feed(chunk)
            while (command := commands.gets()) is not False:
                words: Any = tuple(command)
                name = words[0].upper()
                if self.error is None or name in _SIGN_IN or (self.only and name not in self.only):
                    self.served += name not in _SIGN_IN
                    owed.add(1)
                    server.write(hiredis.pack_command(words))
                    continue
                await owed.nothing.wait()  # each answer at its place
                self.met += 1
                if self.error == CUT:
                    return
                if self.error not in (None, SILENCE):
                    client.write(self.error)


async def _ended(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, asyncio.CancelledError):
        await writer.wait_closed()


class _Owed:
    """Answers that the server has not given yet."""

    def __init__(self) -> None:
        self._answers = 0
        self.nothing = asyncio.Event()
        self.nothing.set()

    def add(self, change: int) -> None:
        """So many more; a subscription is told more than it asks, so there are never fewer than none."""
        self._answers = max(0, self._answers + change)
        if self._answers:
            self.nothing.clear()
        else:
            self.nothing.set()


async def _downward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, owed: _Owed) -> None:
    replies = hiredis.Reader()
    while chunk := await reader.read(64 * 1024):
        replies.feed(chunk)
        while replies.gets() is not False:
            owed.add(-1)
        writer.write(chunk)
        await writer.drain()
