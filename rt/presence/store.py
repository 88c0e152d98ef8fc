"""Presence in Redis: the only module that runs the Lua of presence. A thin shell; the rules are in
rt/presence/members.py and their twin counts.lua.

Every key of a partition carries the hash tag {pN}; a script touches one partition and at most
PRESENCE_SCRIPT_MEMBERS_MAX members. Every method may raise RedisError, OSError or TimeoutError, and may be called
again with the same arguments after that. PresenceStore is a gateway's side, rt/presence/keeper_store.py the keeper's.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import orjson

from config.limits import PRESENCE_CLOSE_GRACE_S, PRESENCE_PLACE_KEPT_S, PRESENCE_SCRIPT_MEMBERS_MAX
from config.redis import Call, RedisClient, Script, load_script
from rt.presence.members import Member, Transition, pack
from rt.presence.rules import partition_of

GATEWAYS_KEY: Final = "presence:gateways"
STATS_KEY: Final = "presence:keeper:stats"

_T = TypeVar("_T")
_HERE: Final = Path(__file__).parent
_TIMES_ONLY: Final = frozenset({"touch", "close"})


class Lease(NamedTuple):
    """The answer to a gateway's sign of life.

    `kept` False: the gateway was given up or forgotten and its members must be written again (under the new name
    that the store has taken). `redis_ms` is Redis' clock, `run_id` the server's identity.
    """

    kept: bool
    redis_ms: int
    gateways: int
    run_id: str


class Place(NamedTuple):
    """Where a user was when (ms of Redis' clock)."""

    user: str
    cell: str
    at_ms: int


def partition_script(name: str) -> Script:
    """The script `name`.lua with the shared preludes in front; without the counting where it changes only times.

    Redis runs a prelude at each call: without counts.lua a touch costs 1.45 µs a member instead of 1.60.
    """
    parts = ("clock", name) if name in _TIMES_ONLY else ("clock", "counts", name)
    return Script("".join((_HERE / f"{part}.lua").read_text("utf-8") for part in parts))


def partition_keys(partition: int) -> list[str]:
    """KEYS 1-8 of every partition script, in the order of counts.lua."""
    names = ("zset", "meta", "users", "bucket", "settled", "totals", "dirty", "clock")
    return [f"presence:{{p{partition}}}:{name}" for name in names]


def place_key(user: str, partitions: int) -> str:
    """Where a user was last (PRESENCE_PLACE_KEPT_S)."""
    return f"presence:{{p{partition_of(user, partitions)}}}:place:{user}"


async def forget(redis: RedisClient, user: str, partitions: int) -> bool:
    """Forgets where a user was; whether a connection of theirs still counts. Raises as Redis does."""
    pipe = redis.pipeline(transaction=False)
    pipe.delete(place_key(user, partitions))
    pipe.hexists(partition_keys(partition_of(user, partitions))[2], user)
    return bool((await pipe.execute())[1])


def chunks(items: Sequence[_T], size: int = PRESENCE_SCRIPT_MEMBERS_MAX) -> Iterator[Sequence[_T]]:
    """`items` in pieces of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def transitions_of(answer: Sequence[bytes]) -> list[Transition]:
    """The pairs that a script answers."""
    return [Transition(answer[i].decode(), answer[i + 1].decode()) for i in range(0, len(answer), 2)]


class PresenceStore:
    """What one gateway process writes about its own connections."""

    def __init__(self, redis: RedisClient, gateway_id: str, partitions: int) -> None:
        self._redis = redis
        self._gateway_id = gateway_id
        self._partitions = partitions
        self._keys = [partition_keys(n) for n in range(partitions)]
        self._life = 0  # a gateway that was given up comes back under another name: the reaper may be at work yet
        self._registered = False
        self._apply = partition_script("apply")
        self._touch = partition_script("touch")
        self._close = partition_script("close")
        self._leave = partition_script("leave")
        self._lease = load_script(__file__, "lease")

    @property
    def gateway(self) -> str:
        """The name that the members carry now."""
        return f"{self._gateway_id}.{self._life}"

    async def apply(self, members: Sequence[Member]) -> list[Transition]:
        """Writes members whole: joins, moves, changes. Returns the users whom followers now see otherwise."""
        gateway = self.gateway
        calls: list[Call] = []
        for partition, group in self._by_partition((member.user, member) for member in members):
            for chunk in chunks(group):
                args: list[Any] = []
                for member in chunk:
                    args += (member.connection, member.ttl_s * 1_000, pack(member, gateway))
                calls.append((self._keys[partition], args))
        return [one for answer in await self._apply.many(self._redis, calls) for one in transitions_of(answer)]

    async def touch(self, members: Sequence[tuple[str, str, int]]) -> list[str]:
        """Signs of life of (connection, user, ttl_s); returns the connections that must be applied again."""
        by_ttl: dict[int, list[tuple[str, str]]] = defaultdict(list)
        for connection, user, ttl_s in members:
            by_ttl[ttl_s].append((user, connection))
        calls = [call for ttl_s, pairs in by_ttl.items() for call in self._calls(pairs, [ttl_s * 1_000])]
        return [one.decode() for answer in await self._touch.many(self._redis, calls) for one in answer]

    async def close(self, connections: Sequence[tuple[str, str]]) -> None:
        """Sockets (connection, user) that closed without `leave`: they count for PRESENCE_CLOSE_GRACE_S more."""
        pairs = [(user, connection) for connection, user in connections]
        await self._close.many(self._redis, self._calls(pairs, [PRESENCE_CLOSE_GRACE_S * 1_000]))

    async def leave(self, connections: Sequence[tuple[str, str]]) -> list[Transition]:
        """Takes (connection, user) away at once."""
        calls = self._calls([(user, connection) for connection, user in connections], [0, ""])
        return [one for answer in await self._leave.many(self._redis, calls) for one in transitions_of(answer)]

    async def move(self, places: Sequence[Place]) -> list[Place | None]:
        """Remembers these places for PRESENCE_PLACE_KEPT_S; returns where each user was before, on any connection."""
        before: list[Place | None] = []
        for chunk in chunks(places):
            pipe = self._redis.pipeline(transaction=False)
            for user, cell, at_ms in chunk:
                pipe.set(place_key(user, self._partitions), f"{cell} {at_ms}", ex=PRESENCE_PLACE_KEPT_S, get=True)
            for place, old in zip(chunk, await pipe.execute(), strict=True):
                words = old.decode().split(" ") if old else None
                before.append(Place(place.user, words[0], int(words[1])) if words else None)
        return before

    async def renew_lease(self) -> Lease:
        """Says that this gateway lives; takes a new name where it was given up."""
        run_id = str((await self._redis.info("server"))["run_id"])
        kept, redis_ms, gateways = await self._lease(
            self._redis, [GATEWAYS_KEY], [self.gateway, 0 if self._registered else 1]
        )
        first, self._registered = not self._registered, True
        if not kept:
            self._life += 1
            _, redis_ms, gateways = await self._lease(self._redis, [GATEWAYS_KEY], [self.gateway, 1])
        return Lease(bool(kept) and not first, int(redis_ms), int(gateways), run_id)

    async def keeper_stats(self) -> dict[str, float]:
        """The keeper's figures (rt/presence/keeper.py, `stats`); empty where no keeper is at work."""
        stored = await self._redis.get(STATS_KEY)
        return dict(orjson.loads(stored)) if stored else {}

    async def drop_lease(self) -> None:
        """The last word of a gateway that stops in order; its members end by their own time."""
        await self._redis.zrem(GATEWAYS_KEY, self.gateway)
        self._registered = False

    def _calls(self, pairs: Iterable[tuple[str, str]], head: list[Any]) -> list[Call]:
        """Calls for the connections of (user, connection), after the same first arguments."""
        return [
            (self._keys[partition], [*head, *chunk])
            for partition, group in self._by_partition(pairs)
            for chunk in chunks(group)
        ]

    def _by_partition(self, pairs: Iterable[tuple[str, _T]]) -> Iterable[tuple[int, list[_T]]]:
        """Items of (user, item) by the partition of the user."""
        groups: dict[int, list[_T]] = defaultdict(list)
        for user, item in pairs:
            groups[partition_of(user, self._partitions)].append(item)
        return groups.items()
