"""What a document may ask for: measured before it is validated, fragments multiplied."""

import time

import pytest
from graphql import parse
from hypothesis import given
from hypothesis import strategies as st

from api.errors import BadInput
from api.graphql.limits import COST_MAX, Measure, check


def measure(text: str, tier: str = "premium", *, introspection: bool = True) -> Measure:
    return check(parse(text), tier, introspection=introspection)


@pytest.mark.parametrize(
    ("text", "measured"),
    [
        ("{ me { id } }", Measure(2, 0, 2)),
        ("{ a: me { b: id } }", Measure(2, 2, 2)),
        ("{ me { ...F } } fragment F on User { id name }", Measure(2, 0, 3)),
        ("{ me { ...F ...F ...F } } fragment F on User { x: id }", Measure(2, 3, 4)),
        ("{ me { ... on User { id } } }", Measure(2, 0, 2)),
        ("{ list(first: 20) { id } }", Measure(2, 0, 2)),
        ("{ list(first: 21) { id } }", Measure(2, 0, 3)),
        ("{ list(first: 100) { id name } }", Measure(2, 0, 11)),
        ("query($n: Int) { list(first: $n) { id } }", Measure(2, 0, 6)),
        ("{ list(first: -5) { id } }", Measure(2, 0, 2)),
        ("query A { me { id } } query B { me { id name } }", Measure(2, 0, 3)),
        ("{ __schema { types { fields { type { ofType { ofType { name } } } } } } }", Measure(1, 0, 1)),
    ],
)
def test_a_document_is_measured(text: str, measured: Measure) -> None:
    """Seen failing with `first` left out of the cost."""
    assert measure(text) == measured


def nested(levels: int) -> str:
    return "{ a " * levels + "}" * levels


def test_ten_levels_pass_and_eleven_do_not() -> None:
    """Seen failing with `>=` for `>`."""
    assert measure(nested(10)).depth == 10
    with pytest.raises(BadInput, match="11 levels"):
        measure(nested(11))
    with pytest.raises(BadInput, match="50 levels"):
        measure(nested(50))


def test_fragments_do_not_hide_depth() -> None:
    """Seen failing with a fragment's depth left out."""
    fragments = " ".join(f"fragment F{n} on A {{ a {{ ...F{n + 1} }} }}" for n in range(12))
    with pytest.raises(BadInput, match="levels"):
        measure("{ ...F0 } " + fragments + " fragment F12 on A { a }")


@pytest.mark.parametrize(
    "text",
    [
        "{ ...F } fragment F on A { a { ...F } }",
        "{ ...F } fragment F on A { ...G } fragment G on A { ...F }",
        "{ a } fragment F on A { ...F }",
    ],
)
def test_a_fragment_that_contains_itself_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="contains itself"):
        measure(text)


@pytest.mark.parametrize(("tier", "cost"), COST_MAX.items())
def test_cost_is_by_tier(tier: str, cost: int) -> None:
    fields = " ".join(f"f{n}" for n in range(cost))
    assert measure(f"{{ {fields} }}", tier).cost == cost
    with pytest.raises(BadInput, match="costs"):
        measure(f"{{ {fields} more }}", tier)


def test_fragment_bombs_are_cheap_to_refuse() -> None:
    """2^40 fields by doubling fragments: measured once each. Seen failing (for minutes) without the memo."""
    doubling = " ".join(f"fragment F{n} on A {{ ...F{n + 1} ...F{n + 1} }}" for n in range(40))
    started = time.process_time()
    with pytest.raises(BadInput):
        measure("{ ...F0 } " + doubling + " fragment F40 on A { x: a }")
    assert time.process_time() - started < 0.5


def test_an_ordinary_page_of_100_is_open_to_everybody() -> None:
    """The contract allows `first` up to 100, so the anonymous limit must let such a page through."""
    event = "cursor node { id type createdAt actor { id name } data }"
    page = f"edges {{ {event} }} pageInfo {{ endCursor hasNextPage }} position {{ epoch offset }}"
    assert measure(f"query($n: Int) {{ communityFeed(first: $n) {{ {page} }} }}", "anonymous").cost <= 100


def test_a_field_again_and_again_is_refused_before_validation_compares_each_with_each() -> None:
    with pytest.raises(BadInput, match="20 times"):
        measure("{ me { " + "id " * 21 + "} }")
    with pytest.raises(BadInput, match="20 times"):
        measure("{ me { id } } fragment Unused on User { " + "id " * 21 + "}")


def test_introspection_can_be_off() -> None:
    with pytest.raises(BadInput, match="off"):
        measure("{ __schema { types { name } } }", introspection=False)
    assert measure("{ __typename }", introspection=False).cost == 1


def _joined(parts: list[str]) -> str:
    return "{ " + " ".join(f"f{n} {part}" for n, part in enumerate(parts)) + " }"


@given(
    st.recursive(st.just("{ a }"), lambda inner: st.lists(inner, min_size=1, max_size=3).map(_joined), max_leaves=12)
)
def test_any_nesting_is_measured_or_refused(text: str) -> None:
    try:
        found = measure(text)
    except BadInput:
        return
    assert found.depth <= 10
    assert found.cost >= found.depth
