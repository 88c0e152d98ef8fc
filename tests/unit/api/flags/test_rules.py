"""For whom a flag is on."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from api.flags.rules import DEFAULTS, FLAGS, UNSET, State, Why, decide, person, place
from rt.wire.flags import CHANGED, decode_flags, encode_flags

PEOPLE = [str(UUID(int=n)) for n in range(2_000)]
KEY = "challenges"


def having(percent: float, key: str = KEY) -> set[str]:
    return {user for user in PEOPLE if decide(key, False, State(percent=percent), user)[0]}


def test_a_percentage_that_grows_keeps_whom_it_had() -> None:
    """Seen failing with the percentage in what is hashed."""
    before: set[str] = set()
    for percent in (0, 0.5, 1, 10, 33.3, 50, 99, 100):
        now = having(percent)
        assert before <= now
        assert abs(len(now) - percent / 100 * len(PEOPLE)) < 0.05 * len(PEOPLE)
        before = now
    assert having(0) == set()
    assert having(100) == set(PEOPLE)


def test_another_flag_chooses_others() -> None:
    """Seen failing with the user alone hashed."""
    assert 0.12 < len(having(40) & having(40, "other")) / len(PEOPLE) < 0.2  # 0.4 × 0.4; all of them: 0.4


@given(user=st.uuids().map(str))
def test_a_place_is_the_same_for_ever(user: str) -> None:
    assert place(KEY, user) == place(KEY, user)
    assert 0 <= place(KEY, user) < 100


def test_the_order_of_what_decides() -> None:
    """Seen failing with the allowed before the denied."""
    ann, bob = PEOPLE[:2]
    both = State(True, 0.0, frozenset({person(ann), person(bob)}), frozenset({person(bob)}))
    assert decide(KEY, True, both, ann) == (True, Why.NAMED)
    assert decide(KEY, True, both, bob) == (False, Why.NAMED)
    assert decide(KEY, True, both, PEOPLE[2]) == (False, Why.PERCENT)
    assert decide(KEY, False, both, None) == (True, Why.SET)  # nobody is in no percentage
    assert decide(KEY, False, State(percent=100.0), None) == (False, Why.DEFAULT)
    assert decide(KEY, True, UNSET, ann) == (True, Why.DEFAULT)


def test_a_flag_keeps_no_id() -> None:
    assert PEOPLE[0] not in person(PEOPLE[0])
    assert len(person(PEOPLE[0])) == 32


def test_each_flag_says_what_it_switches() -> None:
    assert len(DEFAULTS) == len(FLAGS)
    assert all(flag.meaning for flag in FLAGS)


@given(on=st.dictionaries(st.text("abc-", max_size=9), st.booleans(), max_size=3))
def test_gateways_read_what_was_written(on: dict[str, bool]) -> None:
    assert decode_flags(encode_flags(on)) == on


@given(payload=st.binary(max_size=40) | st.sampled_from([CHANGED, b'{"t":"flags","on":[]}', b'{"t":"flags"}', b"[]"]))
def test_and_nothing_else(payload: bytes) -> None:
    assert decode_flags(payload) is None


def test_what_is_no_switch_is_left_out() -> None:
    assert decode_flags(b'{"t":"flags","on":{"a":true,"b":1,"c":"yes"}}') == {"a": True}
