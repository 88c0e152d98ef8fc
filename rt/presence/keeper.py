"""The keeper: one per cluster by lease. It takes away whom nobody keeps alive, makes the map, and checks the counts.

Whoever runs `keep` competes for the lease; the others wait. A keeper that was paused is fenced by its term in every
script. What it must never do is take people away because it, or Redis, was away: after another server, a clock that
jumped, an outage or a pause of its own it holds back while the gateways write their members again.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from config.limits import (
    GATEWAY_LEASE_LATE_S,
    KEEPER_LEASE_S,
    NOW_EVERY_S,
    ONLINE_EVERY_S,
    PRESENCE_OUTAGE_HOLD_S,
    PRESENCE_SCRIPT_MEMBERS_MAX,
    PRESENCE_TTL_S,
)
from config.process import set_within
from config.redis import AWAY, RedisClient
from config.settings import Settings
from rt.map.aggregate import Aggregate
from rt.map.hidden import Hidden
from rt.map.privacy import Rule
from rt.presence.keeper_store import ClockError, FencedError, KeeperStore
from rt.presence.metrics import GHOST, REAP_LATE, observe
from rt.presence.recount import compare
from rt.presence.rules import ClockGuard
from rt.presence.training import MINUTE_S, TrainingStore

__all__ = ["Keeper", "keep"]

log = structlog.get_logger()

PRESENCE_REAP_CALLS_MAX: Final = 300  # scripts of 100 members in one sweep; the rest waits a second
PRESENCE_RECOUNT_EVERY_S: Final = 60  # every partition's counts are compared with a recount this often
KEEPER_TICK_S: Final = 0.25

RENEW_S: Final = 1.0
REAP_S: Final = 1.0
MAP_HOLD_S: Final = 6.0  # a Redis that lost its members is not shown as an empty world while they are written back


async def keep(redis: RedisClient, settings: Settings, stopping: asyncio.Event) -> None:
    """Competes for the keeper's work until `stopping` is set. Survives a Redis that is away."""
    await Keeper(redis, settings).run(stopping)


