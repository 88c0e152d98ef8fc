"""The keeper's side of presence in Redis: what only the leased one may do, each call fenced by its term.

Every method may raise RedisError, OSError or TimeoutError, and FencedError where a newer keeper has been at work.
Those that take people away are told Redis' time as it should be, and raise ClockError where it is another.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from config.limits import GATEWAY_LEASE_LATE_S, PRESENCE_CLOCK_JUMP_S, PRESENCE_SCRIPT_MEMBERS_MAX
from config.redis import RedisClient, load_script
from rt.map.aggregate import TileChange, TileKey, TileState
from rt.presence.members import unpack
from rt.presence.recount import Differences, Snapshot
from rt.presence.store import GATEWAYS_KEY, STATS_KEY, chunks, partition_keys, partition_script
from rt.wire.bus import MAP_CHANNEL, ONLINE_CHANNEL, TILES_KEY, TOTALS_KEY
from rt.wire.map import Change, encode
from rt.wire.map import change as wire_change

MAP_CELLS_PER_MESSAGE_MAX: Final = 5_000  # cells in one Pub/Sub message: about 120 KB

KEEPER_KEY: Final = "presence:keeper"
GUARD_KEY: Final = "presence:guard"
SECRET_KEY: Final = "presence:map:secret"  # noqa: S105

_SCAN: Final = 1_000
_CELLS: Final = 500
_DEAD_GATEWAYS_MAX: Final = 100
_JUMP_MS: Final = PRESENCE_CLOCK_JUMP_S * 1_000


class FencedError(Exception):
    """Another keeper has taken over."""


class ClockError(Exception):
    """Redis' clock was set, or another Redis answers."""


class Leading(NamedTuple):
    """`term` (0: another leads), Redis' clock, the server's run id, and that of the server believed last."""

    term: int
    redis_ms: int
    run_id: str
    believed: str | None


class Reaped(NamedTuple):
    """One call of the reaper: members taken, the greatest lateness (ms), users who went offline or changed."""

    members: int
    late_ms: int
    transitions: int


