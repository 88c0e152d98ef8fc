"""Every order and repetition of what the payment provider tells ends in the same: held against a plain model, and each
order against another one."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final, NamedTuple
from uuid import UUID

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from api.entitlements.rules import standing
from api.entitlements.service import Entitlements
from config.errors import InsufficientCredits
from tests.support.ledger import NOW, Ledger, connection, ledger, query
from tests.support.payments import charge, checkout, event, invoice, subscription
from tests.support.stores import Database
from worker.books.audit import audit

DAY = timedelta(days=1)
START = 30  # credits of each user
WORKOUT = 25
PEOPLE = 2
RANKS = {"created": 0, "updated": 1, "deleted": 2}


class Said(NamedTuple):
    """One event: its place among those of its second, and what it says by small numbers."""

    kind: str
    at: int
    about: int
    person: int | None
    value: int
    more: int


# Few objects, so that events meet.
SECONDS = st.integers(0, 3)
OBJECTS = st.sampled_from([0, 0, 0, 1])
SOMEBODY = st.integers(0, PEOPLE - 1)
CREDITS = st.sampled_from([0, 40, 100, 130])  # 0 = unpaid
CUSTOMERS = st.sampled_from([0, 0, 1, 2])  # 2 = none
BACK = st.sampled_from([0, 333, 500, 999, 1_000])  # of 1,000
SAYS = st.one_of(
    st.builds(Said, st.just("checkout"), SECONDS, OBJECTS, SOMEBODY, CREDITS, CUSTOMERS),
    st.builds(Said, st.just("refund"), SECONDS, OBJECTS, st.none(), BACK, st.just(0)),
    st.builds(
        Said,
        st.sampled_from(["created", "updated", "deleted"]),
        SECONDS,
        OBJECTS,
        st.none() | SOMEBODY,
        st.sampled_from([0, 0, 0, *range(8)]),  # status
        st.integers(0, 5),  # customer, and one of three periods
    ),
    st.builds(Said, st.just("invoice"), SECONDS, OBJECTS, st.none(), st.integers(1, 90), st.just(0)),
)
STATUSES = ("active", "trialing", "past_due", "unpaid", "canceled", "incomplete", "paused", "of_another_day")


@dataclass
class Told:
    """What is told in two parts, people train in between; and another order of each, with repetitions."""

    first: list[Said]
    second: list[Said]
    other_first: list[int]
    other_second: list[int]


@st.composite
def told(draw: st.DrawFn) -> Told:
    first, second = draw(st.lists(SAYS, min_size=4, max_size=8)), draw(st.lists(SAYS, max_size=4))

    def order(size: int) -> list[int]:
        again = draw(st.lists(st.integers(0, size - 1), max_size=2)) if size else []
        return draw(st.permutations([*range(size), *again]))

    return Told(first, second, order(len(first)), order(len(second)))


class World:
    """A number of users and objects of their own in the one database."""

    numbers = count()

    def __init__(self, books: Ledger) -> None:
        self.name = f"{next(self.numbers):06}"
        self.books = books
        self.service = Entitlements(books.db, books.wake)
        self.users: list[UUID] = []

    async def begin(self) -> None:
        self.users = [await self.books.user(credit=START) for _ in range(PEOPLE)]

    def body(self, said: Said, number: int) -> bytes:
        """The event; its id sorts by `number`."""
        w = self.name
        who = None if said.person is None else self.users[said.person]
        about: dict[str, Any]
        match said.kind:
            case "checkout":
                kind, paid = "checkout.session.completed", said.value > 0
                customer = None if said.more == 2 else f"cus_{w}_{said.more}"
                about = checkout(f"cs_{w}_{said.about}", who, bought=str(said.value or 7), paid=paid, customer=customer)
                about["payment_intent"] = f"pi_{w}_{said.about}"
            case "refund":
                kind, about = "charge.refunded", charge(f"ch_{w}_{said.about}", f"pi_{w}_{said.about}", said.value)
            case "invoice":
                kind, about = "invoice.paid", invoice("in", f"sub_{w}_{said.about}", NOW + said.value * DAY)
            case _:
                kind = f"customer.subscription.{said.kind}"
                start, end, ended = times(said)
                about = subscription(
                    f"sub_{w}_{said.about}",
                    STATUSES[said.value],
                    start,
                    end,
                    customer=f"cus_{w}_{said.more % 2}",
                    user=who,
                    ended=ended,
                )
        return event(f"evt_{w}_{number:02}", kind, made(said), about)

    async def tell(self, all_said: Sequence[Said], order: Sequence[int], offset: int) -> None:
        for n in order:
            await self.service.take(self.body(all_said[n], offset + n), NOW)

    async def train(self, key: str) -> None:
        for user in self.users:
            for n in range(4):
                try:
                    await self.books.log(user, f"{key}{n}")
                except InsufficientCredits:
                    break

    async def ends(self) -> list[Any]:
        """Of each user: balance, end of the entitlement, the books by reason, and what each source wants."""
        found = []
        for user in self.users:
            row = await self.books.everything.fetchrow(_END, user)
            wants = {
                (one["reason"], one["source"].replace(self.name, "")): one["wanted"]
                for one in await self.books.everything.fetch(_WANTS, user)
                if one["wanted"]
            }
            moved = await self.books.everything.fetch(_BOOKS, user)
            booked = {one["reason"]: one["booked"] for one in moved if one["booked"]}
            found.append((row["credits"], row["subscribed_until"], booked, wants))
        return found


_END = query(
    "SELECT b.credits, u.subscribed_until FROM users AS u JOIN credit_balances AS b USING (account_id) WHERE u.id = $1"
)
_WANTS = query("SELECT c.* FROM users AS u JOIN credit_claims AS c USING (account_id) WHERE u.id = $1")
_BOOKS = query(
    "SELECT t.reason, sum(e.amount)::bigint AS booked FROM users AS u JOIN ledger_entries AS e USING (account_id)"
    " JOIN ledger_transactions AS t ON t.id = e.transaction_id WHERE u.id = $1 GROUP BY t.reason"
)


def made(said: Said) -> datetime:
    return NOW - DAY + timedelta(seconds=said.at)


def times(said: Said) -> tuple[datetime, datetime, datetime]:
    """The period of a subscription, and when it ended."""
    start = NOW - 10 * DAY + (said.more // 2) * 9 * DAY
    return start, start + 30 * DAY, start + 5 * DAY


def newest(found: dict[Any, tuple[Any, Any]], key: Any, rank: tuple[Any, ...], value: Any) -> None:
    if key not in found or found[key][0] < rank:
        found[key] = (rank, value)


class Model:
    """The same in plain Python, of a set of events."""

    def __init__(self, all_said: Sequence[Said]) -> None:
        sessions: dict[int, Any] = {}
        refunds: dict[int, Any] = {}
        customers: dict[int, Any] = {}
        standings: dict[int, Any] = {}
        paid: dict[int, datetime] = {}
        for n, one in enumerate(all_said):
            if one.kind == "checkout":
                if one.value:
                    newest(sessions, one.about, (one.at, n), (one.person, one.value))
                if one.more < 2:
                    newest(customers, one.more, (one.at, n), one.person)
            elif one.kind == "refund":
                newest(refunds, one.about, (one.at, one.value, n), one.value)
            elif one.kind == "invoice":
                paid[one.about] = max(paid.get(one.about, NOW), NOW + one.value * DAY)
            else:
                start, end, ended = times(one)
                until, extends = standing(STATUSES[one.value], period_start=start, period_end=end, ended_at=ended)
                rank = (one.at, RANKS[one.kind], until or datetime.min.replace(tzinfo=NOW.tzinfo), n)
                newest(standings, one.about, rank, (one.person, one.more % 2, until, extends))
        self.credits = [0] * PEOPLE
        for session, (_, (person, bought)) in sessions.items():
            back = refunds[session][1] if session in refunds else 0
            self.credits[person] += bought - bought * back // 1_000
        self.until: list[datetime | None] = [None] * PEOPLE
        for about, (_, (named, customer, until, extends)) in standings.items():
            owner = named if named is not None else customers.get(customer, (None, None))[1]
            ends = [at for at in (until, paid.get(about) if extends else None) if at is not None]
            if owner is not None and ends:
                before = self.until[owner]
                self.until[owner] = max([*ends, *([] if before is None else [before])])


def judge(one: list[Any], other: list[Any], model: Model) -> None:
    """Both are the same, and what the model says: but that a balance is never below 0."""
    assert one == other
    for (credits_now, until, booked, _), wanted, wanted_until in zip(one, model.credits, model.until, strict=True):
        assert until == wanted_until
        assert credits_now == max(0, START + wanted + booked.get("workout", 0))


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@settings(max_examples=40, phases=(Phase.generate,))  # an example takes a tenth of a second: none is made smaller
@given(told=told())
def run_orders(told: Told, books: Ledger, runner: asyncio.Runner) -> None:
    async def work() -> None:
        one, other = World(books), World(books)
        for world in (one, other):
            await world.begin()
        await one.tell(told.first, range(len(told.first)), 0)
        await other.tell(told.first, told.other_first, 0)
        judge(await one.ends(), await other.ends(), Model(told.first))
        for world in (one, other):
            await world.train("between")
        await one.tell(told.second, range(len(told.second)), len(told.first))
        await other.tell(told.second, told.other_second, len(told.first))
        judge(await one.ends(), await other.ends(), Model([*told.first, *told.second]))

    runner.run(work())


# A session whose credits are told anew after they were spent: no room for all that is to be taken back.
TOLD_ANEW: Final = Told(
    first=[
        Said("invoice", 1, 1, None, 16, 0),
        Said("checkout", 0, 0, 1, 0, 0),
        Said("refund", 1, 0, None, 999, 0),
        Said("checkout", 3, 0, 0, 130, 2),
        Said("refund", 3, 0, None, 500, 0),
        Said("refund", 0, 0, None, 0, 0),
    ],
    second=[
        Said("refund", 3, 0, None, 1000, 0),
        Said("checkout", 3, 0, 0, 100, 2),
        Said("invoice", 3, 0, None, 19, 0),
        Said("checkout", 1, 0, 0, 40, 1),
    ],
    other_first=[2, 3, 1, 4, 0, 5],
    other_second=[2, 1, 3, 2, 0],
)


def test_no_order_and_no_repetition_makes_a_difference(database: Database, runner: asyncio.Runner) -> None:
    """40 sets of events in two orders each, one with repetitions; people spend credits in between, so that some refunds
    find nothing to take. Seen failing with: the newest event as it comes; a refund that is forgotten before its
    purchase; a customer whose subscription came first; credits of a session added up; refunds that keep their room."""
    context = ledger(database)
    books = runner.run(context.__aenter__())
    try:
        run_orders.hypothesis.inner_test(TOLD_ANEW, books, runner)  # type: ignore[attr-defined]
        run_orders(books=books, runner=runner)

        async def audited() -> list[Any]:
            async with connection(database.owner_url) as owner:
                return await audit(owner)

        assert runner.run(audited()) == []
    finally:
        runner.run(context.__aexit__(None, None, None))
