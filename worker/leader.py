"""Who is the relay: a lease in PostgreSQL with a term that rises with each holder, judged by the database's clock.

The lease row is locked while a batch is numbered (queries.sql, `claim`), and Redis refuses an older term, so a relay
that was paused and wakes after its successor took over can write nothing. A session lock would not survive PgBouncer.
"""

import os
import time
from pathlib import Path
from typing import Final

import asyncpg
import structlog

from config.db.queries import load_queries
from config.limits import RELAY_LEASE_S
from worker.store import committed

log = structlog.get_logger()

_QUERIES: Final = load_queries(__file__)
_LOOK_AT_LEASE: Final = _QUERIES["look_at_lease"]
_TAKE_LEASE: Final = _QUERIES["take_lease"]
_RENEW_LEASE: Final = _QUERIES["renew_lease"]
_RELEASE_LEASE: Final = _QUERIES["release_lease"]

# The holder stops writing this long before anybody else may begin, as its own clock sees it.
SAFETY_S: Final = 0.5


class LeaseLostError(Exception):
    """Somebody else holds the lease now."""


class Lease:
    """One term of leadership."""

    __slots__ = ("_sure_until", "holder", "name", "term")

    def __init__(self, name: str, holder: str, term: int, asked_at: float) -> None:
        self.name = name
        self.holder = holder
        self.term = term
        self.extended(asked_at)

    def extended(self, asked_at: float) -> None:
        """The database granted RELAY_LEASE_S some time after `asked_at` (time.monotonic)."""
        self._sure_until = asked_at + RELAY_LEASE_S - SAFETY_S

    @property
    def surely_held(self) -> bool:
        """Whether nobody else can hold it now; a process that was paused hears no as soon as it wakes."""
        return time.monotonic() < self._sure_until


class Leader:
    """Takes, renews and gives back the lease `name` for the process `holder`."""

    def __init__(self, pool: asyncpg.Pool, name: str, holder: str) -> None:
        self._pool = pool
        self._name = name
        self._holder = holder

    async def take(self) -> Lease | None:
        """The lease, or None while another process holds it."""
        asked_at = time.monotonic()
        async with committed(self._pool) as tx:
            row = await tx.fetchrow(_LOOK_AT_LEASE, self._name)
            past = None
            if row is not None and (row["holder"] == self._holder or surely_dead(row["holder"], self._holder)):
                past = row["holder"]
            if row is not None and past is None and not row["over"]:
                return None
            term = await tx.fetchval(_TAKE_LEASE, self._name, self._holder, float(RELAY_LEASE_S), past)
        return None if term is None else Lease(self._name, self._holder, term, asked_at)

    async def renew(self, lease: Lease) -> None:
        """Extends the lease. Raises LeaseLostError when it was taken over."""
        asked_at = time.monotonic()
        async with committed(self._pool) as tx:
            if await tx.fetchval(_RENEW_LEASE, lease.name, lease.holder, lease.term, float(RELAY_LEASE_S)) is None:
                raise LeaseLostError
        lease.extended(asked_at)

    async def release(self, lease: Lease) -> None:
        """Ends the lease now, so that the next one need not wait for its time."""
        async with committed(self._pool) as tx:
            await tx.execute(_RELEASE_LEASE, lease.name, lease.holder, lease.term)


def this_process() -> str:
    """A name of this process that no other ever has: machine since boot, process namespace, id, start time."""
    return f"{_machine()}/{os.getpid()}/{_started(os.getpid())}"


def surely_dead(holder: str, me: str) -> bool:
    """Whether `holder` ran where `me` runs and runs no more: after a crash nobody need wait for the lease's end."""
    machine, _, rest = holder.rpartition("/")[0].rpartition("/")
    if not machine or machine != me.rpartition("/")[0].rpartition("/")[0] or not rest.isdigit():
        return False
    return _started(int(rest)) != holder.rpartition("/")[2] and not _is_hidden(int(rest))


def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"


def _is_hidden(pid: int) -> bool:
    """Whether it is there for another account and /proc may not show it (systemd's ProtectProc=invisible)."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return not Path(f"/proc/{pid}").exists()
    except OSError:
        return False
    return False


def _started(pid: int) -> str:
    """Clock ticks since boot at which `pid` started (proc(5), stat, field 22); empty = there is none, or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]
