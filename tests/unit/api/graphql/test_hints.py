"""How long an answer may be kept, and for whom: by the hints that a document reaches."""

from typing import Any
from uuid import UUID

import pytest
from graphql import OperationDefinitionNode, build_schema, parse
from hypothesis import given, settings
from hypothesis import strategies as st

from api.app import SCHEMA
from config.graphql.hints import Policy, policy, read

DIRECTIVES = """
directive @cacheControl(maxAge: Int, scope: CacheControlScope) on FIELD_DEFINITION | OBJECT
directive @drops(types: [String!], userIn: String) on FIELD_DEFINITION
enum CacheControlScope { PUBLIC PRIVATE }
"""
SHAPE = """
type Query { long: Node @cacheControl(maxAge: 900) short: Node @cacheControl(maxAge: 10) bare: Int typed: Mine }
type Node { a: Int b: Int @cacheControl(maxAge: 30) live: Int @cacheControl(maxAge: 0)
            mine: Int @cacheControl(scope: PRIVATE) next: Node typed: Mine }
type Mine @cacheControl(maxAge: 60, scope: PRIVATE) { a: Int next: Node }
"""
SMALL = read(build_schema(DIRECTIVES + SHAPE))
PRODUCT = read(SCHEMA)
USER = "f47ac10b-58cc-4372-a567-0e02b2c3d479"


def policy_of(text: str, hints: Any = SMALL) -> Policy:
    document = parse(text)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return policy(document, operation, hints)


@pytest.mark.parametrize(
    ("text", "life_s", "own"),
    [
        ("{ long { a } }", 900, False),
        ("{ long { a } short { a } }", 10, False),  # two hints: the shortest
        ("{ long { a b } }", 30, False),
        ("{ long { next { next { live } } } }", 0, False),
        ("{ long { mine } }", 900, True),
        ("{ long { typed { a } } }", 60, True),  # of the type
        ("{ typed { next { a } } }", 60, True),
        ("{ long { a } bare }", 0, False),  # a root without a hint
        ("{ long { a } __typename }", 900, False),
        ("{ __schema { types { name } } }", 0, False),
        ("{ ...F } fragment F on Query { long { ...G } } fragment G on Node { mine b }", 30, True),
        ("{ long { ... on Node { ... { live } } } }", 0, False),
        ("query ($x: Boolean!) { long { a live @include(if: $x) } }", 0, False),
    ],
)
def test_the_shortest_hint_holds_and_one_private_makes_it_private(text: str, life_s: int, own: bool) -> None:
    """Seen failing with `max`, with the last hint in place of the shortest, and without what fragments select."""
    found = policy_of(text)
    assert (found.life_s, found.own) == (life_s, own)


_LEAVES = (("a", None, False, ""), ("b", 30, False, ""), ("live", 0, False, ""), ("mine", None, True, ""))
_FIELDS = {
    "Node": (*_LEAVES, ("next", None, False, "Node"), ("typed", 60, True, "Mine")),
    "Mine": (("a", None, False, ""), ("next", None, False, "Node")),
}


@st.composite
def _selected(draw: st.DrawFn, of: str = "Node", depth: int = 4) -> tuple[str, list[int], bool]:
    """A selection set as text, the lifetimes in it, and whether something is private."""
    texts: list[str] = []
    lives: list[int] = []
    own = False
    for name, life_s, private, below in draw(st.lists(st.sampled_from(_FIELDS[of]), min_size=1, max_size=3)):
        text = name
        if below:
            if depth == 0:
                continue
            inner, more, hidden = draw(_selected(below, depth - 1))
            text, lives, own = f"{name} {inner}", lives + more, own or hidden
        lives += [] if life_s is None else [life_s]
        own = own or private
        texts.append(f"... {{ {text} }}" if draw(st.booleans()) else text)
    return ("{ " + " ".join(texts or ["a"]) + " }"), lives, own


@settings(max_examples=40)
@given(_selected(), st.sampled_from([("long", 900), ("short", 10)]))
def test_whatever_is_selected(selected: tuple[str, list[int], bool], root: tuple[str, int]) -> None:
    text, lives, own = selected
    found = policy_of(f"{{ {root[0]} {text} }}")
    assert (found.life_s, found.own) == (min([root[1], *lives]), own)


@pytest.mark.parametrize(
    ("text", "life_s", "own"),
    [
        ("{ exercises { name muscles { muscle { name } } } }", 15 * 60, False),
        ("{ archetypes { name } }", 30 * 60, False),
        ("{ archetypes { name } muscles { name } }", 15 * 60, False),
        ("{ me { name } }", 30, True),
        (f'{{ user(id: "{USER}") {{ name }} }}', 30, True),
        ("{ leaderboard(board: XP, period: WEEK) { edges { node { rank score } } } }", 60, False),
        ("{ leaderboard(board: XP, period: WEEK) { edges { node { rank profile { name } } } } }", 30, True),
        ("{ leaderboard(board: XP, period: WEEK) { edges { node { rank me } } } }", 60, True),
        ("{ creditBalance { credits } }", 15, True),
        ("{ communityFeed { edges { node { id highFives } } } }", 1, False),
        ("{ communityFeed { edges { node { id highFived } } } }", 1, True),
        ("{ creditBalance { credits } creditLedger { edges { cursor } } }", 0, True),
        ("{ dashboard { edges { cursor } } }", 0, False),
        ("{ entitlements { unlimited } }", 0, False),
        ("mutation { unblock(userId: 1) }", 0, True),
    ],
)
def test_the_lifetimes_of_the_product(text: str, life_s: int, own: bool) -> None:
    """R-14. Seen failing with `me` of a place on a leaderboard for everybody."""
    found = policy_of(text, PRODUCT)
    assert (found.life_s, found.own) == (life_s, own)


def test_a_mutation_says_what_it_ends() -> None:
    """Seen failing with an id as the client spelt it: what is kept for the other was not found by it."""
    text = (
        "mutation ($who: ID!) { a: block(userId: $who)"
        ' b: follow(userId: "F47AC10B58CC4372A5670E02B2C3D479") { id } setAudience(audience: NOBODY) { id } }'
    )
    found = policy_of(text, PRODUCT)
    assert set(found.drops) == {"Profile"}
    other = UUID(int=7)
    assert found.named({"who": other.hex.upper()}) == {USER, str(other)}
    assert found.named({"who": "nobody"}) == found.named(None) == {USER}


@pytest.mark.parametrize("drops", ['types: ["Nod"]', 'types: ["Int"]', 'userIn: "user"'])
def test_what_a_mutation_cannot_end_is_refused_at_the_start(drops: str) -> None:
    with pytest.raises(ValueError, match="go"):
        read(build_schema(DIRECTIVES + SHAPE + f"type Mutation {{ go(id: ID): Int @drops({drops}) }}"))
