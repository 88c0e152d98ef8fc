"""What each field says of itself in the SDL: a list its size, a field for whoever is signed in that it is one."""

import pytest
from graphql import GraphQLObjectType, build_schema

from api.app import SCHEMA
from api.graphql.ways import Root
from api.reference.data import load
from config.graphql.shape import read

DIRECTIVES = """
directive @listSize(assumedSize: Int!) on FIELD_DEFINITION
directive @signedIn on FIELD_DEFINITION
"""
SHAPE = read(SCHEMA)
_ASKS = frozenset({"viewer_id", "viewer_of"})  # who is signed in, or refuse


def test_the_shape_of_fields() -> None:
    found = read(
        build_schema(
            DIRECTIVES
            + """
            type Query { as: [A!]! @listSize(assumedSize: 7)  page(first: Int): AConnection! @signedIn  a: A }
            type AConnection { edges: [A!]! }
            type A { id: ID! }
            """
        )
    )
    assert found["Query", "as"] == ("A", 7, False, False)
    assert found["Query", "page"] == ("AConnection", None, True, False)
    assert found["Query", "a"] == ("A", None, False, True)
    assert found["AConnection", "edges"] == ("A", None, False, False)
    assert not any(owner.startswith("__") for owner, _ in found)


@pytest.mark.parametrize(
    ("sdl", "told"),
    [
        ("type Query { list: [Int!]! }", r"Query\.list: a list says its size"),
        ("type Query { edges: [Int!] }", r"Query\.edges: a list says its size"),
        ("type Query { page: AConnection } type AConnection { edges: [Int!]! }", r"Query\.page: .*first"),
        ("type Query { a: I } interface I { id: ID } type A implements I { id: ID }", "I: .*no interface"),
        ("type Query { a: U } union U = A type A { id: ID }", "U: .*no union"),
    ],
)
def test_what_is_not_measured_stops_the_start(sdl: str, told: str) -> None:
    """Failed with a list that says nothing taken for one item."""
    with pytest.raises(ValueError, match=told):
        read(build_schema(sdl))


def test_reference_lists_are_as_long_as_they_say() -> None:
    """Failed with 100 exercises said, where 105 are shipped."""
    data = load()
    sizes = {
        ("Query", "exercises"): len(data.exercises),
        ("Query", "muscles"): len(data.muscles),
        ("Query", "equipment"): len(data.equipment),
        ("Exercise", "muscles"): max(len(one.muscles) for one in data.exercises),
    }
    for field, real in sizes.items():
        said = SHAPE[field].size
        assert said is not None
        assert real <= said <= real * 1.2, field


def test_a_field_says_signed_in_exactly_where_its_resolver_asks_for_the_viewer() -> None:
    """So nobody who must sign in has variables read first. Failed with @signedIn missing on `myWorkouts`."""
    for root in (SCHEMA.query_type, SCHEMA.mutation_type):
        assert isinstance(root, GraphQLObjectType)
        for name, field in root.fields.items():
            assert isinstance(field.resolve, Root)
            asks = not _ASKS.isdisjoint(field.resolve.of.__code__.co_names)
            assert SHAPE[root.name, name].signed_in == asks, f"{root.name}.{name}"
            assert asks or root is SCHEMA.query_type, f"a mutation that anybody may call: {name}"
