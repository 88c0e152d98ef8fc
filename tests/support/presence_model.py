"""A model of one presence partition in plain Python, and a driver that runs the real Lua beside it.

Steps go to the server in pipelines; each answer is compared with the model's, and at the end of a batch the whole
partition, counts included, with what the model says.
"""

import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import redis

from rt.presence.members import Member, Value, contribution, count, pack, unpack, visible_state
from rt.presence.recount import Snapshot, compare
from rt.presence.store import partition_keys, partition_script

TTL_S: Final = 100_000
TERM: Final = 7
HOUR_MS: Final = 3_600_000
CELLS: Final = ("", "871fb4670ffffff", "871fb4671ffffff", "871fb4672ffffff", "871f1d488ffffff")
GATEWAYS: Final = ("gw-a.0", "gw-b.0", "gw-c.3")
PARTITION: Final = 3
KEYS: Final = partition_keys(PARTITION)

SCRIPTS: Final = {
    name: partition_script(name).source for name in ("apply", "touch", "close", "leave", "reap", "take", "repair")
}


@dataclass(frozen=True)
class Step:
    """One script call: `kind` and its members or connections."""

    kind: str  # apply, touch, close, expire, leave, sweep, reap, take, wipe
    members: tuple[tuple[Member, str], ...] = ()  # with their gateways
    connections: tuple[str, ...] = ()
    gateway: str = ""


@dataclass
class Model:
    """What the partition must hold: connection -> value, and which of them have run out of time."""

    values: dict[str, Value] = field(default_factory=dict)
    expired: set[str] = field(default_factory=set)
    mirror: dict[str, tuple[int, int]] = field(default_factory=dict)  # of an aggregator that takes only changes

    def states(self) -> dict[str, str]:
        return {user: visible_state(contribution(values)) for user, values in self._users().items()}

    def _users(self) -> dict[str, list[Value]]:
        users: dict[str, list[Value]] = {}
        for value in self.values.values():
            users.setdefault(value.user, []).append(value)
        return users

    def counts(self) -> Any:
        return count(contribution(values) for values in self._users().values())

    def step(self, step: Step) -> Any:
        """Applies the step; returns what the script must answer (None: not compared)."""
        before = self.states()
        match step.kind:
            case "apply":
                for member, gateway in step.members:
                    self.values[member.connection] = unpack(pack(member, gateway))
                    self.expired.discard(member.connection)
            case "touch":
                self.expired.difference_update(step.connections)
                return sorted({c for c in step.connections if c not in self.values})
            case "close":
                return 0
            case "expire":
                self.expired.update(c for c in step.connections if c in self.values)
                return 0
            case "leave":
                self._drop(step.connections)
            case "sweep":
                self._drop([c for c in step.connections if c in self.values and self._gateway(c) == step.gateway])
            case "reap":
                self._drop(list(self.expired))
            case "wipe":
                self.values.clear()
                self.expired.clear()
                self.mirror.clear()
                return None
            case _:
                return None
        after = self.states()
        users = before.keys() | after.keys()
        seen = {user: (before.get(user, "offline"), after.get(user, "offline")) for user in users}
        return {user: new for user, (old, new) in seen.items() if old != new}

    def _gateway(self, connection: str) -> str:
        return self.values[connection].gateway

    def _drop(self, connections: Iterable[str]) -> None:
        for connection in connections:
            self.values.pop(connection, None)
            self.expired.discard(connection)


