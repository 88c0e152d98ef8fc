"""The scalars of the contract: DateTime (ISO 8601, UTC, milliseconds), and JSON, whose values pass as they are."""

from datetime import UTC, datetime
from typing import Any, Final

from graphql import GraphQLError, GraphQLScalarType

from config.times import iso_z

# Scalars that are texts in JSON, and whose texts pass as they are.
TEXTS: Final = frozenset({"String", "ID", "DateTime", "Date"})

_CHARS_MAX: Final = 40


def to_text(moment: datetime) -> str:
    """`2026-11-20T18:05:09.250Z`: UTC, milliseconds."""
    return iso_z(moment, "milliseconds")


def to_moment(value: object) -> datetime:
    """The moment that an ISO 8601 text with a time zone names, in UTC. Raises GraphQLError."""
    if isinstance(value, str) and len(value) <= _CHARS_MAX:
        try:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise GraphQLError("A DateTime is ISO 8601 with a time zone, such as 2026-11-20T18:05:00Z")


def bind_date_time(scalar: GraphQLScalarType) -> None:
    """Gives DateTime of the SDL its behaviour."""
    scalar.coerce_output_value = _show
    scalar.coerce_input_value = to_moment


def _show(value: Any) -> str:
    # A text is part of an event's body, which is stored as clients hear it.
    return value if isinstance(value, str) else to_text(value)
