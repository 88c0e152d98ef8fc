"""What the payment provider tells, in whatever order and however often, ends in the same entitlements and books."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import orjson
import pytest

from api.credits.service import Credits
from api.ddl import apply
from api.entitlements.rules import PAST_DUE_GRACE
from api.entitlements.service import Entitlements
from api.migrate import migrations
from config.db.database import Transaction
from config.errors import RetryLater
from tests.support.ledger import NOW, Ledger, connection, ledger, query
from tests.support.payments import charge, checkout, event, invoice, subscription
from tests.support.proxy import Proxy
from tests.support.stores import Database
from worker.books.audit import audit

MONTH = timedelta(days=30)


@pytest.fixture
async def books(database: Database) -> AsyncIterator[Ledger]:
    """With an audit of everything after each test."""
    async with ledger(database) as made:
        yield made
    async with connection(database.owner_url) as checked:
        assert await audit(checked) == []


class Told:
    """Tells one installation what happened, each event a second after the one before."""

    def __init__(self, books: Ledger) -> None:
        self.service = Entitlements(books.db, books.wake)
        self.count = 0

    async def __call__(self, kind: str, about: dict[str, Any], *, at: datetime | None = None, name: str = "") -> str:
        self.count += 1
        created = at or NOW - timedelta(hours=1) + timedelta(seconds=self.count)
        body = event(name or f"evt_{self.count}", kind, created, about)
        return await self.service.take(body, NOW)


@pytest.fixture
def tell(books: Ledger) -> Told:
    return Told(books)


async def balance(books: Ledger, user: UUID) -> int:
    return (await Credits(books.of(user)).balance(user)).credits


async def entries(books: Ledger, user: UUID) -> list[tuple[str, int]]:
    """Oldest first, without the welcome."""
    page = await Credits(books.of(user)).ledger(user, 100)
    return [(edge.node.reason, edge.node.amount) for edge in reversed(page.edges) if edge.node.reason != "welcome"]


async def until(books: Ledger, user: UUID) -> datetime | None:
    return (await Entitlements(books.of(user), books.wake).of_user(user, NOW)).subscribed_until


async def granted(books: Ledger) -> list[dict[str, Any]]:
    """Events of credits, as the relay is to carry them."""
    rows = await books.everything.fetch(query("SELECT event::text AS event FROM outbox ORDER BY id"))
    found = [orjson.loads(row["event"]) for row in rows]
    return [one for one in found if one["type"] == "credits_granted"]


async def test_a_paid_checkout_buys_credits_once(books: Ledger, tell: Told) -> None:
    """Once for an event, and once for a session that two events tell of. Seen failing with a claim for each event."""
    user = await books.user(credit=10)
    bought = checkout("cs_1", user, bought="100", payment_intent="pi_1")
    assert await tell("checkout.session.completed", bought, name="evt_a") == "taken"
    assert await tell("checkout.session.completed", bought, name="evt_a") == "repeated"
    assert await tell("checkout.session.completed", bought, name="evt_b") == "taken"
    assert await balance(books, user) == 110
    assert await entries(books, user) == [("purchase", 100)]
    (heard,) = await granted(books)
    assert heard["data"] == {"v": 1, "credits": 100, "reason": "purchase"}
    assert heard["visibility"] == ["PRIVATE"]
    assert heard["user"] == {"id": str(user), "name": "Ann"}


async def test_what_is_not_paid_buys_nothing_until_it_is(books: Ledger, tell: Told) -> None:
    """Seen failing without a look at payment_status."""
    user = await books.user(credit=0)
    await tell("checkout.session.completed", checkout("cs_1", user, bought="100", paid=False))
    assert await balance(books, user) == 0
    await tell("checkout.session.async_payment_succeeded", checkout("cs_1", user, bought="100"))
    assert await balance(books, user) == 100


async def test_refunds_are_a_part_and_count_up(books: Ledger, tell: Told) -> None:
    """Seen failing with what each event says taken off anew (100 - 33 - 50 - 100)."""
    user = await books.user(credit=0)
    await tell("charge.refunded", charge("ch_1", "pi_1", 333))  # before its purchase is known
    assert await entries(books, user) == []
    await tell("checkout.session.completed", checkout("cs_1", user, bought="100", payment_intent="pi_1"))
    assert await entries(books, user) == [("purchase", 100), ("refund", -33)]
    await tell("charge.refunded", charge("ch_1", "pi_1", 500))
    await tell("charge.refunded", charge("ch_1", "pi_1", 400), at=NOW - MONTH)  # late
    assert await balance(books, user) == 50
    await tell("charge.refunded", charge("ch_1", "pi_1", 1_000))
    assert await balance(books, user) == 0
    assert Counter(reason for reason, _ in await entries(books, user)) == {"purchase": 1, "refund": 3}


async def test_what_was_spent_is_owed_and_the_next_credits_pay_it(books: Ledger, tell: Told) -> None:
    """Seen failing (a CHECK, again and again) with a refund that takes it all."""
    user = await books.user(credit=0)
    await tell("checkout.session.completed", checkout("cs_1", user, bought="100", payment_intent="pi_1"))
    for key in ("1", "2", "3"):
        await books.log(user, key)
    await tell("charge.refunded", charge("ch_1", "pi_1", 1_000))
    assert await balance(books, user) == 0
    assert (await entries(books, user))[-1] == ("refund", -25)
    await tell("checkout.session.completed", checkout("cs_2", user, bought="60", payment_intent="pi_2"))
    assert (await entries(books, user))[-2:] == [("purchase", 60), ("refund", -60)]
    await tell("checkout.session.completed", checkout("cs_3", user, bought="60", payment_intent="pi_3"))
    assert (await entries(books, user))[-2:] == [("purchase", 60), ("refund", -15)]
    assert await balance(books, user) == 45


async def test_a_balance_stays_what_graphql_can_say(books: Ledger, tell: Told, database: Database) -> None:
    """What has no room waits for it. Seen failing with the whole of it posted: a CHECK, for ever."""
    user = await books.user(credit=2_147_483_600)
    await tell("checkout.session.completed", checkout("cs_1", user, bought="1000000", payment_intent="pi_1"))
    assert await balance(books, user) == 2_147_483_647
    await tell("charge.refunded", charge("ch_1", "pi_1", 1_000))
    assert await balance(books, user) == 2_147_483_600


async def test_a_subscription_belongs_to_whom_it_names_or_to_the_customer(books: Ledger, tell: Told) -> None:
    named, customer = await books.user(), await books.user()
    running = (NOW - MONTH / 2, NOW + MONTH / 2)
    await tell("customer.subscription.created", subscription("sub_1", "active", *running, customer="cus_1"))
    assert await until(books, customer) is None  # nobody knows whose it is
    await tell("checkout.session.completed", checkout("cs_1", customer, customer="cus_1"))
    assert await until(books, customer) == NOW + MONTH / 2
    await tell("customer.subscription.updated", subscription("sub_1", "active", *running, customer="cus_1", user=named))
    assert await until(books, customer) is None
    assert await until(books, named) == NOW + MONTH / 2
    what = await Entitlements(books.of(named), books.wake).of_user(named, NOW)
    assert (what.unlimited, what.reason) == (True, "SUBSCRIPTION")
    assert (await books.log(named, "free")).charged == 0


@pytest.mark.parametrize("newer", [True, False])
async def test_a_paid_invoice_extends_and_a_later_word_ends(books: Ledger, tell: Told, newer: bool) -> None:
    """In the shapes of both versions of the provider's API."""
    user = await books.user()

    def now(status: str, ended: datetime | None = None) -> dict[str, Any]:
        return subscription("sub_1", status, NOW - MONTH, NOW, user=user, ended=ended, in_items=newer)

    await tell("invoice.paid", invoice("in_1", "sub_1", NOW + MONTH, in_parent=newer))
    assert await until(books, user) is None
    await tell("customer.subscription.created", now("active"))
    assert await until(books, user) == NOW + MONTH
    await tell("customer.subscription.updated", now("past_due"))
    assert await until(books, user) == NOW + MONTH
    await tell("customer.subscription.deleted", now("canceled", NOW))
    assert await until(books, user) == NOW


