"""Entitlements in PostgreSQL: rows to values; decides nothing."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from api.entitlements.facts import Checkout, Fact, InvoicePaid, Refunded, Subscribed
from api.entitlements.rules import Entitlement, entitlement_of
from config.db.database import Database, Transaction
from config.db.queries import Query, load_queries

_QUERIES: Final = load_queries(__file__)
_ENTITLEMENTS: Final = _QUERIES["entitlements"]
_TAKE_CHECKOUT: Final = _QUERIES["take_checkout"]
_TAKE_REFUND: Final = _QUERIES["take_refund"]
_TAKE_SUBSCRIPTION: Final = _QUERIES["take_subscription"]
_TAKE_INVOICE: Final = _QUERIES["take_invoice"]

# Two that came at once: the other one was first, and a repeat sees it.
_TWINS: Final = frozenset(
    {
        "payment_events_pkey",
        "purchases_pkey",
        "payment_refunds_pkey",
        "payment_customers_pkey",
        "subscriptions_pkey",
        "credit_claims_pkey",
        "ledger_transactions_source",
    }
)
_LANE: Final = "payments"  # one after the other in a process: those of one user come together


async def entitlement(db: Database, user_id: UUID, now: datetime) -> Entitlement | None:
    """What a user may do at `now`, or None where there is no such user."""
    row = await db.fetchrow(_ENTITLEMENTS, user_id, now)
    if row is None:
        return None
    return entitlement_of(row["unlimited_reason"], row["trial_ends_at"], row["subscribed_until"], row["credits"])


async def take(db: Database, fact: Fact, now: datetime) -> str:
    """Keeps a fact and books what follows from it, in one transaction: `taken`, `repeated` or `unknown_user`. Nobody
    asks here: the functions run as the owner."""
    query, args = _call(fact)
    event = fact.event

    async def work(tx: Transaction) -> str:
        outcome: str = await tx.fetchval(query, event.id, event.type, event.created, now, *args)
        return outcome

    async def settle(_: Transaction) -> str | None:
        return None  # done or not, the event's id tells when it is taken again

    return await db.write(work, lane=_LANE, settle=settle, twins=_TWINS)


def _call(fact: Fact) -> tuple[Query, tuple[Any, ...]]:
    match fact:
        case Checkout():
            return _TAKE_CHECKOUT, (fact.session, fact.user, fact.customer, fact.credits, fact.payment)
        case Refunded():
            return _TAKE_REFUND, (fact.charge, fact.payment, fact.amount, fact.refunded)
        case Subscribed():
            named = (fact.subscription, fact.user, fact.customer)
            return _TAKE_SUBSCRIPTION, (*named, fact.rank, fact.status, fact.until, fact.extends)
        case InvoicePaid():
            return _TAKE_INVOICE, (fact.subscription, fact.until)
