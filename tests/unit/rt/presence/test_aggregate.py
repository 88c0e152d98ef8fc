"""Rolling up, filtering and cutting into tiles, a change at a time."""

import random
from collections import Counter

from h3.api import basic_int as h3
from hypothesis import given, settings
from hypothesis import strategies as st

from config.limits import MAP_WHOLE_S
from rt.presence.aggregate import BANDS, Aggregate, TileChange, TileKey
from rt.presence.privacy import Rule, band_of
from rt.presence.rules import RESOLUTIONS, tile_resolution

K = (5, 10, 20)
RULE = Rule(K, b"secret")
CENTRE = h3.latlng_to_cell(52.52, 13.4, 7)
CELLS = [*sorted(h3.cell_to_children(h3.cell_to_parent(CENTRE, 5), 7))[:20], h3.latlng_to_cell(48.1, 11.6, 7)]
NOW = 1_700_000_000.0

_updates = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(CELLS), st.integers(0, 60), st.integers(0, 60)), max_size=60
)


def _tick(aggregate: Aggregate, now: float) -> list[TileChange]:
    return [change for band in (2, 1, 0) for change in aggregate.tick(band, now)]


@settings(deadline=None, derandomize=True, database=None)
@given(_updates, st.integers(1, 7))
def test_changes_applied_by_a_client_make_the_state_and_never_show_fewer_than_k(
    updates: list[tuple[int, int, int, int]], ticks: int
) -> None:
    """Seen failing with roll-up by settled users in the live band and with a version that does not grow."""
    aggregate = Aggregate(RULE, 2)
    truth: dict[tuple[int, int], tuple[int, int]] = {}
    client: dict[TileKey, tuple[int, dict[str, int]]] = {}
    for at, (partition, cell, users, settled) in enumerate(updates):
        truth[partition, cell] = (users, min(users, settled))
        aggregate.update(partition, {cell: truth[partition, cell]})
        if at % ticks == 0:
            _hear(client, _tick(aggregate, NOW + at))
    _hear(client, _tick(aggregate, NOW + len(updates)))
    assert {key: state for key, (_, state) in client.items()} == {k: s.cells for k, s in aggregate.tiles.items()}
    for resolution in RESOLUTIONS:
        people: Counter[int] = Counter()
        for (_, cell), (users, settled) in truth.items():
            people[h3.cell_to_parent(cell, resolution)] += users if resolution <= 3 else settled
        shown = _shown(aggregate, resolution)
        k = K[band_of(resolution)]
        assert all(people[cell] >= k for cell in shown if resolution == 7)
        for cell, count in people.items():
            finer = {} if resolution == 7 else _shown(aggregate, resolution + 1)
            if not any(h3.cell_to_parent(child, resolution) == cell for child in finer):
                assert (cell in shown) <= (count >= k)
                assert (cell in shown) >= (count >= k + k // 2)


def test_the_history_of_a_count_does_not_matter_for_the_sums() -> None:
    """Incremental sums equal those of a fresh load, whatever came before."""
    rng = random.Random(5)
    walked, fresh = Aggregate(RULE, 3), Aggregate(RULE, 3)
    last: list[dict[int, tuple[int, int]]] = [{}, {}, {}]
    for _ in range(500):
        partition, cell, users = rng.randrange(3), rng.choice(CELLS), rng.randrange(40)
        walked.update(partition, {cell: (users, users // 2)})
        last[partition][cell] = (users, users // 2)
    for partition in range(3):
        fresh.load(partition, last[partition])
        walked.load(partition, last[partition])
    assert walked._counts == fresh._counts
    for partition in range(3):
        walked.load(partition, {})
    assert not any(walked._counts.values())
    _tick(walked, NOW)
    assert not any(state.cells for state in walked.tiles.values())


def test_a_difference_of_a_few_is_not_in_the_parent() -> None:
    """Zoom subtraction: 60 people in one cell, 3 beside it in the same parent; the parent counts 60."""
    aggregate = Aggregate(RULE, 1)
    beside = next(c for c in h3.cell_to_children(h3.cell_to_parent(CENTRE, 6), 7) if c != CENTRE)
    aggregate.update(0, {CENTRE: (60, 60), beside: (3, 3)})
    _tick(aggregate, NOW)
    assert {r: aggregate._bases[r] for r in RESOLUTIONS} == {r: {h3.cell_to_parent(CENTRE, r): 60} for r in RESOLUTIONS}
    aggregate.update(0, {beside: (19, 19)})
    _tick(aggregate, NOW)
    assert aggregate._bases[6] == {h3.cell_to_parent(CENTRE, 6): 60}
    aggregate.update(0, {beside: (40, 40)})
    _tick(aggregate, NOW)
    assert aggregate._bases[6] == {h3.cell_to_parent(CENTRE, 6): 100}


def test_a_parent_looks_again_when_its_children_are_shown_later() -> None:
    """The bands have ticks of their own. Seen failing with a parent that is not told."""
    aggregate = Aggregate(RULE, 1)
    fours = h3.cell_to_children(h3.cell_to_parent(CENTRE, 3), 4)
    beside = h3.cell_to_center_child(next(four for four in fours if four != h3.cell_to_parent(CENTRE, 4)), 7)
    aggregate.update(0, {CENTRE: (60, 60), beside: (3, 3)})
    aggregate.tick(0, NOW)
    assert aggregate._bases[3] == {h3.cell_to_parent(CENTRE, 3): 63}
    _tick(aggregate, NOW + 60)
    assert aggregate._bases[3] == {h3.cell_to_parent(CENTRE, 3): 60}


def test_unsettled_people_are_only_in_the_live_resolutions() -> None:
    aggregate = Aggregate(RULE, 1)
    aggregate.update(0, {CENTRE: (100, 0)})
    _tick(aggregate, NOW)
    assert [bool(_shown(aggregate, resolution)) for resolution in RESOLUTIONS] == [True, True] + [False] * 4


def test_every_tile_comes_whole_once_in_its_time_and_empty_ones_are_forgotten() -> None:
    aggregate = Aggregate(RULE, 1)
    aggregate.update(0, {CENTRE: (100, 100)})
    _tick(aggregate, NOW)
    seen: Counter[TileKey] = Counter()
    for second in range(MAP_WHOLE_S):
        whole, gone = aggregate.wholes(NOW + second)
        assert not gone
        seen.update(change.key for change in whole)
        assert all(change.whole and change.version == aggregate.tiles[change.key].version for change in whole)
    assert seen == Counter(dict.fromkeys(aggregate.tiles, 1))
    aggregate.load(0, {})
    _tick(aggregate, NOW + 40)
    keys = set(aggregate.tiles)
    _, forgotten = aggregate.wholes(NOW + 100)
    assert set(forgotten) == keys
    assert not aggregate.tiles


def test_a_tile_that_comes_back_is_whole_and_newer() -> None:
    aggregate = Aggregate(RULE, 1)
    aggregate.update(0, {CENTRE: (100, 100)})
    first = {change.key: change.version for change in _tick(aggregate, NOW)}
    aggregate.load(0, {})
    _tick(aggregate, NOW + 1)
    aggregate.wholes(NOW + 30)
    aggregate.wholes(NOW + 60)
    aggregate.update(0, {CENTRE: (100, 100)})
    for change in _tick(aggregate, NOW + 61):
        assert change.whole
        assert change.version > first[change.key] + 1


def test_another_keeper_goes_on_where_the_first_stopped() -> None:
    """Seen failing with a `restore` that forgot the levels: what is gone was shown for ever."""
    first, second = Aggregate(RULE, 1), Aggregate(RULE, 1)
    first.update(0, {CENTRE: (100, 100)})
    _tick(first, NOW)
    second.restore(first.tiles)
    second.load(0, {})
    changes = _tick(second, NOW + 5)
    assert {change.key: change.version for change in changes} == {k: s.version + 1 for k, s in first.tiles.items()}
    assert all(count == 0 for change in changes for _, count in change.cells)


def _shown(aggregate: Aggregate, resolution: int) -> dict[int, int]:
    return {
        int(cell, 16): level
        for key, state in aggregate.tiles.items()
        if key.resolution == resolution
        for cell, level in state.cells.items()
    }


def _hear(client: dict[TileKey, tuple[int, dict[str, int]]], changes: list[TileChange]) -> None:
    """What a client does with `map` messages."""
    for key, version, whole, cells in changes:
        assert all(
            int(h3.cell_to_parent(int(c, 16), tile_resolution(key.resolution))) == int(key.tile, 16) for c, _ in cells
        )
        assert any(key.resolution in band for band in BANDS)
        if whole:
            client[key] = (version, dict(cells))
            continue
        last, state = client[key]
        assert version == last + 1
        client[key] = (version, {c: n for c, n in {**state, **dict(cells)}.items() if n})


def test_a_cell_that_fell_stays_down_for_a_while_and_its_threshold_is_another_one() -> None:
    """Filling and emptying a cell again and again measures nothing. Seen failing with a cell that rises at once."""
    aggregate = Aggregate(RULE, 1, (0.0, 0.0, 600.0))
    begins = set()
    for round_ in range(12):
        now = NOW + 1_000 * round_
        for count in range(20, 31):
            aggregate.update(0, {CENTRE: (count, count)})
            aggregate.tick(2, now)
            if CENTRE in _shown(aggregate, 7):
                begins.add(count)
                break
        aggregate.update(0, {CENTRE: (0, 0)})
        aggregate.tick(2, now + 1)
        aggregate.update(0, {CENTRE: (40, 40)})
        aggregate.tick(2, now + 600)
        assert CENTRE not in _shown(aggregate, 7)
        aggregate.tick(2, now + 601)  # nothing has changed but the time
        assert CENTRE in _shown(aggregate, 7)
        aggregate.update(0, {CENTRE: (0, 0)})
        aggregate.tick(2, now + 300)
    assert len(begins) >= 3