async def test_of_one_second_the_later_kind_holds(books: Ledger, tell: Told) -> None:
    """`created` (incomplete) and `updated` (active) come within a second, and their ids say nothing. Seen failing with
    the id alone."""
    user = await books.user()
    period = NOW, NOW + MONTH
    for n, (kind, status) in enumerate((("updated", "active"), ("created", "incomplete"))):
        about = subscription("sub_1", status, *period, user=user)
        await tell(f"customer.subscription.{kind}", about, at=NOW - MONTH, name=f"evt_{n}")
    assert await until(books, user) == NOW + MONTH


async def test_past_due_is_a_grace(books: Ledger, tell: Told) -> None:
    user = await books.user()
    await tell(
        "customer.subscription.updated", subscription("sub_1", "past_due", NOW - MONTH / 10, NOW + MONTH, user=user)
    )
    assert await until(books, user) == NOW - MONTH / 10 + PAST_DUE_GRACE


async def test_many_at_once_end_as_one_after_the_other(books: Ledger, database: Database) -> None:
    """From processes that know nothing of each other."""
    user = await books.user(credit=0)
    told: list[tuple[str, dict[str, Any]]] = []
    for n in range(6):
        bought = checkout(f"cs_{n}", user, bought="100", payment_intent=f"pi_{n}", customer="cus_1")
        told += [("checkout.session.completed", bought), ("charge.refunded", charge(f"ch_{n}", f"pi_{n}", 500))]
    period = NOW, NOW + MONTH
    told.append(("customer.subscription.updated", subscription("sub_1", "active", *period, customer="cus_1")))
    bodies = [event(f"evt_{n}", kind, NOW - MONTH, about) for n, (kind, about) in enumerate(told)]
    async with ledger(database) as second, ledger(database) as third:
        processes = [Entitlements(one.db, one.wake) for one in (books, second, third)]
        outcomes = await asyncio.gather(*(one.take(body, NOW) for one in processes for body in bodies))
    assert Counter(outcomes) == {"taken": len(bodies), "repeated": 2 * len(bodies)}
    assert await balance(books, user) == 300
    assert await until(books, user) == NOW + MONTH


