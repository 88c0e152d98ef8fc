"""What each SQLSTATE means, and each error of asyncpg and redis-py."""

import asyncpg
import pytest
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

from config.db.postgres import fault_of
from config.db.sqlstates import Kind, of_state
from config.redis import reason_of
from tests.support.sabotage import OURS, STATES


@pytest.mark.parametrize(
    ("state", "kind", "reason"),
    [
        ("25006", Kind.UNFIT, "read-only"),
        ("53100", Kind.UNFIT, "full"),
        ("53300", Kind.AWAY, "too many connections"),
        ("57P03", Kind.AWAY, "starting"),
        ("57P01", Kind.AWAY, "does not answer"),
        ("40001", Kind.CONFLICT, "conflicts"),
        ("57014", Kind.SLOW, "too slow"),
        ("42P01", Kind.UNFIT, "not as migrated"),
        ("42501", Kind.UNFIT, "refuses us"),
        ("XX001", Kind.UNFIT, "broken"),
        ("99999", Kind.UNFIT, "fails"),
        ("22P02", Kind.OURS, ""),
    ],
)
def test_a_state_has_a_meaning(state: str, kind: Kind, reason: str) -> None:
    assert of_state(state) == (kind, reason)


def test_only_what_we_gave_is_ours() -> None:
    assert {state for state in STATES if of_state(state).kind is Kind.OURS} == OURS
    assert all(of_state(state).reason for state in STATES if state not in OURS)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(), Kind.AWAY),
        (TimeoutError(), Kind.SLOW),
        (asyncpg.InterfaceError("the pool is closed"), Kind.AWAY),
        (asyncpg.InternalClientError("unexpected message"), Kind.AWAY),
        (asyncpg.InvalidCachedStatementError("planned for other tables"), Kind.CONFLICT),
        (asyncpg.FeatureNotSupportedError("on a standby"), Kind.UNFIT),
        (asyncpg.DataError("an argument does not fit"), Kind.OURS),
        (ValueError(), None),
    ],
)
def test_errors_of_the_client_have_one_too(error: Exception, kind: Kind | None) -> None:
    """Seen failing with every PostgresError taken for a server that is away."""
    fault = fault_of(error)
    assert (fault and fault.kind) == kind


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ReadOnlyError("You can't write", status_code="READONLY"), "read-only"),
        (OutOfMemoryError("command not allowed", status_code="OOM"), "full"),
        (ResponseError("MISCONF Redis is configured to save"), "refuses writes"),
        (ResponseError("Error running script: -OOM command not allowed"), "full"),
        (ResponseError("nobody foresaw this"), None),
    ],
)
def test_what_redis_says(error: Exception, reason: str | None) -> None:
    """Seen failing with the word looked for in the text alone: redis-py takes it away."""
    assert reason_of(error) == reason
