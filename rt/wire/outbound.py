"""Every message that the gateway sends (rt/wire/asyncapi.yaml), as ready frames. Pure.

Events come ready from the relay (rt/wire/bus.py) and map tiles from the aggregator's view; all else is built here.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

import orjson

from config.limits import HEARTBEAT_BACKGROUND_S, HEARTBEAT_S, PRESENCE_TTL_BACKGROUND_S, PRESENCE_TTL_S
from rt.wire.frames import text_frame
from rt.wire.inbound import MessageId

ErrorCode = Literal[
    "BAD_INPUT",
    "UNKNOWN_TYPE",
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "TOO_MANY_SUBSCRIPTIONS",
    "RATE_LIMITED",
    "UNAVAILABLE",
]
Reason = Literal["token_expired", "not_allowed"]


def pace_of(background: bool) -> tuple[int, int]:
    """The heartbeat interval that is granted and how long one counts, seconds."""
    if background:
        return HEARTBEAT_BACKGROUND_S, PRESENCE_TTL_BACKGROUND_S
    return HEARTBEAT_S, PRESENCE_TTL_S


def welcome(
    message_id: MessageId,
    *,
    session: str,
    user: str | None,
    background: bool,
    expires_at: str,
    expires_in_s: int,
    resume: str | None,
    degraded: bool,
) -> bytes:
    """The answer to `connect`; `expires_at` is the end of the socket's life, ISO 8601, and `expires_in_s` says it to a
    client whose clock is wrong, in whole seconds."""
    heartbeat_s, ttl_s = pace_of(background)
    message: dict[str, Any] = {
        "type": "welcome",
        "session": session,
        "user": user,
        "heartbeat_s": heartbeat_s,
        "ttl_s": ttl_s,
        "expires_at": expires_at,
        "expires_in_s": expires_in_s,
        "degraded": degraded,
    }
    if resume is not None:
        message["resume"] = resume
    return _frame(message, message_id)


def subscribed(
    message_id: MessageId,
    *,
    channel: str,
    epoch: str,
    offset: int,
    recovered: bool | None,
    events: Iterable[tuple[int, bytes]],
) -> bytes:
    """The answer to `subscribe`; `events` are (offset, the event's JSON), oldest first."""
    message: dict[str, Any] = {
        "type": "subscribed",
        "channel": channel,
        "epoch": epoch,
        "offset": offset,
        "recovered": recovered,
        "events": [{"offset": at, "event": orjson.Fragment(body)} for at, body in events],
    }
    return _frame(message, message_id)


def unsubscribed(message_id: MessageId, channel: str, reason: Reason | None = None) -> bytes:
    """The client asked, or `reason` says why the gateway ended it."""
    message: dict[str, Any] = {"type": "unsubscribed", "channel": channel}
    if reason is not None:
        message["reason"] = reason
    return _frame(message, message_id)


def viewport(message_id: MessageId, resolution: int, tiles: Sequence[str]) -> bytes:
    """The answer to `viewport`: which tiles will come, at which resolution their cells are."""
    return _frame({"type": "viewport", "resolution": resolution, "tiles": tiles}, message_id)


def refreshed(message_id: MessageId, expires_at: str, expires_in_s: int) -> bytes:
    """The answer to `refresh`."""
    return _frame({"type": "refreshed", "expires_at": expires_at, "expires_in_s": expires_in_s}, message_id)


def ack(message_id: MessageId) -> bytes:
    """The answer to a heartbeat that has an id."""
    return _frame({"type": "ack"}, message_id)


def error(message_id: MessageId, code: ErrorCode, message: str, retry_after_ms: int | None = None) -> bytes:
    """What a message that was not obeyed gets."""
    answer: dict[str, Any] = {"type": "error", "code": code, "message": message}
    if retry_after_ms is not None:
        answer["retry_after_ms"] = retry_after_ms
    return _frame(answer, message_id)


def pace(background: bool) -> bytes:
    """The interval has changed."""
    heartbeat_s, ttl_s = pace_of(background)
    return _frame({"type": "pace", "heartbeat_s": heartbeat_s, "ttl_s": ttl_s})


def gap(channel: str) -> bytes:
    """The stream of a channel cannot be kept whole here."""
    return _frame({"type": "gap", "channel": channel})


def reconnect(after_ms: int, reason: str) -> bytes:
    """Before a planned close."""
    return _frame({"type": "reconnect", "after_ms": after_ms, "reason": reason})


def pong(message_id: MessageId) -> bytes:
    """The answer to `ping`."""
    return _PONG if message_id is None else _frame({"type": "pong"}, message_id)


def _frame(message: dict[str, Any], message_id: MessageId = None) -> bytes:
    if message_id is not None:
        message["id"] = message_id
    return text_frame(orjson.dumps(message))


_PONG: Final = text_frame(b'{"type":"pong"}')
STATUS: Final = {
    degraded: text_frame(orjson.dumps({"type": "status", "degraded": degraded})) for degraded in (False, True)
}
