"""Events as the payment provider sends them, with the parts that matter and some that do not; and their signature."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from stripe import WebhookSignature

SECRET = "whsec_of_the_tests"


def event(identity: str, kind: str, created: datetime, about: dict[str, Any]) -> bytes:
    """The body of a webhook."""
    return json.dumps(  # a number may be larger than 64 bits
        {
            "id": identity,
            "object": "event",
            "api_version": "2025-03-31.basil",
            "created": int(created.timestamp()),
            "type": kind,
            "livemode": False,
            "pending_webhooks": 1,
            "data": {"object": about},
        }
    ).encode()


def signed(body: bytes, secret: str = SECRET, at: int | None = None) -> dict[str, str]:
    """The headers by which the provider's own library knows it."""
    header = WebhookSignature.generate_signature_header(body.decode(), secret, at)
    return {"stripe-signature": header, "content-type": "application/json; charset=utf-8"}


def checkout(
    session: str, user: UUID | str | None, *, bought: object = None, paid: bool = True, **more: Any
) -> dict[str, Any]:
    """A checkout session. `more`: `customer`, `payment_intent`, or whatever else."""
    return {
        "id": session,
        "object": "checkout.session",
        "mode": "payment",
        "currency": "eur",
        "amount_total": 1_000,
        "client_reference_id": None if user is None else str(user),
        "metadata": {} if bought is None else {"credits": bought},
        "payment_status": "paid" if paid else "unpaid",
        "customer": None,
        "payment_intent": None,
    } | more


def charge(identity: str, payment: str | None, refunded: int, amount: int = 1_000) -> dict[str, Any]:
    """A charge of which so much was refunded in all."""
    return {
        "id": identity,
        "object": "charge",
        "amount": amount,
        "amount_refunded": refunded,
        "currency": "eur",
        "payment_intent": payment,
        "refunded": refunded == amount,
    }


def subscription(
    identity: str,
    status: str,
    start: datetime,
    end: datetime,
    *,
    customer: str | None = None,
    user: UUID | None = None,
    ended: datetime | None = None,
    in_items: bool = True,
) -> dict[str, Any]:
    """A subscription; its period lies in its items, or as in older versions in itself."""
    period = {"current_period_start": int(start.timestamp()), "current_period_end": int(end.timestamp())}
    made: dict[str, Any] = {
        "id": identity,
        "object": "subscription",
        "status": status,
        "customer": customer,
        "metadata": {} if user is None else {"user_id": str(user)},
        "ended_at": None if ended is None else int(ended.timestamp()),
        "items": {"object": "list", "data": [{"id": f"si_{identity}", **(period if in_items else {})}]},
    }
    return made if in_items else made | period


def invoice(identity: str, of: str | None, end: datetime, *, in_parent: bool = True) -> dict[str, Any]:
    """A paid invoice of a subscription, which it names as it does today or as in older versions."""
    parent = {"type": "subscription_details", "subscription_details": {"subscription": of}}
    return {
        "id": identity,
        "object": "invoice",
        "status": "paid",
        "lines": {"object": "list", "data": [{"id": "il_1", "period": {"start": 1, "end": int(end.timestamp())}}]},
        **({"parent": parent} if in_parent else {"subscription": of}),
    }