UNUSABLE: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("checkout.session.completed", checkout("cs_1", None, bought="100"), "no_user"),
    ("checkout.session.completed", checkout("cs_1", "Ann", bought="100"), "no_user"),
    ("checkout.session.completed", checkout("cs_1", UUID(int=7), bought="100"), "unknown_user"),
    ("charge.refunded", charge("ch_1", None, 100), "no_payment"),
    ("charge.refunded", charge("ch_1", "pi_1", 10**30, 10**30), "bad_amount"),
    ("charge.refunded", charge("ch_1", "pi_1", 10**15, 10**15), "bad_amount"),
    ("charge.refunded", charge("ch_1", "pi_1", 2_000), "bad_amount"),
    ("charge.refunded", charge("ch_1", "pi_1", 0, 0), "bad_amount"),
    ("invoice.paid", invoice("in_1", None, NOW), "no_subscription"),
    ("customer.subscription.updated", {"id": "sub_1"}, "unreadable"),
    ("customer.subscription.updated", {}, "unreadable"),
    ("payment_intent.succeeded", {"id": "pi_1"}, "other_type"),
)
NO_CREDITS: tuple[object, ...] = (
    "",
    "0",
    "-5",
    "1e9",
    "9" * 200,
    "12.5",
    "ten",
    100,
    ["1"],
    {},
    "\u0661\u0662",
    "1000001",
)


async def test_what_cannot_be_used_is_taken_and_said(tell: Told) -> None:
    """Seen failing with amounts of any size, whose product with credits no bigint holds."""
    for kind, about, outcome in UNUSABLE:
        assert await tell(kind, about) == outcome


