"""Fields of one name are judged as the library judges them, in as many steps as there are selections."""

import pytest
from graphql import OverlappingFieldsCanBeMergedRule, build_schema, parse, specified_rules, validate
from hypothesis import given, settings

from config.graphql.documents import RULES
from config.graphql.limits import check
from config.graphql.merging import Merging
from tests.unit.api.graphql.nasty import SDL, documents

SCHEMA = build_schema(SDL)


@pytest.mark.parametrize(
    ("text", "merges"),
    [
        ("{ id id }", True),
        ("{ id: __typename id }", False),
        ("{ a { id } a { name: id } }", True),
        ("{ a { x: id } a { x: name } }", False),
        ("{ a { a { x: id } } ...F } fragment F on Query { a { a { ...G } } } fragment G on A { x: name }", False),
        ("{ b(x: 1) { id } b(x: 2) { id } }", False),
        ("{ b(x: 1) { id } b { id } }", False),
        ("{ b(x: 1, y: {m: 1, n: 2}) { id } b(y: {n: 2, m: 1}, x: 1) { id } }", True),
        ('{ b(x: "1") { id } b(x: 1) { id } }', False),
        ("query($v: Int) { b(x: $v) { id } b(x: $v) { id } c: b(x: 1) { id } }", True),
        ("{ a { id } } query B { a { x: id x: name } }", False),
    ],
)
def test_fields_of_one_name(text: str, merges: bool) -> None:
    """Failed with the arguments or the fragments left out, with an object's fields in their order, and with only the
    first operation looked at."""
    assert (Merging(parse(text)).conflict() is None) == merges


@settings(max_examples=150, deadline=None)
@given(documents)
def test_it_accepts_what_the_library_accepts(text: str) -> None:
    """Failed with the sub-selections of only the first field looked at."""
    document = parse(text)
    theirs = validate(SCHEMA, document, [OverlappingFieldsCanBeMergedRule])
    ours = Merging(document).conflict()
    assert (ours is None) == (not theirs) or validate(SCHEMA, document, RULES)  # refused for another reason


@settings(deadline=None)
@given(documents)
def test_it_looks_at_each_selection_as_often_as_the_measure_counts_it(text: str) -> None:
    """The bound of the measure is a bound of the work. Failed with sub-selections merged again for each field of
    a name."""
    document = parse(text)
    merging = Merging(document)
    merging.conflict()
    try:
        measure = check(document, "premium", {}, introspection=True)
    except Exception:  # noqa: BLE001 - beyond a limit: never looked at
        return
    assert merging.steps <= measure.selections


def test_all_other_rules_are_the_librarys() -> None:
    assert set(specified_rules) - set(RULES) == {OverlappingFieldsCanBeMergedRule}
