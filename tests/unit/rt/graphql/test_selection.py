"""Events as a selection tells them, held against graphql-core's own execution of the same document."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from graphql import build_schema, execute_sync, parse
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from api.app import SCHEMA as PRODUCT
from api.sdl import FILE, text
from config.errors import BadInput, RateLimited
from config.graphql.documents import Documents
from rt.graphql import subscriptions
from rt.graphql.kinds import EVENT, MAP, MapTold, event_told, event_writer, map_writer
from rt.graphql.selection import Kind
from rt.graphql.subscriptions import Subscriptions

# The same types below a query, which the library executes to its end.
ORACLE = build_schema(
    FILE.read_text("utf-8").replace("type Query {", "type Query { communityLive: FeedEvent! mapLive: PresenceMap!", 1)
)


@pytest.fixture(scope="module")
def documents() -> Iterator[Subscriptions]:
    """With time for any number of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subscriptions, "DOCUMENTS_BURST_S", 1e9)
        yield Subscriptions()


leaves = st.sampled_from(["id", "type", "createdAt", "data", "cursor", "highFives", "highFived", "__typename"])
actor = st.lists(st.sampled_from(["id", "name", "__typename", "a: name", "b: id"]), min_size=1, max_size=3)


def actors(fields: list[str]) -> str:
    return f"actor {{ {' '.join(fields)} }}"


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, min_size=1, max_size=3).map(" ".join)
    condition = st.sampled_from(["", " @include(if: $on)", " @skip(if: $on)"])
    return st.builds(lambda on, body: f"... on FeedEvent{on} {{ {body} }}", condition, several)


selections = st.lists(st.recursive(leaves | actor.map(actors), nested, max_leaves=6), min_size=1, max_size=5)
texts = st.text(max_size=8)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
bodies = st.fixed_dictionaries(
    {
        "id": texts,
        "v": st.integers(1, 3),
        "type": texts,
        "created_at": texts,
        "actor": st.none() | st.fixed_dictionaries({"id": texts, "name": texts}),
        "data": st.dictionaries(texts, values, max_size=3),
    }
)


def source(body: dict[str, Any], cursor: str) -> dict[str, Any]:
    more = {"createdAt": body["created_at"], "cursor": cursor, "highFives": 0, "highFived": False}
    return body | more


@given(selected=selections, body=bodies, on=st.booleans())
def test_what_is_told_is_what_the_library_says(
    documents: Subscriptions, selected: list[str], body: dict[str, Any], on: bool
) -> None:
    """Order of fields included. Seen failing with `__typename` at the end of an object."""
    document = "subscription($on: Boolean!) { communityFeed { id @include(if: $on) " + " ".join(selected) + " } }"
    try:
        wanted = documents.want(document, None, Raw(orjson.dumps({"on": on})), "premium", signed_in=True)
    except BadInput:
        return  # too many aliases
    told = event_told(orjson.dumps(body), "epoch", 7)
    asked = document.replace("subscription(", "query(").replace("communityFeed", "communityLive", 1)
    result = execute_sync(
        ORACLE, parse(asked), {"communityLive": source(body, told.cursor)}, variable_values={"on": on}
    )
    assert result.errors is None
    assert result.data is not None
    assert event_writer(wanted.field.below)(told) == orjson.dumps(result.data["communityLive"])


def test_a_map_is_told_with_its_cells(documents: Subscriptions) -> None:
    query = (
        "subscription { presenceMap(west: 0, south: 0, east: 1, north: 1, zoom: 3) { n: online cells { count cell } } }"
    )
    wanted = documents.want(query, None, Raw(b"null"), "anonymous", signed_in=False)
    assert wanted.arguments == {"west": 0.0, "south": 0.0, "east": 1.0, "north": 1.0, "zoom": 3}
    written = map_writer(wanted.field.below)(MapTold(3, 12, [("8a", 5), ("8b", 7)]))
    assert orjson.loads(written) == {"n": 12, "cells": [{"count": 5, "cell": "8a"}, {"count": 7, "cell": "8b"}]}


@pytest.mark.parametrize("kind", [EVENT, MAP])
def test_every_field_of_the_schema_can_be_told(kind: Kind) -> None:
    """Seen failing with `highFived` left out."""
    assert set(kind.fields) == set(PRODUCT.type_map[kind.name].fields)  # type: ignore[attr-defined]
    for _, of in kind.fields.values():
        if of is not None:
            assert set(of.fields) == set(PRODUCT.type_map[of.name].fields)  # type: ignore[attr-defined]


def test_the_gateway_has_the_schema_of_the_api() -> None:
    """Seen failing with a field added to api/feed/schema.graphql."""
    assert FILE.read_text("utf-8") == text(), "run `make schema`"


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"", b'{"id":1,"type":"x","created_at":"","actor":7,"data":{}}', b'{"id":"x"}']
)
def test_a_body_that_is_no_event_is_none(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        event_told(body, "e", 1)


def test_new_documents_get_a_share_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen failing without the bucket: all were taken. A document that is known is always taken."""
    now = [0.0]
    monkeypatch.setattr(subscriptions, "DOCUMENTS_BURST_S", 0.5)
    monkeypatch.setattr(subscriptions, "monotonic", lambda: now[0])
    monkeypatch.setattr(subscriptions, "thread_time", lambda: now[0])
    made = Subscriptions()
    prepare = Documents.prepare

    def slow(self: Documents[Any], query: str, tier: str) -> Any:
        now[0] += 0.02
        return prepare(self, query, tier)

    monkeypatch.setattr(Documents, "prepare", slow)

    def taken(number: int) -> bool:
        try:
            made.want(
                f"subscription {{ a{number}: communityFeed {{ id }} }}", None, Raw(b"null"), "free", signed_in=True
            )
        except RateLimited:
            return False
        return True

    assert sum(taken(number) for number in range(100)) in range(25, 29)  # the burst, and a tenth of what it took
    assert taken(0)
    now[0] += 0.5
    assert sum(taken(number) for number in range(1_000, 1_020)) in range(2, 6)
