"""The Python client's rules: when it comes back, what it draws, what it does first, and the hook of a lost place."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from loadtest.client.closes import backoff_s, may_return
from loadtest.client.subscription import Subscription
from loadtest.client.tiles import Tiles
from loadtest.client.timers import Timers

PLACE = {"epoch": "e", "offset": 40}


def subscribed(recovered: bool | None, offset: int, *missed: int) -> dict[str, Any]:
    events = [{"offset": number, "event": {"id": number}} for number in missed]
    kind = {"type": "subscribed", "channel": "community", "epoch": "e"}
    return {**kind, "offset": offset, "recovered": recovered, "events": events}


def test_it_comes_back_from_what_the_protocol_lists() -> None:
    back = [1001, 1006, 1011, 1012, 1013, 4000, 4001, 4002, 4009, 4499]
    never = [1000, 1002, 1003, 1007, 1009, 4500, 4501, 4503, 4505, 4999]
    assert [code for code in (*back, *never) if may_return(code)] == back


@given(attempt=st.integers(0, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_the_way_back_is_jittered_and_bounded(attempt: int, chance: float) -> None:
    assert 0 <= backoff_s(attempt, chance) <= min(30, 2**attempt if attempt < 10 else 30)


def test_a_place_that_is_too_old_is_the_apps_to_load_again() -> None:
    """State plus position from the app, then live. Seen failing with `lost` called beside `state`."""
    heard: list[int] = []
    asked: list[Any] = []
    lost: list[Any] = []

    def state(since: Any) -> dict[str, Any]:
        asked.append(since)
        return dict(PLACE)

    one = Subscription("community", event=lambda _event, at: heard.append(at), lost=lost.append, state=state)
    assert one.question()["since"] == PLACE
    assert not one.receive(subscribed(True, 42, 41, 42))
    assert one.receive(subscribed(False, 900))  # it is to be asked for again,
    assert not one.receive({"type": "event", "offset": 901, "event": {}})  # and nothing is handed on meanwhile
    assert one.question()["since"] == PLACE
    assert (heard, asked, lost) == ([41, 42], [None, {"epoch": "e", "offset": 42}], [])


def test_without_that_hook_it_is_told_and_goes_on_from_now() -> None:
    lost: list[Any] = []
    one = Subscription("community", since=dict(PLACE), lost=lost.append)
    one.receive(subscribed(False, 900))
    assert lost == [{"epoch": "e", "offset": 900}]
    assert one.position == {"epoch": "e", "offset": 900}


def test_a_token_that_ran_out_is_fetched_anew_and_a_refusal_is_the_end() -> None:
    tokens: list[bool] = []
    refused: list[str | None] = []

    def token(expired: bool) -> str:
        tokens.append(expired)
        return "t"

    one = Subscription("profile:1", token=token, refused=refused.append)
    one.question()
    assert one.receive({"type": "unsubscribed", "channel": "profile:1", "reason": "token_expired"})
    one.question()
    assert not one.receive({"type": "unsubscribed", "channel": "profile:1", "reason": "not_allowed"})
    assert (tokens, refused, one.ended) == ([False, True], ["not_allowed"], True)


def test_a_digest_moves_the_place_and_a_hole_asks_again() -> None:
    digests: list[Any] = []
    one = Subscription("community", digest=digests.append)
    one.receive(subscribed(None, 10))
    assert not one.receive({"type": "digest", "from": 11, "to": 30, "counts": {}})
    assert one.receive({"type": "event", "offset": 33, "event": {}})
    assert ([digest["to"] for digest in digests], one.position) == ([30], {"epoch": "e", "offset": 30})


def test_a_map_that_missed_a_change_waits_for_a_whole_one() -> None:
    """Seen failing with a change drawn over a hole."""
    tiles = Tiles()

    def change(version: int, cells: list[Any], *, whole: bool = False) -> bool:
        return tiles.receive({"tile": "t", "version": version, "whole": whole, "resolution": 2, "cells": cells})

    assert not change(1, [["a", 1]], whole=True)  # of a tile that is not shown
    tiles.show(2, ["t"])
    assert not change(1, [["a", 1]])
    assert change(5, [["a", 1], ["b", 0]], whole=True)
    assert change(6, [["a", 0], ["c", 4]])
    assert not change(6, [["c", 9]])
    assert not change(8, [["d", 1]])
    assert not change(9, [["d", 1]])
    assert tiles.cells() == {"c": 4}
    assert change(10, [["e", 2]], whole=True)
    assert tiles.cells() == {"e": 2}


def test_what_is_due_is_done_once_and_in_its_time() -> None:
    done: list[str] = []
    timers = Timers()
    timers.set("a", 10, lambda: done.append("a"))
    timers.set("b", 12, lambda: timers.set("a", 20, lambda: done.append("again")))
    assert timers.wait_s(7, 30) == 3
    timers.run(12)
    assert (done, timers.wait_s(12, 30), timers.wait_s(40, 30)) == (["a"], 8, 0)
    timers.clear("a")
    timers.run(99)
    assert done == ["a"]
