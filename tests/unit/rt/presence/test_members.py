"""Packing of members, and what a user with several devices counts for."""

from rt.presence.members import Contribution, Member, Value, contribution, count, pack, unpack, visible_state

CELL, OTHER = "871fb4670ffffff", "871fb4671ffffff"


def _value(placed: int, cell: str, flags: str) -> Value:
    return Value("u", "g", placed, cell, flags)


def test_a_value_survives_packing() -> None:
    member = Member("c", "u-1", CELL, 12, "training", "followers", True, 120)
    assert unpack(pack(member, "gw.0")) == Value("u-1", "gw.0", 12, CELL, "tfs")
    nowhere = Member("c", "u-1", "", 0, "online", "everyone", False, 120)
    assert unpack(pack(nowhere, "gw.0")) == Value("u-1", "gw.0", 0, "-", "oeu")


def test_a_user_is_where_the_newest_place_is_and_trains_if_any_device_says_so() -> None:
    both = [_value(5, CELL, "tes"), _value(9, OTHER, "oes"), _value(0, "-", "oes")]
    assert contribution(both) == Contribution(OTHER, "t", "e", "s")


def test_the_strictest_audience_of_a_users_devices_holds() -> None:
    assert contribution([_value(1, CELL, "oes"), _value(2, CELL, "onu")]) == Contribution(CELL, "o", "n", "u")


def test_only_everyone_is_counted_and_once() -> None:
    counts = count(
        [
            Contribution(CELL, "t", "e", "s"),
            Contribution(CELL, "o", "e", "u"),
            Contribution(CELL, "t", "f", "s"),
            Contribution(CELL, "t", "n", "s"),
            Contribution("-", "o", "e", "s"),
        ]
    )
    assert counts == ({CELL: 2}, {CELL: 1}, 3, 1)


def test_followers_see_everything_but_nobody() -> None:
    assert visible_state(None) == "offline"
    assert visible_state(Contribution(CELL, "t", "n", "s")) == "offline"
    assert visible_state(Contribution(CELL, "t", "f", "s")) == "training"
    assert visible_state(Contribution("-", "o", "e", "s")) == "online"
