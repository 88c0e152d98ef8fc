"""The payment provider's webhook over the real process: who may say what, and what follows for the user."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from config.limits import HTTP_BODY_BYTES_MAX
from rt.auth.tokens import Keys, verify_access
from tests.integration.api.conftest import Account, Running
from tests.support.payments import charge, checkout, event, signed, subscription

PATH = "/api/v1/webhooks/stripe"
ENTITLEMENTS = "{ entitlements { unlimited reason subscribedUntil credits } }"


def post(client: httpx2.Client, body: bytes, headers: dict[str, str] | None = None) -> httpx2.Response:
    return client.post(PATH, content=body, headers=signed(body) if headers is None else headers)


def bought(account: Account, number: int = 1, **more: Any) -> bytes:
    about = checkout(f"cs_{account.id}_{number}", account.id, bought="100", **more)
    return event(f"evt_{account.id}_{number}", "checkout.session.completed", datetime.now(UTC), about)


def tier(api: Running, token: str) -> str:
    keys = Keys.from_jwks(api.client().get("/.well-known/jwks.json").content)
    return verify_access(token, keys, "musclemap", "musclemap", time.time()).tier


def test_a_signed_event_buys_credits_once(api: Running, client: httpx2.Client) -> None:
    account = api.account()
    body = bought(account)
    outcomes = [post(client, body) for _ in range(3)]
    assert [answer.status_code for answer in outcomes] == [200] * 3
    assert [answer.json()["outcome"] for answer in outcomes] == ["taken", "repeated", "repeated"]
    assert account.graphql(ENTITLEMENTS)["data"]["entitlements"]["credits"] == 200
    ledger = account.graphql("{ creditLedger { edges { node { reason amount } } } }")["data"]["creditLedger"]["edges"]
    assert [edge["node"] for edge in ledger] == [
        {"reason": "purchase", "amount": 100},
        {"reason": "welcome", "amount": 100},
    ]
    (told,) = api.sql(
        "SELECT event -> 'data' ->> 'credits' AS credits FROM outbox WHERE event #>> '{user,id}' = $1", account.id
    )
    assert told["credits"] == "100"


def test_whoever_subscribes_is_premium_from_the_next_token_on(api: Running, client: httpx2.Client) -> None:
    """Seen failing with the tier of the table alone."""
    account = api.account()
    now = datetime.now(UTC).replace(microsecond=0)
    assert tier(api, account.token) == "free"

    def told(name: str, status: str, end: datetime) -> None:
        about = subscription(f"sub_{account.id}", status, now, end, customer=f"cus_{account.id}", ended=end)
        body = event(f"evt_{account.id}_{name}", f"customer.subscription.{name}", now, about)
        assert post(client, body).json()["outcome"] == "taken"

    told("created", "active", now + timedelta(days=30))
    assert post(client, bought(account, customer=f"cus_{account.id}")).status_code == 200
    shown = account.graphql(ENTITLEMENTS)["data"]["entitlements"]
    until = (now + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert shown == {"unlimited": True, "reason": "SUBSCRIPTION", "subscribedUntil": until, "credits": 200}
    renewed = account.client.post("/api/v1/auth/refresh").json()["accessToken"]
    assert tier(api, renewed) == "premium"
    told("deleted", "canceled", now)
    assert tier(api, account.client.post("/api/v1/auth/refresh").json()["accessToken"]) == "free"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"stripe-signature": ""}, 400),
        ({"stripe-signature": "t=1"}, 400),
        ({"stripe-signature": "t=1,v1=é"}, 400),
        ({"stripe-signature": "t=" + "9" * 5000 + ",v1=0"}, 400),
        ({"stripe-signature": "t=1,v1=" + "0" * 64}, 400),
    ],
)
def test_without_a_good_signature_nothing_is_read(
    api: Running, client: httpx2.Client, headers: dict[str, str], status: int
) -> None:
    """Seen failing (500) with a header that is not ASCII, which the library compares as it is."""
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = client.post(PATH, content=bought(api.account()), headers=raw)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, "BAD_INPUT")


def test_a_signature_is_of_this_body_this_secret_and_now(api: Running, client: httpx2.Client) -> None:
    account = api.account()
    body, other = bought(account), bought(account, 2)
    now = int(time.time())
    refused = [
        signed(other),
        signed(body, "whsec_of_somebody"),
        signed(body, at=now - 400),
        {"stripe-signature": signed(body)["stripe-signature"].replace("v1=", "v0=")},
    ]
    for headers in refused:
        assert post(client, body, headers).status_code == 400
    assert post(client, b"\xff", signed(body)).status_code == 400
    assert account.graphql(ENTITLEMENTS)["data"]["entitlements"]["credits"] == 100
    assert post(client, body, signed(body, "whsec_of_before", now - 200)).status_code == 200
    assert account.graphql(ENTITLEMENTS)["data"]["entitlements"]["credits"] == 200


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"type": "charge.refunded"}', b'{"type": 7}', b"null", b"[" * 5000]
)
def test_what_is_signed_and_no_event_is_not_sent_again(client: httpx2.Client, body: bytes) -> None:
    assert post(client, body).status_code == 200


def test_a_body_is_bounded_and_only_posted(client: httpx2.Client) -> None:
    body = b" " * (HTTP_BODY_BYTES_MAX + 1)
    assert post(client, body).status_code == 413
    assert client.get(PATH).status_code == 405


def test_a_flood_without_signatures_touches_no_database(api: Running, client: httpx2.Client) -> None:
    """Seen failing with a lookup of the event before its signature."""

    def statements() -> float:
        text = client.get("/metrics").text
        lines = [line for line in text.splitlines() if line.startswith("pg_query_duration_seconds_count")]
        return sum(float(line.rpartition(" ")[2]) for line in lines if "entitlements." in line)

    body = b"x" * 1_000
    before = statements()
    headers = signed(body, "whsec_of_somebody")
    assert {post(client, body, headers).status_code for _ in range(100)} == {400}
    assert {post(client, body, {}).status_code for _ in range(100)} == {400}
    assert statements() == before


def test_a_refund_of_what_nobody_bought_waits(api: Running, client: httpx2.Client) -> None:
    account = api.account()
    now = datetime.now(UTC)
    refunded = event(f"evt_{account.id}", "charge.refunded", now, charge(f"ch_{account.id}", f"pi_{account.id}", 250))
    assert post(client, refunded).json() == {"received": True, "outcome": "taken"}
    assert post(client, bought(account, payment_intent=f"pi_{account.id}")).status_code == 200
    assert account.graphql(ENTITLEMENTS)["data"]["entitlements"]["credits"] == 175
