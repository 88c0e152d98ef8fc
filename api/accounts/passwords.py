"""Argon2 off the event loop: a few threads, a line before them that is bounded in time, and one hash for accounts that
are none.
"""

import asyncio
import math
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from starlette.types import Receive

from config.errors import ClientLeft, RetryLater
from config.limits import ARGON2_CONCURRENCY, ARGON2_SHARE, ARGON2_WAIT_S_MAX

Result = TypeVar("Result")

_hasher: Final = PasswordHasher()  # RFC 9106's second recommendation: 64 MiB, 3 passes, 4 lanes
_NEWEST: Final = 0.2  # the weight of the last hash in what one is said to take


class Caller(NamedTuple):
    """Who asks: whose share it takes (an address, or None for nobody's), and ASGI's `receive`, which says who left."""

    holder: str | None
    receive: Receive


class Passwords:
    """Hashing and checking. Both take about 0.1 s of a core and 64 MiB, whatever the outcome.

    Both raise RetryLater at once where the line is longer than ARGON2_WAIT_S_MAX, or an address has its share of it,
    and ClientLeft where the caller has closed its connection: it leaves the line.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(ARGON2_CONCURRENCY, thread_name_prefix="argon2")
        self._free = asyncio.Semaphore(ARGON2_CONCURRENCY)
        self._in_line = 0  # those at work included
        self._of_holder: dict[str, int] = {}
        began = time.perf_counter()
        self._nobody = _hasher.hash("nobody's password")
        self._hash_s = time.perf_counter() - began  # what one takes, as the last ones did

    async def hashed(self, password: str, caller: Caller) -> str:
        """The hash to store."""
        return await self._run(lambda: _hasher.hash(password), caller)

    async def fits(self, password_hash: str | None, spellings: Sequence[str], caller: Caller) -> str | None:
        """The first of the spellings that belongs to the hash; None (no such account) takes as long and has none."""

        def look() -> str | None:
            found = next((one for one in spellings if _fits(password_hash or self._nobody, one)), None)
            return None if password_hash is None else found

        return await self._run(look, caller)

    def close(self) -> None:
        """Lets the threads go; work that waits is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], Result], caller: Caller) -> Result:
        self._enter(caller.holder)
        try:
            return await _unless_left(caller.receive, self._in_turn(work))
        finally:
            self._leave(caller.holder)

    def _enter(self, holder: str | None) -> None:
        wait_s = self._in_line / ARGON2_CONCURRENCY * self._hash_s
        if wait_s > ARGON2_WAIT_S_MAX:
            raise RetryLater(retry_after_s=math.ceil(wait_s))
        if holder is not None:
            own_s = (self._of_holder.get(holder, 0) + 1) / ARGON2_CONCURRENCY * self._hash_s
            if own_s > ARGON2_WAIT_S_MAX * ARGON2_SHARE and holder in self._of_holder:
                raise RetryLater(retry_after_s=math.ceil(own_s))
            self._of_holder[holder] = self._of_holder.get(holder, 0) + 1
        self._in_line += 1

    def _leave(self, holder: str | None) -> None:
        self._in_line -= 1
        if holder is not None:
            self._of_holder[holder] -= 1
            if not self._of_holder[holder]:
                del self._of_holder[holder]

    async def _in_turn(self, work: Callable[[], Result]) -> Result:
        try:
            async with asyncio.timeout(ARGON2_WAIT_S_MAX):
                await self._free.acquire()
        except TimeoutError:
            # The line was slower than what the last ones took.
            raise RetryLater(retry_after_s=math.ceil(self._in_line / ARGON2_CONCURRENCY * self._hash_s)) from None
        loop = asyncio.get_running_loop()
        job = self._threads.submit(_timed, work)

        def done(_: Future[tuple[Result, float]]) -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._finished, job)

        job.add_done_callback(done)
        result, _ = await asyncio.wrap_future(job)
        return result

    def _finished(self, job: Future[tuple[Any, float]]) -> None:
        """Its thread is free: a hash cannot be broken off, so this may be long after its caller left."""
        self._free.release()
        if not job.cancelled() and job.exception() is None:
            self._hash_s += _NEWEST * (job.result()[1] - self._hash_s)


async def _unless_left(receive: Receive, work: Coroutine[Any, Any, Result]) -> Result:
    """What `work` gives; it is cancelled, with ClientLeft, where the client leaves before."""
    loop = asyncio.get_running_loop()
    working = loop.create_task(work, name="argon2")
    leaving = loop.create_task(_left(receive), name="argon2 leaving")
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientLeft
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.wait((working, leaving))


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def _fits(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