class Keeper:
    """See the module. `turn` does what is due; `monotonic` (seconds) and `unix_s` are for tests."""

    def __init__(
        self,
        redis: RedisClient,
        settings: Settings,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self.stats: dict[str, float] = {
            "reaped": 0,  # members whose time had passed, since this keeper started
            "swept": 0,  # members of gateways that were given up
            "reap_late_ms_max": 0,  # of the last sweep that found any
            "transitions": 0,
            "recounts": 0,
            "recount_difference": 0,  # entries that a recount found wrong, since this keeper started
            "map_tick_ms": 0.0,
            "cells": 0,  # in all partitions, when the map was last loaded
        }
        self._store = KeeperStore(redis, secrets.token_hex(16), settings.presence_partitions)
        self._training = TrainingStore(redis, settings.presence_partitions)
        self._settings = settings
        self._monotonic = monotonic
        self._unix_s = unix_s
        self._aggregate: Aggregate | None = None
        self._loaded = False  # whether the aggregate has the partitions' counts
        self._term = 0
        self._guard = ClockGuard()
        self._run_id = ""
        self._believed = False
        self._failed = False
        self._reap_from_s = self._sweep_from_s = self._map_from_s = 0.0  # holds, monotonic
        self._last_s = monotonic()
        self._lead_at_s = 0.0
        self._redis_ahead_ms = 0
        self._next_partition = 0
        partitions = settings.presence_partitions
        # Finest band first: a parent looks at what its children show.
        self._duties: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (REAP_S, self._reap),
            (settings.map_tick_s[0], self._collect),
            (settings.map_tick_s[2], lambda: self._draw(2)),
            (settings.map_tick_s[1], lambda: self._draw(1)),
            (settings.map_tick_s[0], lambda: self._draw(0)),
            (ONLINE_EVERY_S, self._redraw),  # in one round with the totals: gateways send both in one write
            (ONLINE_EVERY_S, self._tell_totals),
            (NOW_EVERY_S, self._render_training),
            (PRESENCE_RECOUNT_EVERY_S / partitions, self._recount),
        ]
        self._due_s = [0.0] * len(self._duties)

    async def run(self, stopping: asyncio.Event) -> None:
        """Does what is due until `stopping` is set, then gives the lease back."""
        while not stopping.is_set():
            await self.turn()
            await set_within(stopping, KEEPER_TICK_S)
        try:
            await self._store.resign()
        except AWAY:
            log.info("keeper_lease_not_returned")

    async def turn(self) -> None:
        """One round; never raises for a Redis that is away or a keeper that took over."""
        try:
            await self._turn()
        except FencedError:
            log.warning("keeper_fenced", term=self._term)
            self._term, self._lead_at_s = 0, 0.0
        except ClockError:
            self._lead_at_s = 0.0  # where the guard looks
        except AWAY as error:
            if not self._failed:
                log.warning("keeper_without_redis", error=type(error).__name__)
            self._failed = True
            self._lead_at_s = self._monotonic() + RENEW_S
            self._term = 0

    async def _turn(self) -> None:
        now_s = self._monotonic()
        if now_s - self._last_s > GATEWAY_LEASE_LATE_S / 2:  # we slept, perhaps the gateways did too
            self._reap_from_s = max(self._reap_from_s, now_s + PRESENCE_OUTAGE_HOLD_S)
            self._sweep_from_s = max(self._sweep_from_s, now_s + GATEWAY_LEASE_LATE_S)
        self._last_s = now_s
        if now_s >= self._lead_at_s:
            await self._lead()
        if not self._term:
            return
        for number, (every_s, duty) in enumerate(self._duties):
            now_s = self._monotonic()
            if now_s >= self._due_s[number]:
                next_s = self._due_s[number] + every_s
                self._due_s[number] = next_s if next_s > now_s else now_s + every_s
                await duty()
                if self._monotonic() >= self._lead_at_s:
                    await self._lead()
                if not self._term:
                    return

    async def _lead(self) -> None:
        term, redis_ms, run_id, believed = await self._store.lead(KEEPER_LEASE_S)
        now_s = self._monotonic()
        self._lead_at_s = now_s + RENEW_S
        self._redis_ahead_ms = redis_ms - int(now_s * 1_000)
        if self._guard.changed(run_id, redis_ms, int(now_s * 1_000)):
            self._hold(now_s, PRESENCE_TTL_S, "redis_changed")
        elif self._failed:
            self._hold(now_s, PRESENCE_OUTAGE_HOLD_S, "redis_returned")
        self._failed = False
        self._run_id = run_id
        if term and term != self._term:
            if believed is not None and believed != run_id:
                self._hold(now_s, PRESENCE_TTL_S, "redis_replaced")
            await self._begin(now_s)
        self._term = term

    def _hold(self, now_s: float, scores_s: float, why: str) -> None:
        self._reap_from_s = max(self._reap_from_s, now_s + scores_s)
        self._sweep_from_s = max(self._sweep_from_s, now_s + PRESENCE_OUTAGE_HOLD_S)
        self._map_from_s = now_s + MAP_HOLD_S
        self._loaded = self._believed = False
        log.warning("keeper_holds", why=why, scores_s=scores_s)

    async def _begin(self, now_s: float) -> None:
        """A new term: take over what is published, or keep what we drew where Redis has lost it."""
        tiles = await self._store.tiles()
        if self._aggregate is None or tiles:
            rule = Rule(
                self._settings.map_k,
                await self._store.secret(self._settings.map_secret.get_secret_value()),
            )
            hidden = Hidden(self._settings.hidden_places)
            self._aggregate = Aggregate(rule, self._settings.presence_partitions, hidden)
            self._aggregate.restore(tiles, self._unix_s())
        else:
            self._map_from_s = max(self._map_from_s, now_s + MAP_HOLD_S)
        self._loaded = False
        self._due_s = [now_s] * len(self._duties)
        log.info("keeper_leads", term=self._store.term, tiles=len(tiles))

    def _redis_ms(self) -> int:
        """Redis' time as it should be by our own clock."""
        return int(self._monotonic() * 1_000) + self._redis_ahead_ms

    async def _reap(self) -> None:
        now_s = self._monotonic()
        if now_s >= self._sweep_from_s:
            for gateway, silent_s in await self._store.late_gateways(self._redis_ms()):
                start_s = self._monotonic()
                taken = await self._store.sweep(gateway)
                self.stats["swept"] += taken
                observe(self.stats, GHOST, silent_s + self._monotonic() - start_s, taken)
                log.warning("gateway_given_up", gateway=gateway, members=taken)
        if now_s < self._reap_from_s:
            return
        if not self._believed:
            await self._store.believe(self._run_id)
            self._believed = True
        calls = 0
        for partition in range(self._settings.presence_partitions):
            full = True
            while full and calls < PRESENCE_REAP_CALLS_MAX:
                reaped = await self._store.reap(partition, self._redis_ms())
                calls += 1
                full = reaped.members == PRESENCE_SCRIPT_MEMBERS_MAX
                if reaped.members:
                    self.stats["reaped"] += reaped.members
                    self.stats["transitions"] += reaped.transitions
                    self.stats["reap_late_ms_max"] = reaped.late_ms
                    observe(self.stats, REAP_LATE, reaped.late_ms / 1_000, reaped.members)

    def _map(self) -> Aggregate | None:
        """The aggregate, or None while the map is held."""
        return self._aggregate if self._monotonic() >= self._map_from_s else None

    async def _collect(self) -> None:
        aggregate = self._map()
        if aggregate is None:
            return
        if self._loaded:
            for partition in range(self._settings.presence_partitions):
                while cells := await self._store.take(partition):
                    aggregate.update(partition, cells)
            return
        for partition in range(self._settings.presence_partitions):
            counts = await self._store.counts(partition)
            self.stats["cells"] = len(counts) if partition == 0 else self.stats["cells"] + len(counts)
            aggregate.load(partition, counts)
            await self._store.lead(KEEPER_LEASE_S)  # loading a large world takes longer than a lease
        self._loaded = True
        await self._store.publish(aggregate.everything(), aggregate.tiles)

    async def _draw(self, band: int) -> None:
        aggregate = self._map()
        if aggregate is None or not self._loaded:
            return
        start_s = self._monotonic()
        changes = aggregate.tick(band, self._unix_s())
        self.stats["map_tick_ms"] = round((self._monotonic() - start_s) * 1_000, 3)
        await self._store.publish(changes, aggregate.tiles)

    async def _redraw(self) -> None:
        aggregate = self._map()
        if aggregate is not None and self._loaded:
            whole, forgotten = aggregate.wholes(self._unix_s())
            await self._store.publish(whole, aggregate.tiles, forgotten)

    async def _tell_totals(self) -> None:
        if self._map() is not None:
            await self._store.publish_totals(self.stats)

    async def _render_training(self) -> None:
        """The current minute, and the last one, of which a gateway may have told late."""
        minute = self._redis_ms() // (MINUTE_S * 1_000)
        for one in (minute - 1, minute):
            await self._training.render(one, self._settings.map_k[0])

    async def _recount(self) -> None:
        partition = self._next_partition
        self._next_partition = (partition + 1) % self._settings.presence_partitions
        differences = compare(await self._store.snapshot(partition))
        self.stats["recounts"] += 1
        if differences.size:
            self.stats["recount_difference"] += differences.size
            log.error("presence_counts_differ", partition=partition, entries=differences.size)
            await self._store.repair(partition, differences)