class Driver:
    """Runs steps on the real scripts and compares."""

    def __init__(self, url: str) -> None:
        self.redis: Any = redis.Redis.from_url(url, protocol=2)
        self.shas = {name: self.redis.script_load(source) for name, source in SCRIPTS.items()}
        self.model = Model()
        self.steps = 0

    def close(self) -> None:
        self.redis.close()

    def clear(self) -> None:
        self.redis.delete(*KEYS)
        self.model = Model()

    def run(self, steps: Sequence[Step]) -> None:
        """One pipeline, then one comparison of everything."""
        pipe = self.redis.pipeline(transaction=False)
        for step in steps:
            self._queue(pipe, step)
        answers = pipe.execute()
        for step, answer in zip(steps, answers, strict=True):
            expected = self.model.step(step)
            if step.kind == "take":
                self._mirror(answer)
            elif step.kind == "touch":
                assert sorted(set(_texts(answer))) == expected, step
            elif expected is not None and step.kind not in ("close", "expire"):
                words = _texts(answer[2:] if step.kind == "reap" else answer)
                told = dict(zip(words[::2], words[1::2], strict=True))
                assert told == expected, step
                assert len(told) * 2 == len(words), "a user was announced twice in one call"
        self.steps += len(steps)
        self.check()

    def check(self) -> None:
        """The partition is what the model says, and what its own recount says."""
        snapshot = self.snapshot()
        assert {c: unpack(v) for c, v in snapshot.meta.items()} == self.model.values
        assert compare(snapshot).size == 0, compare(snapshot)
        counts = self.model.counts()
        assert dict(snapshot.bucket) == {c: n for c, n in counts.bucket.items() if n}
        assert dict(snapshot.settled) == {c: n for c, n in counts.settled.items() if n}
        assert snapshot.totals.get("users", 0) == counts.users
        assert snapshot.totals.get("training", 0) == counts.training
        while answer := self.redis.evalsha(self.shas["take"], 8, *KEYS, TERM, 3):
            self._mirror(answer)
        cells = counts.bucket.keys() | counts.settled.keys()
        assert {c: v for c, v in self.model.mirror.items() if v != (0, 0)} == {
            c: (counts.bucket[c], counts.settled[c]) for c in cells
        }

    def snapshot(self) -> Snapshot:
        scored = frozenset(_texts(self.redis.zrange(KEYS[0], 0, -1)))
        meta, users, bucket, settled, totals = (
            {k.decode(): v.decode() for k, v in self.redis.hgetall(key).items()} for key in KEYS[1:6]
        )
        return Snapshot(meta, users, _numbers(bucket), _numbers(settled), _numbers(totals), scored)

    def _mirror(self, answer: list[bytes]) -> None:
        words = _texts(answer)
        for cell, users, settled in zip(words[::3], words[1::3], words[2::3], strict=True):
            self.model.mirror[cell] = (int(users), int(settled))

    def _queue(self, pipe: Any, step: Step) -> None:
        match step.kind:
            case "apply":
                args: list[Any] = []
                for member, gateway in step.members:
                    args += (member.connection, member.ttl_s * 1_000, pack(member, gateway))
                pipe.evalsha(self.shas["apply"], 8, *KEYS, *args)
            case "touch" | "close":
                pipe.evalsha(self.shas[step.kind], 8, *KEYS, TTL_S * 1_000, *step.connections)
            case "expire":
                pipe.evalsha(self.shas["close"], 8, *KEYS, 0, *step.connections)
            case "leave":
                pipe.evalsha(self.shas["leave"], 8, *KEYS, 0, "", *step.connections)
            case "sweep":
                pipe.evalsha(self.shas["leave"], 8, *KEYS, TERM, step.gateway, *step.connections)
            case "reap":
                pipe.evalsha(self.shas["reap"], 8, *KEYS, TERM, 100, time.time_ns() // 1_000_000, HOUR_MS)
            case "take":
                pipe.evalsha(self.shas["take"], 8, *KEYS, TERM, 2)
            case _:
                pipe.delete(*KEYS)


def member(connection: int, cell: str, placed: int, state: str, audience: str, *, settled: bool) -> Member:
    """The connection with this number; three connections share a user."""
    return Member(
        f"c{connection}",
        f"user-{connection // 3}",
        cell,
        placed if cell else 0,
        "training" if state == "t" else "online",
        {"e": "everyone", "f": "followers", "n": "nobody"}[audience],  # type: ignore[arg-type]
        settled,
        TTL_S,
    )


def random_step(rng: random.Random, connections: int, cells: Sequence[str] = CELLS) -> Step:
    """A step of a world with so many connections; repeats and strangers included."""
    some = tuple(f"c{rng.randrange(connections)}" for _ in range(rng.randint(1, 8)))
    kind = rng.choices(
        ("apply", "touch", "close", "expire", "leave", "sweep", "reap", "take", "wipe"),
        (40, 12, 8, 10, 8, 4, 8, 8, 0.2),
    )[0]
    if kind == "apply":
        members = tuple(
            (
                member(
                    rng.randrange(connections),
                    rng.choice(cells),
                    rng.randrange(5),
                    rng.choice("ot"),
                    rng.choice("eeefn"),
                    settled=rng.random() < 0.7,
                ),
                rng.choice(GATEWAYS),
            )
            for _ in range(rng.randint(1, 8))
        )
        return Step(kind, members)
    if kind == "sweep":
        return Step(
            kind, connections=tuple(f"c{n}" for n in range(min(connections, 100))), gateway=rng.choice(GATEWAYS)
        )
    return Step(kind, connections=some)


def _texts(words: Iterable[bytes]) -> list[str]:
    return [word.decode() for word in words]


def _numbers(hash_: dict[str, str]) -> dict[str, int]:
    return {key: int(value) for key, value in hash_.items()}
