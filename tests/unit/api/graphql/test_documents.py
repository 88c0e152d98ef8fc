"""Documents are prepared once per text and tier; errors tell nothing of the schema."""

import pytest
from graphql import build_schema

from api.errors import BadInput
from api.graphql.documents import Documents, InvalidDocumentError

SCHEMA = build_schema(
    "type Query { me: User! version: Int } type User { id: ID! secretName: String } type Mutation { go: Int }"
)


def documents(kept_max: int = 10) -> Documents:
    return Documents(SCHEMA, introspection=False, kept_max=kept_max)


def test_the_same_text_is_prepared_once_for_a_tier() -> None:
    """Seen failing with the tier left out of the key: an anonymous client got what premium had paid for."""
    made = documents()
    first = made.prepare("{ me { id } }", "free")
    assert made.prepare("{ me { id } }", "free") is first
    assert made.prepare("{ me { id } }", "anonymous") is not first


def test_the_tier_decides_even_when_another_has_prepared_the_text() -> None:
    made = documents()
    text = "{ " + " ".join(f"... on Query {{ me {{ id {'secretName ' * 8} }} }}" for _ in range(11)) + " }"
    assert made.prepare(text, "free").cost == 110
    with pytest.raises(BadInput):
        made.prepare(text, "anonymous")


def test_what_was_unused_longest_is_dropped() -> None:
    made = documents(kept_max=2)
    first = made.prepare("{ version }", "free")
    made.prepare("{ me { id } }", "free")
    assert made.prepare("{ version }", "free") is first
    made.prepare("{ me { secretName } }", "free")
    assert len(made) == 2
    assert made.prepare("{ version }", "free") is first


@pytest.mark.parametrize(
    "text", ["", "{", "{ me { secretNam } }", "{ me(x: 1) { id } }", "query Q { me { id } } { me }"]
)
def test_an_invalid_document_is_refused_without_a_hint(text: str) -> None:
    """Seen failing with one rule's hint left in, which hide_suggestions does not reach."""
    with pytest.raises(InvalidDocumentError) as refused:
        documents().prepare(text, "free")
    assert refused.value.errors
    assert not any("did you mean" in error.message.lower() for error in refused.value.errors)


def test_size_and_tokens_are_bounded() -> None:
    with pytest.raises(BadInput, match="bytes"):
        documents().prepare("{ version } #" + "x" * 32_768, "free")
    with pytest.raises(InvalidDocumentError):
        documents().prepare("{ version " + "@a " * 2_000 + "}", "free")


def test_the_operation_must_be_told_where_there_are_several() -> None:
    prepared = documents().prepare("query A { version } mutation B { go }", "free")
    assert prepared.operation("B").name is not None
    for name in (None, "C"):
        with pytest.raises(BadInput):
            prepared.operation(name)
