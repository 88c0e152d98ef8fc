"""What a load tester counts: each event once, digests and gaps as what they are."""

from typing import Any

from loadtest.client.follower import Follower


def follower(offset: int = 10) -> Follower:
    one = Follower("community")
    one.receive({"type": "subscribed", "epoch": "e", "offset": offset, "recovered": None, "events": []})
    return one


def event(offset: int) -> dict[str, Any]:
    return {"type": "event", "offset": offset, "event": {"id": offset}}


def test_events_are_counted_and_a_hole_once() -> None:
    one = follower()
    assert [len(one.receive(event(n))) for n in (11, 12, 14, 15)] == [1, 1, 0, 0]
    assert (one.seen, one.stale, one.offset) == ({"events": 2, "holes": 1}, True, 12)
    assert one.ask()["since"] == {"epoch": "e", "offset": 12}


def test_a_digest_is_no_hole() -> None:
    """Failed before: the event behind a digest counted as a failure."""
    one = follower()
    one.receive({"type": "digest", "from": 11, "to": 30})
    assert one.receive(event(31)) == [({"id": 31}, 31)]
    assert one.seen == {"digests": 1, "told by digest": 20, "events": 1}


def test_after_a_gap_it_asks_from_its_place() -> None:
    one = follower()
    one.receive({"type": "gap"})
    assert one.stale
    missed = [{"offset": n, "event": {"id": n}} for n in (11, 12)]
    part = {"type": "subscribed", "epoch": "e", "offset": 12, "recovered": True, "events": missed}
    assert [one.receive(part), one.receive(event(13))] == [[({"id": 11}, 11), ({"id": 12}, 12)], [({"id": 13}, 13)]]
    assert one.seen == {"gaps": 1, "recovered": 1, "events": 3}


def test_what_comes_twice_is_a_failure() -> None:
    one = follower()
    assert [len(one.receive(event(n))) for n in (11, 11)] == [1, 0]
    assert one.seen == {"events": 1, "repeated": 1}