class KeeperStore:
    """See the module. `term` comes from `lead`."""

    def __init__(self, redis: RedisClient, holder: str, partitions: int) -> None:
        self.term = 0
        # The client's types cover text and bytes answers; ours are always bytes.
        self._redis = redis
        self._holder = holder
        self._keys = [partition_keys(n) for n in range(partitions)]
        self._reap = partition_script("reap")
        self._leave = partition_script("leave")
        self._take = partition_script("take")
        self._repair = partition_script("repair")
        self._lead = load_script(__file__, "lead")
        self._late = load_script(__file__, "late")
        self._publish = load_script(__file__, "publish")

    async def lead(self, lease_s: float) -> Leading:
        """Takes or renews the lease."""
        run_id = str((await self._redis.info("server"))["run_id"])
        term, redis_ms = await self._lead(self._redis, [KEEPER_KEY], [self._holder, int(lease_s * 1_000)])
        self.term = int(term)
        return Leading(self.term, int(redis_ms), run_id, _text(await self._redis.get(GUARD_KEY)))

    async def resign(self) -> None:
        """Gives the lease back."""
        if self.term:
            await self._lead(self._redis, [KEEPER_KEY], [self._holder, 0])
            self.term = 0

    async def believe(self, run_id: str) -> None:
        """Notes that the scores of this server are believed."""
        await self._redis.set(GUARD_KEY, run_id)

    async def secret(self, given: str) -> bytes:
        """The map's secret: the operator's, or one made once and kept."""
        if given:
            return given.encode()
        await self._redis.set(SECRET_KEY, self._holder, nx=True)
        return (_text(await self._redis.get(SECRET_KEY)) or self._holder).encode()

    async def late_gateways(self, redis_ms: int) -> list[tuple[str, float]]:
        """Gives up those that have not spoken for GATEWAY_LEASE_LATE_S; also those given up and not yet swept.

        Returns (gateway, seconds since its last word).
        """
        args = [GATEWAY_LEASE_LATE_S * 1_000, _DEAD_GATEWAYS_MAX, redis_ms, _JUMP_MS]
        answer = self._checked(await self._late(self._redis, [GATEWAYS_KEY], args))
        return [(answer[i].decode(), int(answer[i + 1]) / 1_000) for i in range(0, len(answer), 2)]

    async def sweep(self, gateway: str) -> int:
        """Takes every member of a gateway that was given up, and forgets it. Returns the number of members."""
        taken = 0
        for keys in self._keys:
            cursor = 0
            while True:
                cursor, page = await self._redis.hscan(keys[1], cursor, count=_SCAN)
                theirs = [key.decode() for key, value in page.items() if unpack(value.decode()).gateway == gateway]
                for chunk in chunks(theirs):
                    self._checked(await self._leave(self._redis, keys, [self.term, gateway, *chunk]))
                    taken += len(chunk)
                if cursor == 0:
                    break
        await self._redis.zrem(GATEWAYS_KEY, gateway)
        return taken

    async def reap(self, partition: int, redis_ms: int) -> Reaped:
        """Takes at most PRESENCE_SCRIPT_MEMBERS_MAX members whose time has passed."""
        args = [self.term, PRESENCE_SCRIPT_MEMBERS_MAX, redis_ms, _JUMP_MS]
        members, late_ms, *transitions = self._checked(await self._reap(self._redis, self._keys[partition], args))
        return Reaped(int(members), int(late_ms), len(transitions) // 2)

    async def take(self, partition: int) -> dict[int, tuple[int, int]]:
        """Up to some hundred cells that changed: cell -> (users, settled users). Empty: nothing (more) changed."""
        answer = self._checked(await self._take(self._redis, self._keys[partition], [self.term, _CELLS]))
        return {
            int(answer[i], 16): (int(answer[i + 1]), int(answer[i + 2])) for i in range(0, len(answer), 3)
        }  # what changes meanwhile is in the set again

    async def counts(self, partition: int) -> dict[int, tuple[int, int]]:
        """Every cell of a partition. What changes during the reading is in the next `take`."""
        self._checked(await self._take(self._redis, self._keys[partition], [self.term, 0]))
        users = await self._all(self._keys[partition][3])
        settled = await self._all(self._keys[partition][4])
        return {cell: (users.get(cell, 0), settled.get(cell, 0)) for cell in users.keys() | settled.keys()}

    async def tiles(self) -> dict[TileKey, TileState]:
        """What is published now."""
        stored = await self._redis.hgetall(TILES_KEY)
        tiles: dict[TileKey, TileState] = {}
        for field, text in stored.items():
            resolution, _, tile = field.decode().partition("/")
            if tile:
                state = orjson.loads(text)
                tiles[TileKey(int(resolution), tile)] = TileState(state["version"], dict(state["cells"]))
        return tiles

    async def publish(
        self, changes: Sequence[TileChange], tiles: Mapping[TileKey, TileState], forgotten: Iterable[TileKey] = ()
    ) -> None:
        """Stores the tiles of `changes` and tells the gateways; `forgotten` ones are dropped from the store."""
        dropped = [word for key in forgotten for word in (key.field, "")]
        for piece in _pieces(changes) or ([[]] if dropped else []):
            writes: list[Any] = dropped
            dropped = []
            for change in piece:
                if state := tiles.get(change.key):
                    writes += (change.key.field, _state(change.key, state))
            payload = encode([_message(change) for change in piece])
            self._checked(await self._publish(self._redis, [TILES_KEY], [self.term, MAP_CHANNEL, payload, *writes]))

    async def publish_totals(self, stats: Mapping[str, float]) -> None:
        """Adds the partitions up, stores and publishes; leaves the keeper's figures for every process's /metrics."""
        users = training = 0
        for keys in self._keys:
            some, trains = await self._redis.hmget(keys[5], "users", "training")
            users += int(some or 0)
            training += int(trains or 0)
        payload = orjson.dumps({"users": users, "training": training})
        await self._redis.set(TOTALS_KEY, payload)
        await self._redis.publish(ONLINE_CHANNEL, payload)
        await self._redis.set(STATS_KEY, orjson.dumps({**stats, "online": users, "training": training}), ex=60)

    async def snapshot(self, partition: int) -> Snapshot:
        """One partition at one instant: six reads in one transaction."""
        keys = self._keys[partition]
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zrange(keys[0], 0, -1)
            for key in keys[1:6]:
                pipe.hgetall(key)
            scored, meta, users, *counts = await pipe.execute()
        bucket, settled, totals = ({k.decode(): int(v) for k, v in hash_.items()} for hash_ in counts)
        return Snapshot(_texts(meta), _texts(users), bucket, settled, totals, frozenset(c.decode() for c in scored))

    async def repair(self, partition: int, differences: Differences) -> None:
        """Puts right what a recount found, at most PRESENCE_SCRIPT_MEMBERS_MAX corrections a call."""
        keys = self._keys[partition]
        for some in chunks(differences.counts):
            words = [word for correction in some for word in correction]
            self._checked(await self._repair(self._redis, keys, [self.term, len(some), *words]))
        for users in chunks(list(differences.users.items())):
            words = [word for user, connections in users for word in (user, " ".join(connections))]
            self._checked(await self._repair(self._redis, keys, [self.term, 0, *words]))
        for orphans in chunks(differences.orphans):
            self._checked(await self._leave(self._redis, keys, [self.term, "", *orphans]))

    async def _all(self, key: str) -> dict[int, int]:
        cells: dict[int, int] = {}
        cursor = 0
        while True:
            cursor, page = await self._redis.hscan(key, cursor, count=_SCAN)
            cells.update({int(cell, 16): int(count) for cell, count in page.items()})
            if cursor == 0:
                return cells

    @staticmethod
    def _checked(answer: Any) -> Any:
        if answer == -1:
            raise FencedError
        if answer == -2:
            raise ClockError
        return answer


def _pieces(changes: Sequence[TileChange]) -> list[list[TileChange]]:
    """Changes in messages of at most about MAP_CELLS_PER_MESSAGE_MAX cells."""
    pieces: list[list[TileChange]] = []
    room = 0
    for change in changes:
        size = len(change.cells) + 1
        if size > room:
            pieces.append([])
            room = MAP_CELLS_PER_MESSAGE_MAX
        pieces[-1].append(change)
        room -= size
    return pieces


def _message(change: TileChange) -> Change:
    (resolution, tile), version, whole, cells = change
    return wire_change(resolution, tile, version, whole, cells)


def _state(key: TileKey, state: TileState) -> bytes:
    return orjson.dumps({"version": state.version, "resolution": key.resolution, "cells": list(state.cells.items())})


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _texts(values: Mapping[bytes, bytes]) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in values.items()}
