"""Argon2 off the event loop: a few threads, a bounded line before them, and one hash for accounts that are none."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api.errors import RetryLater
from config.limits import ARGON2_CONCURRENCY, ARGON2_WAITING_MAX

Result = TypeVar("Result")

_hasher: Final = PasswordHasher()  # RFC 9106's second recommendation: 64 MiB, 3 passes, 4 lanes


class Passwords:
    """Hashing and checking. Both take about 0.1 s of a core and 64 MiB, whatever the outcome."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(ARGON2_CONCURRENCY, thread_name_prefix="argon2")
        self._waiting = 0
        self._nobody = _hasher.hash("nobody's password")

    async def hashed(self, password: str) -> str:
        """The hash to store. Raises RetryLater where the line is too long."""
        return await self._run(lambda: _hasher.hash(password))

    async def fits(self, password_hash: str | None, spellings: Sequence[str]) -> str | None:
        """The first of the spellings that belongs to the hash; None (no such account) takes as long and has none."""

        def look() -> str | None:
            found = next((one for one in spellings if _fits(password_hash or self._nobody, one)), None)
            return None if password_hash is None else found

        return await self._run(look)

    def close(self) -> None:
        """Lets the threads go; work that waits is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._waiting >= ARGON2_WAITING_MAX:
            raise RetryLater
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


def _fits(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
