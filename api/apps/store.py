"""Other apps in PostgreSQL: rows to values and back; decides nothing."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from api.apps.rules import App, Batch, Past, Widget
from config.db.database import Database, Transaction
from config.db.queries import load_queries
from config.limits import APP_CHANNELS_MAX, APPS_MAX, WIDGET_TOKENS_MAX

_QUERIES: Final = load_queries(__file__)
_APP_OF_KEY: Final = _QUERIES["app_of_key"]
_PUBLISH: Final = _QUERIES["publish"]
_HISTORY: Final = _QUERIES["history"]
_APPS: Final = _QUERIES["apps"]
_KEY_COUNTS: Final = _QUERIES["key_counts"]
_WIDGETS: Final = _QUERIES["widgets"]
_CREATE: Final = _QUERIES["create"]
_ROTATE: Final = _QUERIES["rotate"]
_CHANGE: Final = _QUERIES["change"]
_NOTE_WIDGET: Final = _QUERIES["note_widget"]
_REVOKE_WIDGET: Final = _QUERIES["revoke_widget"]


class Act(NamedTuple):
    """Of what somebody does: its id, when, and who."""

    id: UUID
    at: datetime
    actor: str


class Outcome(NamedTuple):
    """Of publishing: which events are new, or how long to wait, or that there would be too many channels."""

    fresh: list[bool]
    wait_s: float | None
    crowded: bool


async def app_of_key(db: Database, namespace: str, key_hash: bytes) -> App | None:
    """The app, where this is one of its keys."""
    row = await db.fetchrow(_APP_OF_KEY, namespace, key_hash)
    return None if row is None else _app(row)


async def publish(tx: Transaction, namespace: str, batch: Batch, now: datetime) -> Outcome:
    """Puts the events out, or says why not."""
    row = await tx.fetchrow(_PUBLISH, namespace, *batch, now, APP_CHANNELS_MAX)
    return Outcome(row["fresh"] or [], row["wait_s"], bool(row["crowded"]))


async def history(db: Database, namespace: str, channel: str, after: int, rows: int) -> Past:
    """A page of what may be read again."""
    found = await db.fetch(_HISTORY, namespace, channel, after, rows)
    events = [(row["offset"], row["body"].encode()) for row in found if row["offset"] is not None]
    first = found[0]
    return Past(first["epoch"], first["head"], first["lowest"], events)


async def everything(tx: Transaction) -> tuple[list[App], list[Widget]]:
    """All apps, and the widget tokens that are good."""
    apps = [_app(row) for row in await tx.fetch(_APPS)]
    widgets = await tx.fetch(_WIDGETS)
    return apps, [Widget(row["id"], row["origin"], orjson.loads(row["key"]), row["expires_at"]) for row in widgets]


async def key_counts(tx: Transaction) -> dict[str, int]:
    """How many server keys of each app are good."""
    return {row["namespace"]: row["keys"] for row in await tx.fetch(_KEY_COUNTS)}


async def create(tx: Transaction, act: Act, namespace: str, key_hash: bytes) -> bool | None:
    """Whether it was made; None where there are too many."""
    made: bool | None = await tx.fetchval(_CREATE, *act, namespace, key_hash, APPS_MAX)
    return made


async def rotate(tx: Transaction, act: Act, namespace: str, key_hash: bytes) -> bool:
    """Whether there is such an app."""
    return bool(await tx.fetchval(_ROTATE, *act, namespace, key_hash))


async def change(tx: Transaction, act: Act, namespace: str, changes: Mapping[str, Any]) -> bool:
    """Whether there is such an app."""
    return bool(await tx.fetchval(_CHANGE, *act, namespace, orjson.dumps(changes).decode()))


async def note_widget(tx: Transaction, act: Act, widget: Widget) -> bool:
    """Whether there was room for it."""
    key = orjson.dumps(widget.key).decode()
    values = (UUID(widget.id), widget.origin, key, widget.expires_at, WIDGET_TOKENS_MAX)
    return bool(await tx.fetchval(_NOTE_WIDGET, *act, *values))


async def revoke_widget(tx: Transaction, act: Act, widget: UUID) -> bool:
    """Whether there was one."""
    return bool(await tx.fetchval(_REVOKE_WIDGET, *act, widget))


def _app(row: Any) -> App:
    return App(**(dict(row) | {"keys": orjson.loads(row["keys"])}))
