"""What people and their browsers bring: passwords however typed, names, and the cookies of several installations."""

import re
import unicodedata
import uuid

import httpx2
import pytest
from argon2 import PasswordHasher

from api.accounts.rules import COOKIE
from tests.integration.api.conftest import Running
from tests.integration.api.test_accounts import LOGIN, LOGOUT, REFRESH, REGISTER, body

APART = "Cafe\u0301 Mu\u0308ller \uff11"  # a keyboard that sends accents apart, and a wide digit
COMPOSED = unicodedata.normalize("NFKC", APART)


def log_in(client: httpx2.Client, email: str, password: str) -> int:
    return client.post(LOGIN, json={"email": email, "password": password}).status_code


def test_a_password_fits_however_it_is_typed(client: httpx2.Client) -> None:
    """Seen failing: 401 from the other keyboard."""
    wish = body(password=APART)
    assert client.post(REGISTER, json=wish).status_code == 201
    assert [log_in(client, wish["email"], one) for one in (APART, COMPOSED, "Cafe Muller 1")] == [200, 200, 401]


def test_the_hash_of_yesterday_goes_on_working(api: Running, client: httpx2.Client) -> None:
    """It was made of the text as it came. Seen failing with only the normal form tried."""
    account = api.account()
    yesterday = PasswordHasher().hash(APART)
    user = uuid.UUID(account.id)
    api.sql("UPDATE users SET password_hash = $2 WHERE id = $1", user, yesterday)
    assert log_in(client, account.email, COMPOSED) == 401  # nobody knows yet that it is the same
    assert log_in(client, account.email, APART) == 200
    (row,) = api.sql("SELECT password_hash FROM users WHERE id = $1", user)
    assert row["password_hash"] != yesterday
    assert log_in(client, account.email, COMPOSED) == 200
    assert log_in(client, account.email, APART) == 200


@pytest.mark.parametrize(("name", "status"), [("\u200d", 400), ("\u3164", 400), ("\u2800", 400), ("\U0001fae9", 201)])
def test_a_name_shows_something(client: httpx2.Client, name: str, status: int) -> None:
    """Seen failing: 201 for the first three, and 400 for an emoji of Unicode 16."""
    assert client.post(REGISTER, json=body(name=name)).status_code == status


# --- cookies: browsers have one jar for all ports of a host


def send(api: Running, path: str, **cookies: str) -> httpx2.Response:
    """A request with these cookies and a client that keeps nothing."""
    with api.client() as client:
        return client.post(path, headers={"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())})


def removed(answer: httpx2.Response) -> set[str]:
    """Cookies that the browser forgets by this answer."""
    told = answer.headers.get_list("set-cookie")
    return {line.partition("=")[0] for line in told if re.search("max-age=0", line, re.IGNORECASE)}


def test_two_installations_on_one_machine_do_not_sign_each_other_out(api: Running) -> None:
    """Seen failing: whoever signed in at the other port overwrote this one's cookie, and its refresh removed it."""
    account = api.account()
    answer = send(api, REFRESH, **{api.cookie: account.refresh_token, "refresh_token_1": "x" * 43})
    assert answer.status_code == 200
    assert set(answer.cookies) == {api.cookie}
    assert api.cookie == f"{COOKIE}_{api.service.port}"
    # With the other's cookie alone: nobody here, and it is left where it is.
    assert removed(send(api, REFRESH, refresh_token_1="x" * 43)) <= {api.cookie}
    assert removed(send(api, REFRESH, refresh_token="x" * 43)) <= {api.cookie}
    assert removed(send(api, LOGOUT, refresh_token="x" * 43)) <= {api.cookie}


def test_the_cookie_of_yesterday_counts_once(api: Running) -> None:
    """Seen failing without it: everybody was signed out by the update."""
    account = api.account()
    answer = send(api, REFRESH, refresh_token=account.refresh_token)
    assert answer.status_code == 200
    assert removed(answer) == {COOKIE}
    assert answer.cookies[api.cookie]
    # The new one goes before it from then on.
    again = send(api, REFRESH, **{api.cookie: answer.cookies[api.cookie], COOKIE: account.refresh_token})
    assert (again.status_code, removed(again)) == (200, set())


def test_signing_out_by_the_cookie_of_yesterday(api: Running) -> None:
    account = api.account()
    assert send(api, LOGOUT, refresh_token=account.refresh_token).status_code == 204
    assert send(api, REFRESH, refresh_token=account.refresh_token).status_code == 401


# --- preflights


def preflight(client: httpx2.Client, origin: str) -> httpx2.Response:
    asked = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "apollographql-client-name,baggage,content-type,sentry-trace,traceparent",
    }
    return client.options("/api/graphql", headers=asked)


def test_a_preflight_allows_what_clients_and_tracing_send(client: httpx2.Client) -> None:
    """Apollo Client, OpenTelemetry, Sentry. Seen failing: the browser never sent the request."""
    answer = preflight(client, "https://app.example")
    allowed = {name.strip() for name in answer.headers["access-control-allow-headers"].split(",")}
    wanted = "authorization content-type x-request-id apollo-require-preflight x-apollo-operation-name"
    tracing = "apollographql-client-name apollographql-client-version traceparent tracestate baggage sentry-trace"
    assert {*wanted.split(), *tracing.split()} <= allowed
    assert preflight(client, "https://evil.example").status_code == 403
