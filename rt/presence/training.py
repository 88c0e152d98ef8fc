"""Who is training now, minute by minute, and what: distinct people, counted over all gateways.

Each gateway tells of its training connections once a minute, and when one begins or takes up another exercise. The
people of a minute go into HyperLogLogs: 12 KB at most however many there are, where sets would take about 90 B for
each person, minute and exercise; the error of 0.8 % is less than the steps in which counts are shown, and a few
hundred people are counted as they are. Who counts is read from the records of presence in the moment of writing: the
strictest audience of all devices holds. `audience` other than everyone counts nowhere; who is not settled counts in
the total, which tells as little as `presenceStats` does, and in no exercise, so that made-up people cannot lift a
neighbour over the threshold.

The leased keeper renders the current and the last minute and applies the k-rule, once for all readers. All keys of a
minute carry the hash tag {minute}: one slot each, and another one every minute.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from config.limits import NOW_KEPT_S, NOW_RAW_S
from config.redis import RedisClient
from rt.map.privacy import STEPS
from rt.presence.members import Contribution
from rt.presence.rules import partition_of
from rt.presence.store import chunks, partition_keys

NOW_PEOPLE_PER_TICK_MAX: Final = 5_000  # told in one go: 20,000 people of a process are told in 20 s of a minute

MINUTE_S: Final = 60


class Doing(NamedTuple):
    """One training connection and its exercise (a known slug, or None where it names none)."""

    user: str
    exercise: str | None


class Bucket(NamedTuple):
    """One minute (its beginning in Unix seconds): people training, and people per exercise in steps from k on."""

    minute_s: int
    training: int
    exercises: Mapping[str, int]


class Trainers:
    """The training connections of one gateway process, and who of them is still to be told for this minute."""

    __slots__ = ("_all", "_due", "_minute")

    def __init__(self) -> None:
        self._all: dict[str, Doing] = {}
        self._due: dict[str, Doing] = {}
        self._minute = 0

    def trains(self, connection: str, user: str, exercise: str | None) -> None:
        """A heartbeat that says training; the newest one holds."""
        known = self._all.get(connection)
        if known is None or known.exercise != exercise or known.user != user:
            self._all[connection] = self._due[connection] = Doing(user, exercise)

    def stops(self, connection: str) -> None:
        """It trains no more, or is gone. What was told of its minute stays."""
        if self._all.pop(connection, None) is not None:
            self._due.pop(connection, None)

    def take(self, minute: int) -> dict[str, Doing]:
        """At most NOW_PEOPLE_PER_TICK_MAX to be told of `minute` (Unix minutes); a new minute begins with everybody."""
        if minute != self._minute:
            self._minute = minute
            self._due = dict(self._all)
        taken: dict[str, Doing] = {}
        while self._due and len(taken) < NOW_PEOPLE_PER_TICK_MAX:
            connection, doing = self._due.popitem()
            taken[connection] = doing
        return taken

    def give_back(self, taken: Mapping[str, Doing]) -> None:
        """Redis did not answer: those that still train the same are told again."""
        self._due |= {connection: doing for connection, doing in taken.items() if self._all.get(connection) == doing}


def published_key(minute: int) -> str:
    """What readers see of a minute (Unix minutes)."""
    return f"now:exercise:{{{minute}}}"


def shown(count: int, least: int) -> int:
    """What is shown of `count` people doing the same: nothing below `least`, then steps; everything where it is 1."""
    if least <= 1:
        return count
    return max((step for step in (least, *STEPS) if least <= step <= count), default=0)


def _people_key(minute: int, exercise: str | None) -> str:
    return f"now:people:{{{minute}}}" + (f":{exercise}" if exercise is not None else "")


def _names_key(minute: int) -> str:
    return f"now:names:{{{minute}}}"


class TrainingStore:
    """The raw people of a minute in Redis. Every method may raise RedisError, OSError or TimeoutError."""

    def __init__(self, redis: RedisClient, partitions: int) -> None:
        # The client's types cover text and bytes answers; ours are always bytes.
        self._redis = redis
        self._partitions = partitions
        self._records = [partition_keys(n)[2] for n in range(partitions)]

    async def tell(self, minute: int, doings: Iterable[Doing]) -> None:
        """Counts those of them that may be counted; again is the same as once."""
        by_user: dict[str, set[str]] = {}
        for user, exercise in doings:
            by_user.setdefault(user, set()).update(() if exercise is None else (exercise,))
        people: dict[str | None, list[str]] = defaultdict(list)
        for user, contribution in (await self._contributions(by_user)).items():
            if contribution.audience == "e" and contribution.state == "t":
                people[None].append(user)
                if contribution.settled == "s":
                    for exercise in by_user[user]:
                        people[exercise].append(user)
        if not people:
            return
        pipe = self._redis.pipeline(transaction=False)
        for doing, users in people.items():
            key = _people_key(minute, doing)
            for chunk in chunks(users):
                pipe.pfadd(key, *chunk)
            pipe.expire(key, NOW_RAW_S)
        names = [exercise for exercise in people if exercise is not None]
        if names:
            pipe.sadd(_names_key(minute), *names)
            pipe.expire(_names_key(minute), NOW_RAW_S)
        await pipe.execute()

    async def render(self, minute: int, least: int) -> Bucket:
        """Counts a minute, applies the k-rule and stores what readers may see for NOW_KEPT_S."""
        names = sorted(name.decode() for name in await self._redis.smembers(_names_key(minute)))
        pipe = self._redis.pipeline(transaction=False)
        pipe.pfcount(_people_key(minute, None))
        for name in names:
            pipe.pfcount(_people_key(minute, name))
        training, *counts = await pipe.execute()
        levels = {name: shown(int(count), least) for name, count in zip(names, counts, strict=True)}
        bucket = Bucket(minute * MINUTE_S, int(training), {name: level for name, level in levels.items() if level})
        if training:
            stored = orjson.dumps({"training": bucket.training, "exercises": bucket.exercises})
            await self._redis.set(published_key(minute), stored, ex=NOW_KEPT_S)
        return bucket

    async def _contributions(self, users: Iterable[str]) -> dict[str, Contribution]:
        by_partition: dict[int, list[str]] = defaultdict(list)
        for user in users:
            by_partition[partition_of(user, self._partitions)].append(user)
        asked: list[str] = []
        pipe = self._redis.pipeline(transaction=False)
        for partition, group in by_partition.items():
            for chunk in chunks(group):
                asked += chunk
                pipe.hmget(self._records[partition], chunk)
        records = [record for answer in await pipe.execute() for record in answer]
        return {user: _contribution(record) for user, record in zip(asked, records, strict=True) if record}


async def buckets(redis: RedisClient, minutes: int) -> list[Bucket]:
    """The last `minutes` by Redis' clock, oldest first; raises RedisError, OSError or TimeoutError."""
    unix_s, _ = await redis.time()
    wanted = range(unix_s // MINUTE_S - minutes + 1, unix_s // MINUTE_S + 1)
    pipe = redis.pipeline(transaction=False)
    for minute in wanted:
        pipe.get(published_key(minute))
    answers: Sequence[bytes | None] = await pipe.execute()
    return [_bucket(minute, stored) for minute, stored in zip(wanted, answers, strict=True)]


def _bucket(minute: int, stored: bytes | None) -> Bucket:
    if stored is None:
        return Bucket(minute * MINUTE_S, 0, {})
    read: dict[str, Any] = orjson.loads(stored)
    return Bucket(minute * MINUTE_S, read["training"], read["exercises"])


def _contribution(record: bytes) -> Contribution:
    cell, flags, *_ = record.decode().split(" ", 2)
    return Contribution(cell, *flags)
