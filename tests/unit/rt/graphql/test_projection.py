"""What readers with the same selection are told together."""

from typing import Any

import orjson

from config.limits import FRAME_BYTES_MAX
from rt.channels.digest import digest
from rt.feed.positions import Position
from rt.graphql import projection
from rt.graphql.projection import Budget, FeedProjection, MapProjection, Projections, Told, gap
from rt.graphql.selection import Field
from rt.map.geometry import bounds, view
from rt.wire import outbound
from rt.wire.bus import event_frame
from rt.wire.frames import payload_of, split_frames, text_frame
from rt.wire.graphql import next_tail
from rt.wire.map import change

FIELD = Field("feed", "communityFeed", (Field("id", "id"), Field("data", "data")))
DATA = '{"feed":{"id":"e%d","data":{"v":1}}}'


def body(number: int, size: int = 0) -> bytes:
    filling = b',"x":"%b"' % (b"x" * size) if size else b""
    return b'{"id":"e%d","v":1,"type":"t","created_at":"c","actor":null,"data":{"v":1%b}}' % (number, filling)


def frame(number: int, size: int = 0) -> bytes:
    return event_frame("community", number, body(number, size))


def made() -> FeedProjection:
    return FeedProjection("community", FIELD, Budget())


def payloads(told: Any) -> list[dict[str, Any]]:
    return [orjson.loads(one) for one in told.payloads]


def test_events_are_written_once_for_all_who_hear_the_same_bytes() -> None:
    """Seen failing with the bytes compared by nothing: everybody had them written anew."""
    feed = made()
    data = b"".join(frame(n) for n in (7, 8))
    told = feed.told(data, "e")
    assert told is not None
    assert told.last == 8
    assert payloads(told) == [
        {"data": orjson.loads(DATA % n), "extensions": {"position": {"epoch": "e", "offset": n}}} for n in (7, 8)
    ]
    assert feed.told(data, "e") is told
    other = feed.told(data, "f")
    assert other is not None
    assert payloads(other)[0]["extensions"]["position"] == {"epoch": "f", "offset": 7}


def test_frames_are_begun_once_for_all_whose_ids_are_as_long() -> None:
    """And each is one whole frame with its own id, whatever is in it."""
    told = Told([b'{"data":1}', b'{"data":"%b"}' % (b"x" * 70_000)], 2)
    for operation in ("1", "2", 'a"\u00fc', "0199a1c2-7d00-7000-8000-00000000abcd"):
        one, two = (orjson.loads(payload_of(part)) for part in split_frames(told.frames(next_tail(operation))))
        assert one == {"type": "next", "payload": {"data": 1}, "id": operation}
        assert (two["id"], len(two["payload"]["data"])) == (operation, 70_000)
    assert Told([], 0).frames(next_tail("1")) == b""


def test_a_digest_is_its_sample_and_says_what_it_stands_for() -> None:
    feed = made()
    told = feed.told(frame(4) + digest("community", 5, [frame(n) for n in range(5, 10)]), "e")
    assert told is not None
    assert told.last == 9
    first, *sample = payloads(told)
    assert first["extensions"] == {"position": {"epoch": "e", "offset": 4}}
    assert [one["data"]["feed"]["id"] for one in sample] == ["e7", "e8", "e9"]
    assert sample[0]["extensions"] == {
        "digest": {"from": 5, "to": 9, "counts": {"t": 5}},
        "position": {"epoch": "e", "offset": 7},
    }
    assert [list(one["extensions"]) for one in sample[1:]] == [["position"]] * 2


def test_what_is_no_run_of_events_is_not_told_here() -> None:
    feed = made()
    assert feed.told(outbound.gap("community"), "e") is None
    assert feed.told(outbound.unsubscribed(None, "community"), "e") is None


def test_what_does_not_fit_into_a_frame_is_a_gap() -> None:
    """Seen failing without the bound: a frame of 512 KiB."""
    twice = Field("feed", "communityFeed", (Field("a", "data"), Field("b", "data")))
    feed = FeedProjection("community", twice, Budget())
    told = feed.told(frame(3, 200_000), "e")
    assert told is not None
    assert payloads(told) == [orjson.loads(gap(Position("e", 2), Position("e", 3)))]
    assert len(told.payloads[0]) < FRAME_BYTES_MAX
    broken = feed.told(text_frame(b'{"type":"event","channel":"community","offset":4,"event":{"id":"x"}}'), "e")
    assert broken is not None
    assert payloads(broken)[0]["extensions"]["gap"]["to"] == {"epoch": "e", "offset": 4}


def test_what_is_kept_for_those_who_come_back_is_bounded(monkeypatch: Any) -> None:
    """Seen failing without KEPT_EVENTS, and with the bytes of a projection that is gone not given back."""
    monkeypatch.setattr(projection, "KEPT_EVENTS", 10)
    monkeypatch.setattr(projection, "KEPT_BYTES_MAX", 1_500)
    budget = Budget()
    one, two = (FeedProjection("community", FIELD, budget) for _ in range(2))
    for offset in range(1, 31):
        assert one.one("e", offset, body(offset)) == one.one("e", offset, body(offset))
    assert len(one._kept) == 10
    for offset in range(1, 31):
        two.one("e", offset, body(offset))
    assert 0 < budget.used <= 1_500
    one.one("f", 1, body(1))  # of another epoch: nothing of before holds
    one.clear()
    two.clear()
    assert budget.used == 0


def test_a_projection_is_shared_by_what_makes_it_the_same() -> None:
    shared = Projections()
    same = Field("feed", "communityFeed", (Field("id", "id"), Field("data", "data")))
    one = shared.feed("community", FIELD)
    assert shared.feed("community", same) is one
    assert shared.feed("user:u1", FIELD) is not one
    shared.give_back(("community", same))
    assert len(shared) == 2
    shared.give_back(("community", FIELD))
    shared.give_back(("user:u1", FIELD))
    assert len(shared) == 0


def test_a_map_is_written_once_and_again_only_when_what_is_selected_has_changed() -> None:
    box = bounds(-180.0, -90.0, 180.0, 90.0)
    tiles = view(box, 2).tiles
    field = Field("map", "presenceMap", (Field("cells", "cells", (Field("cell", "cell"),)),))
    shown = MapProjection(box, 2, field)
    frames = tuple(text_frame(change(2, tile, 1, True, []).text) for tile in tiles)
    first = shown.payload(frames, 5)
    assert orjson.loads(first) == {"data": {"map": {"cells": []}}}
    assert shown.payload(frames, 6) is first  # `online` is not selected
    peopled = (text_frame(change(2, tiles[0], 2, True, [("821fa7fffffffff", 20)]).text), *frames[1:])
    assert orjson.loads(shown.payload(peopled, 6)) == {"data": {"map": {"cells": [{"cell": "821fa7fffffffff"}]}}}
