"""Compares what a partition counts with what its members say it must count. Pure."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from rt.presence.members import Contribution, Value, by_user, contribution, count


class Snapshot(NamedTuple):
    """One partition at one instant: the hashes as they are, and the connections of the sorted set."""

    meta: Mapping[str, str]
    users: Mapping[str, str]
    bucket: Mapping[str, int]
    settled: Mapping[str, int]
    totals: Mapping[str, int]
    scored: frozenset[str]


class Differences(NamedTuple):
    """What is wrong: (kind, field, difference to add) of counts, and users whose record must be derived again."""

    counts: list[tuple[str, str, int]]
    users: dict[str, list[str]]
    orphans: list[str]  # connections with a time and no member

    @property
    def size(self) -> int:
        return len(self.counts) + len(self.users) + len(self.orphans)


def compare(snapshot: Snapshot) -> Differences:
    """Counts against records, records against members, members against the sorted set."""
    records = {user: _record(text) for user, text in snapshot.users.items()}
    should = count(one for one, _ in records.values())
    corrections = [
        *_corrections("b", should.bucket, snapshot.bucket),
        *_corrections("s", should.settled, snapshot.settled),
        *_corrections("t", Counter(users=should.users, training=should.training), snapshot.totals),
    ]
    members = by_user(snapshot.meta)
    wrong: dict[str, list[str]] = {
        user: list(connections)
        for user, connections in members.items()
        if not _agrees(records.get(user), connections) or not snapshot.scored.issuperset(connections)
    }
    wrong.update({user: [] for user in records.keys() - members.keys()})
    orphans = [connection for connection in snapshot.scored if connection not in snapshot.meta]
    return Differences(corrections, wrong, orphans)


def _agrees(record: tuple[Contribution, frozenset[str]] | None, connections: Mapping[str, Value]) -> bool:
    return record is not None and record == (contribution(connections.values()), frozenset(connections))


def _record(text: str) -> tuple[Contribution, frozenset[str]]:
    cell, flags, *connections = text.split(" ")
    return Contribution(cell, *flags), frozenset(connections)


def _corrections(kind: str, should: Counter[str], has: Mapping[str, int]) -> list[tuple[str, str, int]]:
    return [
        (kind, field, should[field] - has.get(field, 0))
        for field in should.keys() | has.keys()
        if should[field] != has.get(field, 0)
    ]
