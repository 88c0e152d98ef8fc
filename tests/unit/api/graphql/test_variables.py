"""Variables are counted before the schema looks at them."""

from typing import Any

import msgspec
import pytest

from config.errors import BadInput
from config.graphql.variables import check, read
from config.limits import VARIABLE_CHARS_MAX, VARIABLES_DEPTH_MAX, VARIABLES_MAX


def raw(text: bytes) -> msgspec.Raw:
    return msgspec.Raw(text)


def test_an_object_or_nothing() -> None:
    assert read(raw(b"null")) == (None, 0)
    assert read(raw(b'{"a": [1, "x"]}')) == ({"a": [1, "x"]}, 3)
    for wrong in (b"[]", b"5", b'"x"', b"{", b'{"a": "\xff"}', b'{"a":' + b"[" * 100_000):
        with pytest.raises(BadInput):
            read(raw(wrong))


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("inside", "outside", "told"),
    [
        ({"a": [1] * (VARIABLES_MAX - 1)}, {"a": [1] * VARIABLES_MAX}, "values"),
        ({"a": [{"b": 1}] * (VARIABLES_MAX // 2 - 1)}, {"a": [{"b": 1}] * (VARIABLES_MAX // 2)}, "values"),
        ({str(n): 1 for n in range(VARIABLES_MAX)}, {str(n): 1 for n in range(VARIABLES_MAX + 1)}, "values"),
        ({"a": "x" * VARIABLE_CHARS_MAX}, {"a": ["x" * (VARIABLE_CHARS_MAX + 1)]}, "characters"),
        ({"a": nested(VARIABLES_DEPTH_MAX - 2)}, {"a": nested(VARIABLES_DEPTH_MAX - 1)}, "levels"),
    ],
)
def test_number_length_and_depth_are_bounded(inside: dict[str, Any], outside: dict[str, Any], told: str) -> None:
    """Failed with the items of lists left uncounted: 20,000 sets cost 88 ms before "Please sign in"."""
    check(inside)
    with pytest.raises(BadInput, match=told):
        check(outside)
