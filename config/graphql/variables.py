"""The variables of a request: read only when they are needed, and bounded before the schema looks at them. Pure.

To coerce a value costs some 2 µs of Python, twice where it is refused; to count it costs a tenth of that.
"""

from typing import Any

import msgspec

from config.errors import BadInput
from config.limits import VARIABLE_CHARS_MAX, VARIABLES_DEPTH_MAX, VARIABLES_MAX

_decoder = msgspec.json.Decoder(dict[str, Any] | None)


def read(raw: msgspec.Raw, values_max: int = VARIABLES_MAX) -> tuple[dict[str, Any] | None, int]:
    """The variables in JSON and how many values they have. Raises BadInput for what is no object, and beyond a
    bound."""
    try:
        variables: dict[str, Any] | None = _decoder.decode(raw)
    except msgspec.ValidationError:
        raise BadInput("variables: an object or null is needed") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadInput("The body is not JSON") from None
    return variables, check(variables, values_max) if variables else 0


def check(variables: dict[str, Any], values_max: int = VARIABLES_MAX) -> int:
    """How many values there are. Raises BadInput where there are too many, too deep ones or too long a text."""
    left = values_max
    level: list[Any] = [variables]
    for _ in range(VARIABLES_DEPTH_MAX):
        below: list[Any] = []
        for value in level:
            kind = type(value)
            if kind is str:
                if len(value) > VARIABLE_CHARS_MAX:
                    raise BadInput(f"variables: a text of {len(value)} characters; {VARIABLE_CHARS_MAX} are allowed")
            elif kind is dict or kind is list:
                left -= len(value)
                if left < 0:
                    raise BadInput(f"variables: more than {values_max} values")
                below.extend(value.values() if kind is dict else value)
        if not below:
            return values_max - left
        level = below
    raise BadInput(f"variables: more than {VARIABLES_DEPTH_MAX} levels deep")
