"""In which form GraphQL answers, by what clients really send."""

import pytest

from config.serving.accept import NEW, NONE_NAMED, OLD, Form, form_of
from config.serving.answers import is_json

RESPONSE = "application/graphql-response+json"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, NONE_NAMED),
        ("", NONE_NAMED),
        ("*/*", NONE_NAMED),
        ("application/*;q=0.5", NONE_NAMED),
        ("text/html,application/xhtml+xml,*/*;q=0.8", NONE_NAMED),
        ("application/json", OLD),
        ("Application/JSON; charset=utf-8", OLD),
        ("application/json, text/plain, */*", OLD),
        (RESPONSE, NEW),
        (f"{RESPONSE}; charset=utf-8", NEW),
        (f"{RESPONSE},application/json;q=0.9", NEW),
        (f"application/json, {RESPONSE}", NEW),
        (f"{RESPONSE};q=0.1, application/json", OLD),
        (f"{RESPONSE};q=0, application/json;q=0.1", OLD),
        (f"{RESPONSE};q=0", NONE_NAMED),
        (f"{RESPONSE};q=x", NONE_NAMED),
        (";;;,,q=1", NONE_NAMED),
    ],
)
def test_the_form_is_what_is_named_with_the_highest_quality(accept: str | None, form: Form) -> None:
    """Seen failing with qualities left out."""
    assert form_of(accept) == form


@pytest.mark.parametrize(
    ("content_type", "is_one"),
    [
        ("application/json", True),
        ("Application/JSON ; charset=UTF-8", True),
        ('application/json; charset="utf-8"; x=y', True),
        (None, False),
        ("", False),
        ("text/plain", False),
        ("text/plain; application/json", False),
        ("text/plain; charset=application/json", False),
        ("text/plain, application/json", False),
        ("application/jsonp", False),
        ("application/json, text/plain", False),
        ("application/json; charset=utf-16", False),
        ("application/json; charset=utf-8; charset=utf-7", False),
    ],
)
def test_json_is_a_type_and_not_a_word(content_type: str | None, is_one: bool) -> None:
    """Failed before for charsets: a body in UTF-16 was read as UTF-8. Seen failing with `in` for the comparison."""
    assert is_json(content_type) is is_one
