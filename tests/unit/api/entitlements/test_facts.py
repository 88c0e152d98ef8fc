"""What the payment provider's events say, and that nothing which it may say raises."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.entitlements.facts import Checkout, Ignored, InvoicePaid, Refunded, Subscribed, read
from api.entitlements.rules import PAST_DUE_GRACE, standing
from config.ids import uuid7
from tests.support.payments import charge, checkout, event, invoice, subscription

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
START, END, OVER = NOW - timedelta(days=3), NOW + timedelta(days=27), NOW - timedelta(days=1)
KINDS = {
    "checkout.session.completed": checkout("cs_1", uuid7(), bought="100", customer="cus_1", payment_intent="pi_1"),
    "checkout.session.async_payment_succeeded": checkout("cs_1", uuid7(), bought="100"),
    "charge.refunded": charge("ch_1", "pi_1", 500),
    "customer.subscription.created": subscription("sub_1", "active", START, END, customer="cus_1", user=uuid7()),
    "customer.subscription.updated": subscription("sub_1", "past_due", START, END, customer="cus_1"),
    "customer.subscription.deleted": subscription("sub_1", "canceled", START, END, ended=OVER),
    "invoice.paid": invoice("in_1", "sub_1", END),
}
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("status", "until", "extends"),
    [
        ("active", END, True),
        ("trialing", END, True),
        ("past_due", START + PAST_DUE_GRACE, True),
        ("unpaid", START, False),
        ("canceled", OVER, False),
        ("incomplete", None, False),
        ("incomplete_expired", None, False),
        ("paused", None, False),
        ("of another day", None, False),
    ],
)
def test_each_status_entitles_as_the_table_says(status: str, until: datetime | None, extends: bool) -> None:
    assert standing(status, period_start=START, period_end=END, ended_at=OVER) == (until, extends)


def test_past_due_is_never_more_than_the_period() -> None:
    short = START + timedelta(days=1)
    assert standing("past_due", period_start=START, period_end=short, ended_at=OVER) == (short, True)
    assert standing("past_due", period_start=None, period_end=None, ended_at=OVER) == (None, True)


def test_each_kind_is_read() -> None:
    kinds = {kind: type(read(event("evt_1", kind, NOW, about))) for kind, about in KINDS.items()}
    assert list(kinds.values()) == [Checkout, Checkout, Refunded, Subscribed, Subscribed, Subscribed, InvoicePaid]


@pytest.mark.parametrize("in_items", [True, False])
def test_a_period_is_read_where_either_version_has_it(in_items: bool) -> None:
    """Seen failing with the period of the subscription alone: nobody is entitled since 2025."""
    about = subscription("sub_1", "active", START, END, in_items=in_items)
    fact = read(event("evt_1", "customer.subscription.updated", NOW, about))
    assert isinstance(fact, Subscribed)
    assert fact.until == END


def test_what_is_expanded_counts_by_its_id() -> None:
    about = checkout("cs_1", uuid7(), customer={"id": "cus_1", "email": "ann@example.org"})
    fact = read(event("evt_1", "checkout.session.completed", NOW, about))
    assert isinstance(fact, Checkout)
    assert fact.customer == "cus_1"


@pytest.mark.parametrize("seconds", [253_402_300_800, 2**63 - 1, 0, -1, 1.5, True, "1", None])
def test_a_time_that_no_calendar_has_is_none(seconds: Any) -> None:
    """Seen failing (ValueError) with the year 10000."""
    about = subscription("sub_1", "active", START, END, user=uuid7())
    about["items"]["data"][0]["current_period_end"] = seconds
    fact = read(event("evt_1", "customer.subscription.updated", NOW, about))
    assert isinstance(fact, Subscribed)
    assert fact.until is None


@given(kind=st.sampled_from(sorted(KINDS)), name=st.text(max_size=9) | st.none(), value=ANY, data=st.data())
def test_nothing_that_is_signed_raises(kind: str, name: str | None, value: Any, data: st.DataObject) -> None:
    """Any part of any kind of event replaced by anything."""
    whole = orjson.loads(event("evt_1", kind, NOW, KINDS[kind]))
    place = whole
    while True:
        inner = [key for key, one in place.items() if isinstance(one, dict)]
        key = data.draw(st.sampled_from(sorted(place)) if place else st.just("x"))
        if key in inner and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key if name is None else name] = value
        break
    assert isinstance(read(orjson.dumps(whole)), Checkout | Refunded | Subscribed | InvoicePaid | Ignored)


@given(body=st.binary(max_size=60))
def test_nor_does_what_is_no_event(body: bytes) -> None:
    assert isinstance(read(body), Ignored)
