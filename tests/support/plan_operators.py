"""Parameters of the statements of operators, for tests/support/plan_parameters.py; User 1 of years.sql is one."""

from typing import Any
from uuid import UUID

import asyncpg

from config.ids import uuid7
from config.limits import RELAY_DEPTH_MAX


async def of_operators(app: asyncpg.Connection, operator: UUID, other: UUID) -> dict[str, list[tuple[Any, ...]]]:
    """Of the API, who answers nobody else; `other` did not get something."""
    newest = "SELECT event_id FROM {}_positions WHERE channel = $1 ORDER BY event_at DESC LIMIT 1"
    heard = await app.fetchval(newest.format("stream"), "community")
    email = await app.fetchval("SELECT lower(email) FROM users WHERE id = $1", operator)
    own = await app.fetchval(newest.format("feed"), f"user:{operator}")
    file = "api/operators/queries.sql: "
    return {
        file + "is_operator": [(operator,), (uuid7(),)],
        file + "person_of": [(operator, email), (operator, "nobody@example.com")],
        file + "places": [(operator, event, user) for event in (heard, own, uuid7()) for user in (other, uuid7())],
        file + "waiting": [(operator, uuid7(), RELAY_DEPTH_MAX), (operator, None, RELAY_DEPTH_MAX)],
        file + "jobs": [(operator,)],
    }
