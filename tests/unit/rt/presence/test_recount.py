"""What a recount finds wrong."""

from rt.presence.recount import Snapshot, compare

CELL = "871fb4670ffffff"
META = {"a": f"u g 1 {CELL} tes", "b": "u g 0 - oes", "c": f"w g 1 {CELL} oeu"}
USERS = {"u": f"{CELL} tes a b", "w": f"{CELL} oeu c"}
GOOD = Snapshot(META, USERS, {CELL: 2}, {CELL: 1}, {"users": 2, "training": 1}, frozenset("abc"))


def test_a_whole_partition_has_no_differences() -> None:
    assert compare(GOOD).size == 0


def test_counts_are_corrected_by_their_difference() -> None:
    wrong = GOOD._replace(bucket={CELL: 5, "x": 1}, settled={}, totals={"users": 1, "training": 1})
    assert set(compare(wrong).counts) == {("b", CELL, -3), ("b", "x", -1), ("s", CELL, 1), ("t", "users", 1)}


def test_records_that_do_not_match_the_members_are_derived_again() -> None:
    wrong = compare(GOOD._replace(users={"u": f"{CELL} oes a", "v": "- oes z"}))
    assert wrong.users == {"u": ["a", "b"], "v": [], "w": ["c"]}


def test_members_without_a_time_and_times_without_a_member_are_found() -> None:
    wrong = compare(GOOD._replace(scored=frozenset("abz")))
    assert wrong.users == {"w": ["c"]}
    assert wrong.orphans == ["z"]
