"""Who waits for an answer: each ask begins and ends once, whatever happens to its reader, and impossible steps fail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rt.channels.asks import Asks, Joining, Parting, Reader, UnderWay
from rt.feed.positions import Position

HERE = Position("e", 7)
STEPS = ("join", "join", "recover", "part", "answer", "recover", "told", "again", "ended", "line", "restart")


class Ear:
    """A reader that hears nothing."""

    def send(self, _data: bytes) -> None:
        """Nothing."""

    def part_due(self) -> None:
        """Nothing."""


def count(asks: Asks, reader: Reader) -> int:
    """How many asks there really are of this one."""
    return len(asks._lines.get(reader, ())) + (reader in asks._recovering)


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 1)), min_size=30, max_size=80))
def test_what_is_under_way_is_what_there_is(steps: list[tuple[str, int]]) -> None:
    """Seen failing with `read_again` that counted anew, with `end_line` and `restart` that did not count, and with an
    empty line that stayed (somebody waits, and nobody does)."""
    under_way, ears = UnderWay(), [Ear(), Ear()]
    asks = Asks(under_way)
    for step, number in steps:
        ear = ears[number]
        ask, recovers = asks.next(ear), asks.recovers_by(ear)
        match step:
            case "join":
                asks.wait(Joining(ear, number, HERE, 0.0))
            case "part":
                asks.wait(Parting(ear, number))
            case "answer" if ask is not None:
                asks.end_next(ear)
            case "recover" if isinstance(ask, Joining):
                asks.recover(ask)
            case "told" if recovers is not None:
                asks.told(ear, HERE)
            case "again" if recovers is not None:
                asks.read_again(ear, 1.0)
                assert asks.next(ear) == (recovers._replace(deadline=1.0) if recovers.told else recovers)
            case "ended":
                asks.end_recovery(ear)
            case "line":
                asks.end_line(ear)
            case "restart":
                told = [join.reader for join in asks.recovering() if join.told]
                assert asks.restart() == told
                assert not asks.recovering()
        assert [under_way.of(ear) for ear in ears] == [count(asks, ear) for ear in ears]
        assert under_way.total == sum(count(asks, ear) for ear in ears)
        assert bool(asks) == bool(under_way.total)
        assert set(asks.readers) == {ear for ear in ears if asks.last(ear) is not None}
    for ear in ears:
        asks.end_recovery(ear)
        asks.end_line(ear)
    assert (under_way.total, under_way._of, bool(asks)) == (0, {}, False)


def test_a_step_that_cannot_be_is_refused() -> None:
    """Seen failing without the look at whose turn it is: the second of a line was told before the first was."""
    asks, ear = Asks(UnderWay()), Ear()
    with pytest.raises(LookupError):
        asks.end_next(ear)
    with pytest.raises(LookupError):
        asks.told(ear, HERE)
    first, second = Joining(ear, 1, None, 0.0), Joining(ear, 2, HERE, 0.0)
    asks.wait(first)
    asks.wait(second)
    with pytest.raises(LookupError):
        asks.recover(second)
    asks.recover(first)
    with pytest.raises(LookupError):
        asks.end_next(ear)
    with pytest.raises(LookupError):
        asks.recover(second)
