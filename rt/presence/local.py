"""Presence of one gateway process: what it knows of its own connections, and the flusher that writes it to Redis.

The connection layer calls join, heartbeat, sign_of_life, close and leave: synchronous, O(1), no I/O. `run` writes
what changed each PRESENCE_TICK_S. While Redis is away everything stays here, bounded by the number of connections,
`degraded` is true, and when it is back the members are written again at a common pace.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import structlog

from config.limits import GATEWAY_LEASE_LATE_S, GATEWAY_LEASE_RENEW_S, NOW_EVERY_S
from config.process import set_within
from config.redis import AWAY
from rt.presence.members import Member
from rt.presence.rules import ClockGuard, Status, too_fast
from rt.presence.store import Place, PresenceStore, chunks
from rt.presence.training import MINUTE_S, Trainers, TrainingStore
from rt.wire.audience import Audience, strictest

__all__ = ["LocalPresence", "LocalTotals"]

log = structlog.get_logger()

PRESENCE_TICK_S: Final = 0.25  # heartbeats of one tick and partition are one command
PRESENCE_REST_S: Final = 0.05  # at least this between two ticks, however long the first took
PRESENCE_TOUCH_TICK_S: Final = 1  # signs of life may wait longer than joins: four times fewer commands
PRESENCE_TOUCH_MIN_S: Final = 5  # a busy connection is touched at most this often
PRESENCE_WRITE_BACK_PER_S: Final = 40_000  # members a second, all gateways together: 100,000 are back within 5 s
PRESENCE_WRITE_MEMBERS_MAX: Final = 500  # a gateway packs twice as many in some 10 ms, then looks after its sockets
PRESENCE_PENDING_CLOSES_MAX: Final = 10_000  # closes kept while Redis is away; what is dropped expires by itself


class LocalTotals(NamedTuple):
    """Distinct public users of this process: what it can still say of the world while Redis is away."""

    users: int
    training: int


class _Local:
    """One connection of this process; at most 12 hours old, so plain seconds of the monotonic clock do."""

    __slots__ = (
        "audience",
        "cell",
        "compared_ms",
        "connection",
        "placed_at_ms",
        "reported_s",
        "settled",
        "state",
        "touched_s",
        "ttl_s",
        "user",
        "written",
    )

    def __init__(
        self, connection: str, user: str, audience: Audience, ttl_s: int, now_s: float, *, settled: bool
    ) -> None:
        self.connection = connection
        self.user = user
        self.audience: Audience = audience
        self.settled = settled
        self.ttl_s = ttl_s
        self.cell = ""
        self.placed_at_ms = 0
        self.compared_ms = 0  # the `placed_at_ms` that was compared with the user's last place
        self.reported_s = now_s
        self.touched_s = now_s
        self.state: Status = "online"
        self.written = False

    def member(self) -> Member:
        return Member(
            self.connection,
            self.user,
            self.cell,
            self.placed_at_ms,
            self.state,
            self.audience,
            self.settled,
            self.ttl_s,
        )


class LocalPresence:
    """See the module. `monotonic` (seconds) and `unix_ms` are for tests."""

    def __init__(
        self,
        store: PresenceStore,
        training_store: TrainingStore,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        unix_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.degraded = True  # until Redis has answered once
        self.written = 0  # members written, touched, and found missing by a touch, since the process started
        self.touched = 0
        self.missing = 0
        self.false_offline = 0  # members that were gone from Redis while their socket was open
        self.keeper_stats: dict[str, float] = {}  # for this process's /metrics
        self.failures = 0  # flushes that Redis did not answer
        self._store = store
        self._now_store = training_store
        self._trainers = Trainers()
        self._monotonic = monotonic
        self._now_s = monotonic()  # of the last tick: the hot calls read no clock
        self._redis_ahead_ms = unix_ms() - int(self._now_s * 1_000)
        self._members: dict[str, _Local] = {}
        self._fresh: dict[str, _Local] = {}  # to be written now
        self._again: dict[str, _Local] = {}  # to be written again, at the common pace
        self._touched: set[str] = set()
        self._closed: dict[str, str] = {}  # connection -> user
        self._left: dict[str, str] = {}
        self._back: list[Place] = []  # to be put back where a made-up place was written
        self._guard = ClockGuard()
        self._gateways = 1
        self._leased = False
        self._slept = False
        self._renew_at_s = self._touch_at_s = self._tell_now_at_s = self._now_s

    def __len__(self) -> int:
        return len(self._members)

    def join(self, connection_id: str, user_id: str, *, audience: Audience, settled: bool, ttl_s: int) -> None:
        """A signed-in connection is online from now on; it reaches Redis within a tick."""
        local = _Local(connection_id, user_id, audience, ttl_s, self._now_s, settled=settled)
        self._members[connection_id] = self._fresh[connection_id] = local

    def heartbeat(
        self,
        connection_id: str,
        *,
        cell: str | None,
        state: Status,
        audience: Audience,
        ttl_s: int,
        exercise: str | None = None,
    ) -> None:
        """What a heartbeat says; `cell` None keeps the last one. Unknown connections (anonymous ones) are ignored."""
        local = self._members.get(connection_id)
        if local is None:
            return
        changed = False
        if cell is not None:
            if cell != local.cell:
                if local.cell and too_fast(local.cell, cell, self._now_s - local.reported_s):
                    local.settled = False  # for the life of the connection: it does not count in the slow bands
                local.cell = cell
                local.placed_at_ms = int(self._now_s * 1_000) + self._redis_ahead_ms
                changed = True
            local.reported_s = self._now_s
        if state != local.state or audience != local.audience:
            local.state, local.audience = state, audience
            changed = True
        if ttl_s > local.ttl_s:
            changed = True  # it will be silent for longer than Redis knows
        local.ttl_s = ttl_s
        if state == "training":
            self._trainers.trains(connection_id, local.user, exercise)
        elif changed:
            self._trainers.stops(connection_id)
        if changed:
            local.touched_s = self._now_s
            self._fresh[connection_id] = local
        elif self._now_s - local.touched_s >= PRESENCE_TOUCH_MIN_S:
            local.touched_s = self._now_s
            self._touched.add(connection_id)

    def sign_of_life(self, connection_id: str) -> None:
        """Any message of the client."""
        local = self._members.get(connection_id)
        if local is not None and self._now_s - local.touched_s >= PRESENCE_TOUCH_MIN_S:
            local.touched_s = self._now_s
            self._touched.add(connection_id)

    def close(self, connection_id: str) -> None:
        """The socket closed: the member counts for 15 s more, unless it comes back."""
        local = self._members.pop(connection_id, None)
        if local is None:
            return
        self._trainers.stops(connection_id)
        self._again.pop(connection_id, None)
        if self.degraded and not local.written:
            self._fresh.pop(connection_id, None)  # nobody ever saw it
            return
        if len(self._closed) >= PRESENCE_PENDING_CLOSES_MAX:
            del self._closed[next(iter(self._closed))]
        self._closed[connection_id] = local.user

    def leave(self, connection_id: str) -> None:
        """The client said `leave`: its presence ends at once."""
        local = self._members.pop(connection_id, None)
        if local is None:
            return
        self._trainers.stops(connection_id)
        self._fresh.pop(connection_id, None)
        self._again.pop(connection_id, None)
        if local.written and len(self._left) < PRESENCE_PENDING_CLOSES_MAX:
            self._left[connection_id] = local.user

    def totals(self) -> LocalTotals:
        """Counts from memory, O(connections): for the time without Redis."""
        states: dict[str, Status] = {}
        audiences: dict[str, Audience] = {}
        for local in self._members.values():
            if states.get(local.user) != "training":
                states[local.user] = local.state
            audiences[local.user] = strictest(audiences.get(local.user, "everyone"), local.audience)
        public = [user for user, audience in audiences.items() if audience == "everyone"]
        return LocalTotals(len(public), sum(states[user] == "training" for user in public))

    async def run(self, stopping: asyncio.Event) -> None:
        """Writes until `stopping` is set, then writes the rest and gives the lease back."""
        while not stopping.is_set():
            await self.turn()
            took_s = self._monotonic() - self._now_s  # a turn is part of its tick, else the pace would not be kept
            await set_within(stopping, max(PRESENCE_TICK_S - took_s, PRESENCE_REST_S))
        self._renew_at_s = self._touch_at_s = 0.0
        await self.turn()
        try:
            await self._store.drop_lease()
        except AWAY:
            log.info("presence_lease_not_dropped")

    async def turn(self) -> None:
        """One tick: renews the lease when due and writes what changed; never raises for a Redis that is away."""
        last_s, self._now_s = self._now_s, self._monotonic()
        self._slept |= self._now_s - last_s > GATEWAY_LEASE_LATE_S  # their time may have passed, in a Redis beside us
        try:
            if self._now_s >= self._renew_at_s:
                await self._renew()
            if not self.degraded:
                await self._flush()
        except AWAY as error:
            self.failures += 1
            self._renew_at_s = self._monotonic() + PRESENCE_TICK_S
            if not self.degraded:
                self.degraded = True
                log.warning("presence_degraded", members=len(self._members), error=type(error).__name__)

    async def _renew(self) -> None:
        lease = await self._store.renew_lease()
        self.keeper_stats = await self._store.keeper_stats()
        now_s = self._monotonic()
        self._renew_at_s = now_s + GATEWAY_LEASE_RENEW_S
        self._gateways = max(lease.gateways, 1)
        own_ms = int(now_s * 1_000)
        self._redis_ahead_ms = lease.redis_ms - own_ms
        if self._guard.changed(lease.run_id, lease.redis_ms, own_ms) or self.degraded or not lease.kept or self._slept:
            self._again = dict(self._members)
            self._fresh = {key: local for key, local in self._fresh.items() if key not in self._members}
            if self._leased and not lease.kept and not self.degraded:
                self.false_offline += len(self._members)  # we were given up, or Redis forgot all gateways
            self._leased = True
            self._slept = False
            if self._again:
                log.info("presence_write_back", members=len(self._again), after_outage=self.degraded)
            self.degraded = False

    async def _flush(self) -> None:
        if self._left:
            left, self._left = self._left, {}
            try:
                await self._store.leave(list(left.items()))
            except AWAY:
                self._left = left | self._left
                raise
        await self._write(self._take_fresh())
        if self._closed:
            closed, self._closed = self._closed, {}
            try:
                await self._store.close(list(closed.items()))
            except AWAY:
                self._closed = closed | self._closed
                raise
        if self._touched and self._now_s >= self._touch_at_s:
            self._touch_at_s = self._now_s + PRESENCE_TOUCH_TICK_S
            await self._touch()
        if self._now_s >= self._tell_now_at_s:
            self._tell_now_at_s = self._now_s + NOW_EVERY_S
            await self._tell_training()

    def _take_fresh(self) -> dict[str, _Local]:
        """What changed, and as much of the write-back as this gateway's share of the common pace allows."""
        batch, self._fresh = self._fresh, {}
        allowed = max(int(PRESENCE_WRITE_BACK_PER_S * PRESENCE_TICK_S / self._gateways), 100)
        while self._again and allowed:
            connection, local = self._again.popitem()
            batch.setdefault(connection, local)
            allowed -= 1
        return batch

    async def _write(self, batch: dict[str, _Local]) -> None:
        if not batch:
            return
        for local in batch.values():
            local.written = True
        pieces = list(chunks(list(batch.values()), PRESENCE_WRITE_MEMBERS_MAX))
        try:
            for some in pieces:  # one after the other: two connections of a user are compared in their order
                await self._compare([local for local in some if local.placed_at_ms > local.compared_ms])
            await self._apply(pieces)
        except AWAY:
            # Those that closed meanwhile need no second try: what was not written need not be ended.
            self._fresh = {key: local for key, local in batch.items() if key in self._members} | self._fresh
            raise
        self.written += len(batch)

    async def _apply(self, pieces: Sequence[Sequence[_Local]]) -> None:
        """Two at a time: one is packed here while Redis works at the other. Neither is under way at the end, also of a
        failure, lest it write somebody who has left since."""
        left = iter(pieces)

        async def lane() -> None:
            for some in left:
                await self._store.apply([local.member() for local in some])

        for error in filter(None, await asyncio.gather(lane(), lane(), return_exceptions=True)):
            raise error

    async def _compare(self, moved: list[_Local]) -> None:
        """Whoever cannot have come here from where the user was last, on whatever connection, is not settled."""
        here = [Place(local.user, local.cell, local.placed_at_ms) for local in moved]
        for local, now, last in zip(moved, here, await self._store.move(here), strict=True):
            local.compared_ms = now.at_ms
            if last is not None and too_fast(last.cell, now.cell, (now.at_ms - last.at_ms) / 1_000):
                local.settled = False
                self._back.append(last)  # the next connection is compared with where they truly may be
        if self._back:
            await self._store.move(self._back)
            self._back.clear()

    async def _touch(self) -> None:
        touched, self._touched = self._touched, set()
        locals_ = [self._members[key] for key in touched if key in self._members]
        try:
            missing = await self._store.touch([(local.connection, local.user, local.ttl_s) for local in locals_])
        except AWAY:
            self._touched |= touched
            raise
        self.touched += len(locals_)
        self.missing += len(missing)
        self.false_offline += sum(connection not in self._again for connection in missing)  # else counted before
        for connection in missing:
            if connection in self._members:
                self._fresh[connection] = self._members[connection]

    async def _tell_training(self) -> None:
        """After the members are written: the records decide who counts. The minute is that of Redis' clock."""
        minute = (int(self._now_s * 1_000) + self._redis_ahead_ms) // (MINUTE_S * 1_000)
        taken = self._trainers.take(minute)
        try:
            await self._now_store.tell(minute, taken.values())
        except AWAY:
            self._trainers.give_back(taken)
            raise