async def test_credits_that_are_no_number_buy_nothing(books: Ledger, tell: Told) -> None:
    """And the checkout still names the customer. Seen failing with int(…): a ValueError."""
    user = await books.user(credit=0)
    for n, credits_told in enumerate(NO_CREDITS):
        period = NOW, NOW + (n + 1) * MONTH
        await tell("customer.subscription.updated", subscription(f"sub_{n}", "active", *period, customer=f"cus_{n}"))
        bought = checkout(f"cs_{n}", user, bought=credits_told, customer=f"cus_{n}")
        assert await tell("checkout.session.completed", bought) == "bad_credits"
        assert await until(books, user) == NOW + (n + 1) * MONTH
    assert await balance(books, user) == 0


async def test_the_application_may_take_events_and_grant_nothing(books: Ledger, database: Database) -> None:
    await books.user()
    async with connection(database.url) as app:
        for statement in (
            "SELECT grant_credits(gen_random_uuid(), viewer(), 100, now())",
            "SELECT settle_credits(viewer(), now())",
            "SELECT claim_purchase('cs_1', now())",
            "UPDATE credit_claims SET wanted = wanted + 1",
            "INSERT INTO purchases SELECT * FROM purchases",
            "INSERT INTO flags (key, version, updated_at) VALUES ('challenges', 1, now())",
            "SELECT reason FROM admin_actions",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(statement)
        with pytest.raises(asyncpg.InvalidTransactionStateError):
            async with app.transaction(isolation="read_committed"):
                await app.execute("SELECT take_invoice('evt', 'invoice.paid', now(), now(), 'sub_1', now())")


async def test_each_statement_of_the_migration_bears_being_run_again(books: Ledger, database: Database) -> None:
    """It is not one transaction, so it may have ended anywhere. Seen failing with a CREATE TABLE without IF NOT
    EXISTS."""
    user = await books.user()
    file = next(one for one in migrations() if one.number == 17)

    async def note() -> None:
        """It is noted already."""

    async with connection(database.owner_url) as owner:
        await apply(owner, file.sql, note)
        assert await owner.fetchval("SELECT count(*) FROM credit_balances") == 1
    assert await balance(books, user) == 100


async def test_a_database_that_is_away_is_asked_again_later(books: Ledger, database: Database) -> None:
    """And an event whose answer is lost was taken, once."""
    user = await books.user(credit=0)
    bodies = [
        event(f"evt_{n}", "checkout.session.completed", NOW, checkout(f"cs_{n}", user, bought="100")) for n in (1, 2)
    ]
    parts = urlsplit(database.url)
    assert parts.hostname
    assert parts.port
    async with (
        Proxy(parts.hostname, parts.port).running() as proxy,
        ledger(database, url=proxy.url(database.url)) as away,
    ):
        service = Entitlements(away.db, away.wake)
        proxy.cut_at(b"COMMIT", "after")
        assert await service.take(bodies[0], NOW) == "repeated"
        assert (proxy.cuts, await balance(books, user)) == (1, 100)
        proxy.refuse = True
        await proxy.cut()
        with pytest.raises(RetryLater):
            await service.take(bodies[1], NOW)
    assert await Entitlements(books.db, books.wake).take(bodies[1], NOW) == "taken"
    assert await balance(books, user) == 200


async def test_who_is_gone_is_no_reason_to_fail(books: Ledger, tell: Told) -> None:
    """The account stays under its pseudonym, and what was refunded is taken from it."""
    user = await books.user(credit=0)
    await tell("checkout.session.completed", checkout("cs_1", user, bought="100", payment_intent="pi_1"))
    await tell("customer.subscription.updated", subscription("sub_1", "active", NOW, NOW + MONTH, user=user))

    async def leave(tx: Transaction) -> None:
        await tx.execute(query("DELETE FROM users WHERE id = $1"), user)

    await books.everything.write(leave)
    assert await tell("charge.refunded", charge("ch_1", "pi_1", 1_000)) == "taken"
    assert await tell("customer.subscription.deleted", subscription("sub_1", "canceled", NOW, NOW)) == "taken"
    assert await tell("checkout.session.completed", checkout("cs_2", user, bought="5")) == "unknown_user"
