"""The auditor holds what was bought, given back and granted against what the payment provider and admins said."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from api.admin import Act, grant, parser
from api.entitlements.service import Entitlements
from tests.support.ledger import connection, ledger
from tests.support.payments import charge, checkout, event, subscription
from tests.support.stores import Database
from worker.books.audit import CHECKS, WINDOW_CHECKS

# What to do to the tables behind the triggers' back, and the checks that must say so: of everything and of a window.
PAYMENT_DEFECTS: Final = {
    "credits of another source": (
        "UPDATE ledger_transactions SET source = 'cs_9' WHERE reason = 'purchase'",
        {"wrong_claim", "movement_without_claim"},
    ),
    "credits of no source": (
        (
            "ALTER TABLE ledger_transactions DROP CONSTRAINT ledger_transactions_source_step;"
            " UPDATE ledger_transactions SET source = NULL, step = NULL WHERE reason = 'purchase'"
        ),
        {"wrong_claim", "movement_without_claim"},
    ),
    "a purchase that is claimed twice over": (
        "UPDATE credit_claims SET wanted = wanted * 2, booked = booked * 2 WHERE reason = 'purchase'",
        {"wrong_claim", "wrong_purchase"},
    ),
    "a purchase for somebody else": (
        (
            "UPDATE credit_claims SET wanted = 0, booked = 0, steps = 0 WHERE reason = 'purchase';"
            " INSERT INTO credit_claims SELECT gen_random_uuid(), reason, source, 100, 0, 0, now() FROM credit_claims"
            " WHERE reason = 'purchase'"
        ),
        {"wrong_claim", "wrong_purchase"},
    ),
    "a purchase that nobody made": ("DELETE FROM purchases", {"wrong_purchase"}),
    "a purchase that was not claimed": (
        "DELETE FROM credit_claims WHERE reason <> 'grant'",
        {"wrong_purchase", "movement_without_claim"},
    ),
    "a refund that was not claimed": ("UPDATE payment_refunds SET refunded = amount", {"wrong_purchase"}),
    "a debt beside credits": (
        "UPDATE payment_refunds SET refunded = amount; UPDATE credit_claims SET wanted = -100 WHERE reason = 'refund'",
        {"wrong_claim"},
    ),
    "a step that was not booked": (
        "UPDATE credit_claims SET steps = steps + 1 WHERE reason = 'grant'",
        {"wrong_claim"},
    ),
    "a grant that no admin gave": ("DELETE FROM admin_actions", {"wrong_grant"}),
    "a grant that was not claimed": (
        "DELETE FROM credit_claims WHERE reason = 'grant'",
        {"wrong_grant", "movement_without_claim"},
    ),
    "a grant of more than was said": ("""UPDATE admin_actions SET arguments = '{"credits": 6}'""", {"wrong_grant"}),
    "a subscription that goes on": (
        "UPDATE users SET subscribed_until = now() + interval '9 days'",
        {"wrong_subscription"},
    ),
}
ALWAYS: Final = (UUID(int=0), UUID(int=2**128 - 1), datetime(1, 1, 2, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))


async def test_the_auditor_finds_every_planted_defect_of_payments(database: Database) -> None:
    """By the audit of everything and by that of a window; sound books have none."""
    now = datetime.now(UTC)
    async with ledger(database) as books, connection(database.superuser_url) as superuser:
        user = await books.user(credit=0)
        service = Entitlements(books.db, books.wake)
        for n, (kind, about) in enumerate(
            (
                (
                    "checkout.session.completed",
                    checkout("cs_1", user, bought="100", payment_intent="pi_1", customer="cus"),
                ),
                ("charge.refunded", charge("ch_1", "pi_1", 500)),
                (
                    "customer.subscription.created",
                    subscription("sub_1", "active", now, now + timedelta(days=30), customer="cus"),
                ),
            )
        ):
            assert await service.take(event(f"evt_{n}", kind, now, about), now) == "taken"
        async with superuser.transaction(isolation="serializable"):
            await grant(Act(superuser), parser().parse_args(["grant", str(user), "5", "--reason", "a test"]))

        async def found() -> tuple[set[str], set[str]]:
            whole = {name for name, one in CHECKS.items() if await superuser.fetch(one.sql, 20)}
            return whole, {name for name, one in WINDOW_CHECKS.items() if await superuser.fetch(one.sql, 20, *ALWAYS)}

        assert await found() == (set(), set())
        for name, (statement, expected) in PAYMENT_DEFECTS.items():
            planted = superuser.transaction()
            await planted.start()
            await superuser.execute("SET LOCAL session_replication_role TO replica")  # triggers sleep
            await superuser.execute(statement)
            whole, window = await found()
            await planted.rollback()
            assert whole == expected, name
            assert window == expected, name
