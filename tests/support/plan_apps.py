"""Parameters of the statements of other apps, for tests/support/plan_parameters.py; the app `polls` is in years.sql."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from config.ids import uuid7
from config.limits import (
    APP_CHANNELS_MAX,
    APP_EVENT_IDS_DAYS,
    APP_EVENTS_PER_REQUEST_MAX,
    APP_PAGE_MAX,
    APPS_MAX,
    WIDGET_TOKENS_MAX,
)
from worker.retention import APP_EVENT_IDS_ROWS

NOW: Final = datetime.now(UTC)
MANY: Final = 2**53
HASH: Final = bytes(32)


def of_apps() -> dict[str, list[tuple[Any, ...]]]:
    """Of the API; an act by whoever has a shell begins with its id, when, and who."""
    file, act = "api/apps/queries.sql: ", (uuid7(), NOW, "root")
    names = [f"c{n}" for n in range(APP_EVENTS_PER_REQUEST_MAX)]
    widget = (uuid7(), "https://a.example", "{}", NOW + timedelta(days=7), WIDGET_TOKENS_MAX)
    return {
        file + "app_of_key": [("polls", sha256(b"polls").digest()), ("polls", HASH), ("nobody", HASH)],
        file + "publish": [("polls", names, names, ["{}"] * len(names), NOW, APP_CHANNELS_MAX)],
        file + "history": [
            (app, channel, at, APP_PAGE_MAX)
            for app, channel in (("polls", "c1"), ("polls", "nothing"), ("meals", "c1"))
            for at in (0, 15_000, MANY)
        ],
        file + "apps": [()],
        file + "key_counts": [()],
        file + "widgets": [()],
        file + "create": [(*act, "new", HASH, APPS_MAX), (*act, "polls", HASH, APPS_MAX)],
        file + "rotate": [(*act, "polls", HASH), (*act, "nobody", HASH)],
        file + "change": [(*act, "polls", '{"open": true, "rate": 5}')],
        file + "note_widget": [(*act, *widget)],
        file + "revoke_widget": [(*act, uuid7())],
    }


def of_retention() -> dict[str, list[tuple[Any, ...]]]:
    """Of the worker."""
    return {"worker/queries.sql: drop_app_event_ids": [(APP_EVENT_IDS_DAYS, APP_EVENT_IDS_ROWS)]}
