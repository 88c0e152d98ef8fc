"""What the payment provider's events say, as facts. Pure.

An event that is read wrong is sent again for days, so nothing raises here: what cannot be used is `Ignored`, with a
word for the log that repeats nothing of the event. Only ASCII without blanks is taken for an id.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import orjson

from api.entitlements.rules import standing
from config.limits import CREDITS_PER_PURCHASE_MAX

_ID_CHARS_MAX: Final = 255
_AMOUNT_MAX: Final = 10**12  # in a currency's smallest unit; with CREDITS_PER_PURCHASE_MAX a product fits a bigint
_TIME_MAX: Final = 253_402_300_799  # the last second of the year 9999
_LINES_MAX: Final = 100  # of an invoice; the provider sends no more with an event


class Notice(msgspec.Struct, frozen=True):
    """`created` is the provider's time: of two words about one object the later holds."""

    id: str
    type: str
    created: datetime


class Checkout(msgspec.Struct, frozen=True):
    """A completed checkout of `user`. `credits` is None where none were bought, or not paid yet; `defect`: a word for
    what could not be used of it."""

    event: Notice
    session: str
    user: UUID
    customer: str | None
    credits: int | None
    payment: str | None
    defect: str = ""


class Refunded(msgspec.Struct, frozen=True):
    """Of the `amount` of a charge so much was refunded in all."""

    event: Notice
    charge: str
    payment: str
    amount: int
    refunded: int


class Subscribed(msgspec.Struct, frozen=True):
    """How a subscription stands; `rank` orders events of one second. `user`: whom it names itself."""

    event: Notice
    subscription: str
    user: UUID | None
    customer: str | None
    rank: int
    status: str
    until: datetime | None
    extends: bool


class InvoicePaid(msgspec.Struct, frozen=True):
    """A subscription is paid up to `until`."""

    event: Notice
    subscription: str
    until: datetime


class Ignored(msgspec.Struct, frozen=True):
    """Nothing to do, for a `reason`. `defect`: somebody should look at it; other events are none."""

    reason: str
    type: str = ""
    defect: bool = False


Fact = Checkout | Refunded | Subscribed | InvoicePaid


def read(body: bytes) -> Fact | Ignored:
    """What an event says whose signature is good."""
    try:
        event: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Ignored("unreadable", defect=True)
    kind = _id(event, "type") if isinstance(event, dict) else None
    reader = _READERS.get(kind or "")
    if kind is None or reader is None:
        return Ignored("other_type", (kind or "")[:64])
    identity, created, about = _id(event, "id"), _moment(event, "created"), _part(_part(event, "data"), "object")
    if identity is None or created is None or not about:
        return Ignored("unreadable", kind, defect=True)
    return reader(Notice(identity, kind, created), about)


def _checkout(event: Notice, session: Mapping[str, Any]) -> Fact | Ignored:
    identity, user = _id(session, "id"), _uuid(session, "client_reference_id")
    if identity is None or user is None:
        return Ignored("no_user", event.type, defect=True)
    told = _part(session, "metadata").get("credits")
    bought = _credits(told)
    defect = "bad_credits" if told is not None and bought is None else ""
    paid = bought if session.get("payment_status") == "paid" else None
    return Checkout(event, identity, user, _id(session, "customer"), paid, _id(session, "payment_intent"), defect)


def _charge(event: Notice, charge: Mapping[str, Any]) -> Fact | Ignored:
    identity, payment = _id(charge, "id"), _id(charge, "payment_intent")
    amount, refunded = _whole(charge, "amount"), _whole(charge, "amount_refunded")
    if identity is None or payment is None:
        return Ignored("no_payment", event.type, defect=True)
    if not amount or refunded is None or refunded > amount:
        return Ignored("bad_amount", event.type, defect=True)
    return Refunded(event, identity, payment, amount, refunded)


def _subscription(event: Notice, subscription: Mapping[str, Any]) -> Fact | Ignored:
    identity, status = _id(subscription, "id"), _id(subscription, "status")
    if identity is None or status is None:
        return Ignored("unreadable", event.type, defect=True)
    # Until 2025 a subscription had its period itself; since then each of its items has one.
    places = [subscription, *_list(_part(subscription, "items"), "data")]
    starts = [at for place in places if (at := _moment(place, "current_period_start"))]
    ends = [at for place in places if (at := _moment(place, "current_period_end"))]
    until, extends = standing(
        status,
        period_start=max(starts, default=None),
        period_end=max(ends, default=None),
        ended_at=_moment(subscription, "ended_at") or _moment(subscription, "canceled_at") or event.created,
    )
    return Subscribed(
        event,
        identity,
        _uuid(_part(subscription, "metadata"), "user_id"),
        _id(subscription, "customer"),
        _RANKS[event.type],
        status,
        until,
        extends,
    )


def _invoice(event: Notice, invoice: Mapping[str, Any]) -> Fact | Ignored:
    details = _part(_part(invoice, "parent"), "subscription_details")  # since 2025; before, the invoice says it itself
    subscription = _id(details, "subscription") or _id(invoice, "subscription")
    lines = _list(_part(invoice, "lines"), "data")[:_LINES_MAX]
    ends = [at for line in lines if (at := _moment(_part(line, "period"), "end"))]
    if subscription is None or not ends:
        return Ignored("no_subscription", event.type)
    return InvoicePaid(event, subscription, max(ends))


_RANKS: Final = {
    "customer.subscription.created": 0,
    "customer.subscription.updated": 1,
    "customer.subscription.deleted": 2,
}
_READERS: Final = {
    "checkout.session.completed": _checkout,
    "checkout.session.async_payment_succeeded": _checkout,  # the money of a completed one came later
    "charge.refunded": _charge,
    "invoice.paid": _invoice,
    **dict.fromkeys(_RANKS, _subscription),
}


def _part(value: Any, name: str) -> Mapping[str, Any]:
    """The object of this name; an empty one where there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _list(value: Mapping[str, Any], name: str) -> list[Any]:
    found = value.get(name)
    return found if isinstance(found, list) else []


def _id(value: Mapping[str, Any], name: str) -> str | None:
    """An id, or a word; also of an object that was expanded in its place."""
    found = value.get(name)
    if isinstance(found, dict):
        found = found.get("id")
    if not isinstance(found, str) or not 0 < len(found) <= _ID_CHARS_MAX:
        return None
    return found if found.isascii() and found.isprintable() and " " not in found else None


def _uuid(value: Mapping[str, Any], name: str) -> UUID | None:
    try:
        return UUID(_id(value, name) or "")
    except ValueError:
        return None


def _whole(value: Mapping[str, Any], name: str, most: int = _AMOUNT_MAX) -> int | None:
    found = value.get(name)
    return found if type(found) is int and 0 <= found <= most else None  # a bool is no number


def _moment(value: Any, name: str) -> datetime | None:
    """A unix time as an instant."""
    found = _whole(value, name, _TIME_MAX) if isinstance(value, dict) else None
    return datetime.fromtimestamp(found, UTC) if found else None


def _credits(told: Any) -> int | None:
    """Credits as metadata say them, in digits; None where it is no number from 1 to CREDITS_PER_PURCHASE_MAX."""
    if not (isinstance(told, str) and told.isascii() and told.isdigit() and len(told) <= _ID_CHARS_MAX):
        return None
    return int(told) if 1 <= int(told) <= CREDITS_PER_PURCHASE_MAX else None
