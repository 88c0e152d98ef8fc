"""What a Sentry is told of an error: where and of which kind, and no word that anybody said."""

import json
from typing import Any

import asyncpg
import pytest

from config.crashes import Crashes, event_of

SECRET = "ann@example.org"


def refuse(secret: str) -> None:
    """As PostgreSQL does."""
    raise asyncpg.UniqueViolationError(f"Key (email)=({secret}) already exists")


def fails(secret: str) -> None:
    """With the secret in a variable and in each message."""
    try:
        refuse(secret)
    except asyncpg.UniqueViolationError as error:
        error.add_note(secret)
        raise ValueError(f"no such user: {secret}") from error


def grouped(secret: str) -> None:
    """The same in a group."""
    try:
        fails(secret)
    except ValueError as error:
        raise ExceptionGroup(secret, [error]) from None


@pytest.mark.parametrize("failing", [fails, grouped])
def test_types_and_places_are_told_and_no_message(failing: Any) -> None:
    """Seen failing with str(error) as the value."""
    with pytest.raises((ValueError, ExceptionGroup)) as caught:
        failing(SECRET)
    event: Any = event_of("graphql_field_failed", caught.value, "api")
    assert SECRET not in json.dumps(event)
    types = [one["type"] for one in event["exception"]["values"]]
    assert types[:2] == ["UniqueViolationError", "ValueError"]
    frame = event["exception"]["values"][0]["stacktrace"]["frames"][-1]
    assert (frame["filename"], frame["function"]) == ("tests/unit/config/test_crashes.py", "refuse")
    assert event["logentry"] == {"message": "graphql_field_failed"}


def test_a_chain_that_bites_its_tail_ends() -> None:
    error = ValueError()
    error.__context__ = error
    event: Any = event_of("x", error, "api")
    assert len(event["exception"]["values"]) <= 8


def test_without_the_setting_a_line_is_as_it_was() -> None:
    line = {"level": "error", "event": "x"}
    assert Crashes()(None, "", line) == {"level": "error", "event": "x"}
