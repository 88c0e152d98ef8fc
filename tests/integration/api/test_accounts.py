"""Accounts over HTTP: joining, signing in, rotation and what a copied token costs."""

import asyncio
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import httpx2
import pytest
from redis.asyncio import Redis

from rt.auth.tokens import Keys, verify_access
from rt.wire.bus import CONTROL_CHANNEL, JWKS_KEY
from tests.integration.api.conftest import PASSWORD, Account, Running
from tests.support.stores import TestStores

REGISTER, LOGIN, REFRESH, LOGOUT = (f"/api/v1/auth/{word}" for word in ("register", "login", "refresh", "logout"))


def body(**changes: Any) -> dict[str, Any]:
    return {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD, "name": "Ada", **changes}


def refresh(api: Running, token: str, **headers: str) -> httpx2.Response:
    """A refresh by this very token, with a client that keeps nothing."""
    with api.client() as client:
        return client.post(REFRESH, headers={"cookie": f"{api.cookie}={token}", **headers})


def cookie(answer: httpx2.Response) -> str:
    (token,) = [value for name, value in answer.cookies.items() if name.startswith("refresh_token") and value]
    return token


def signed_in(api: Running) -> tuple[Account, str]:
    account = api.account()
    return account, account.refresh_token


def test_joining_gives_trial_and_welcome_credits(api: Running, client: httpx2.Client) -> None:
    wish = body(email=f"  {uuid.uuid4().hex}@EXAMPLE.com ", name=" Ada  Lovelace ")
    answer = client.post(REGISTER, json=wish)
    assert answer.status_code == 201
    user = answer.json()["user"]
    assert set(user) == {"id", "name", "email"}
    assert (user["email"], user["name"]) == (wish["email"].strip().lower(), "Ada Lovelace")
    assert not answer.cookies
    signed = client.post(LOGIN, json=wish).json()
    assert (set(signed), signed["expiresIn"], signed["user"]) == ({"accessToken", "expiresIn", "user"}, 900, user)
    account = Account(client, user["email"], user["id"], signed["accessToken"])
    data = account.graphql(
        "{ me { id name email audience } creditBalance { credits version } "
        "entitlements { unlimited reason trialEndsAt credits } "
        "creditLedger { edges { node { amount balanceAfter reason workoutId } } pageInfo { hasNextPage } } }"
    )["data"]
    assert data["me"] == {**user, "audience": "EVERYONE"}
    assert data["creditBalance"] == {"credits": 100, "version": 1}
    assert (data["entitlements"]["unlimited"], data["entitlements"]["reason"]) == (True, "TRIAL")
    entry = data["creditLedger"]["edges"][0]["node"]
    assert entry == {"amount": 100, "balanceAfter": 100, "reason": "welcome", "workoutId": None}


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "abc"},
        {"password": "x" * 5_000},
        {"password": 12345678},
        {"email": "nobody"},
        {"email": None},
        {"name": ""},
        {"name": "x" * 81},
        {"name": "a\u202eb"},
        {"password": "a\0bcdefgh"},
    ],
)
def test_a_bad_wish_to_join_is_400(client: httpx2.Client, changes: dict[str, Any]) -> None:
    answer = client.post(REGISTER, json=body(**changes))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BAD_INPUT")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"{}", b'{"email": "\\ud800"}', b"[" * 5_000])
def test_what_is_no_request_is_400(client: httpx2.Client, content: bytes) -> None:
    answer = client.post(REGISTER, content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BAD_INPUT")


def test_an_address_joins_once_however_many_try(api: Running) -> None:
    """Six at once, by several spellings. Seen failing (500) with the unique violation uncaught."""
    wish = body()
    spellings = [wish["email"], wish["email"].upper()] * 3

    def join(email: str) -> int:
        with api.client() as client:
            while (answer := client.post(REGISTER, json={**wish, "email": email})).status_code == 503:
                time.sleep(int(answer.headers["retry-after"]))  # a machine on which six hashes take over 5 s
            return answer.status_code

    with ThreadPoolExecutor(6) as threads:
        assert sorted(threads.map(join, spellings)) == [201] + [409] * 5
    rows = api.sql(
        "SELECT count(*) AS n FROM users JOIN credit_balances USING (account_id) WHERE email = $1", wish["email"]
    )
    assert rows[0]["n"] == 1


def test_unknown_address_and_wrong_password_read_the_same(api: Running, client: httpx2.Client) -> None:
    account = api.account()
    wrong = client.post(LOGIN, json={"email": account.email, "password": "wrong horse"})
    unknown = client.post(LOGIN, json={"email": "nobody@example.com", "password": "wrong horse"})
    none = client.post(LOGIN, json={"email": "no address", "password": "x"})
    assert [answer.status_code for answer in (wrong, unknown, none)] == [401, 401, 401]
    assert wrong.json() == unknown.json() == none.json()
    assert wrong.json()["error"]["code"] == "UNAUTHENTICATED"
    api.service.logged("http_request", none.headers["x-request-id"])  # whatever it says of the three is written by then
    log = api.service.log.read_text()
    assert "sign_in_failed" in log
    assert account.email not in log
    assert PASSWORD not in log


def test_the_cookie_is_for_the_browser_alone(api: Running) -> None:
    account = api.account()
    answer = account.client.post(REFRESH)
    attributes = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "path=/api/v1/auth", "samesite=strict", "max-age=604800"} <= attributes


def test_each_refresh_hands_out_the_next_token(api: Running) -> None:
    _, first = signed_in(api)
    second = refresh(api, first)
    assert second.status_code == 200
    assert set(second.json()) == {"accessToken", "expiresIn", "user"}
    third = refresh(api, cookie(second))
    assert third.status_code == 200
    assert len({first, cookie(second), cookie(third)}) == 3
    assert not api.sql("SELECT 1 FROM refresh_tokens WHERE token_hash = convert_to($1, 'utf8')", first)


def test_a_lost_answer_may_be_asked_for_again(api: Running) -> None:
    """Twenty at once by one token: one chain, nobody signed out. Seen failing with a random successor."""
    _, first = signed_in(api)
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: refresh(api, first), range(20)))
    assert {answer.status_code for answer in answers} == {200}
    successors = {cookie(answer) for answer in answers}
    assert len(successors) == 1
    assert refresh(api, successors.pop()).status_code == 200


def test_however_late_as_long_as_its_successor_was_never_used(api: Running) -> None:
    """Six days after a lost answer. Seen failing with ten seconds for it: 401, and the session ended everywhere."""
    _, first = signed_in(api)
    lost = cookie(refresh(api, first))
    api.sql("UPDATE refresh_tokens SET rotated_at = rotated_at - interval '6 days' WHERE rotated_at IS NOT NULL")
    again = refresh(api, first)
    assert (again.status_code, cookie(again)) == (200, lost)
    assert refresh(api, lost).status_code == 200
    assert refresh(api, first).status_code == 401  # now its successor was used: somebody has a copy
    assert refresh(api, lost).status_code == 401


def test_a_retry_after_the_key_was_changed_gets_a_token_that_is_good(api: Running) -> None:
    """Seen failing with a successor that nobody had stored: the next refresh was 401."""
    _, first = signed_in(api)
    assert refresh(api, first).status_code == 200
    # As another key had made it: the successor has another hash.
    api.sql("UPDATE refresh_tokens SET token_hash = sha256(token_hash) WHERE rotated_at IS NULL AND generation = 2")
    assert refresh(api, cookie(refresh(api, first))).status_code == 200


def test_a_rotated_token_that_comes_back_ends_the_session_everywhere(api: Running) -> None:
    """Seen failing with the end of the session left out of the transaction, and with no word on the bus."""
    account, first = signed_in(api)
    second = cookie(refresh(api, first))
    third = cookie(refresh(api, second))

    async def steal_and_listen() -> tuple[int, bytes]:
        redis = Redis.from_url(api.env["REDIS_URL"])
        async with redis.pubsub() as subscription:
            await subscription.subscribe(CONTROL_CHANNEL)
            answer = await asyncio.to_thread(refresh, api, first)
            async with asyncio.timeout(20):
                async for message in subscription.listen():
                    if message["type"] == "message" and b"revoke" in message["data"]:
                        break
        await redis.aclose()
        return answer.status_code, message["data"]

    status, word = asyncio.run(steal_and_listen())
    assert status == 401
    session = api.sql("SELECT id, revoked_reason FROM sessions WHERE user_id = $1", uuid.UUID(account.id))[0]
    assert (session["revoked_reason"], str(session["id"]).encode() in word) == ("reuse", True)
    dead = refresh(api, third)
    assert dead.status_code == 401
    assert "max-age=0" in dead.headers["set-cookie"].lower()
    assert api.service.logged("refresh_token_reused")


def test_the_token_before_the_previous_one_is_stolen_even_at_once(api: Running) -> None:
    _, first = signed_in(api)
    second = cookie(refresh(api, first))
    third = cookie(refresh(api, second))
    assert refresh(api, first).status_code == 401
    assert refresh(api, third).status_code == 401


def test_signing_out_ends_the_session(api: Running) -> None:
    account, token = signed_in(api)
    assert account.client.post(LOGOUT).status_code == 204
    assert refresh(api, token).status_code == 401
    assert account.client.post(LOGOUT).status_code == 204


def test_signing_out_works_by_the_access_token_too(api: Running) -> None:
    account, token = signed_in(api)
    with api.client() as other:
        assert other.post(LOGOUT, headers={"authorization": f"Bearer {account.token}"}).status_code == 204
    assert refresh(api, token).status_code == 401


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "x" * 5_000, "%00", "a;b"])
def test_a_token_that_never_was_is_401(api: Running, token: str) -> None:
    assert refresh(api, token).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.test"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "text/plain"},
        {"content-type": "multipart/form-data; boundary=x"},
    ],
)
def test_another_site_cannot_use_the_cookie(api: Running, headers: dict[str, str]) -> None:
    """Seen failing with the check left out of `refresh`."""
    _, token = signed_in(api)
    assert refresh(api, token, **headers).status_code == 403
    with api.client() as client:
        assert client.post(LOGOUT, headers={"cookie": f"{api.cookie}={token}", **headers}).status_code == 403
    assert refresh(api, token).status_code == 200


def test_our_own_page_may_use_the_cookie(api: Running) -> None:
    for headers in ({"origin": api.url}, {"origin": "https://app.example"}, {"sec-fetch-site": "same-origin"}):
        _, token = signed_in(api)
        assert refresh(api, token, **headers).status_code == 200


def test_a_page_of_our_name_by_another_scheme_is_another_site(api: Running) -> None:
    """Seen failing with the scheme left out: 200, and 401 for the wrong password."""
    _, token = signed_in(api)
    other = {"host": "10.0.0.7:8000", "origin": "https://10.0.0.7:8000"}
    assert refresh(api, token, **other).status_code == 403
    with api.client() as client:
        assert client.post(LOGIN, json={"email": "a@b.example", "password": "x"}, headers=other).status_code == 403
    ours = {"host": "10.0.0.7:8000", "origin": "http://10.0.0.7:8000", "cookie": f"refresh_token_8000={token}"}
    assert refresh(api, token, **ours).status_code == 200


async def test_the_log_of_the_database_names_nobody(api: Running, stores: TestStores) -> None:
    """A second sign-up with one address, one with a row that a check refuses, one by a broken statement. Seen failing
    with `DETAIL:  Key (lower(email))=(…) already exists.`, `Failing row contains (…)` and the statement's text."""
    person = body(email="log-canary@example.com", name="Log Canary")
    with api.client() as client:
        assert [client.post(REGISTER, json=person).status_code for _ in range(2)] == [201, 409]
    connection = await asyncpg.connect(api.database.superuser_url)
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute("UPDATE users SET name = '' WHERE lower(email) = $1", person["email"])
        with pytest.raises(asyncpg.UndefinedTableError):
            await connection.execute("SELECT 'log-canary' FROM nowhere")
    finally:
        await connection.close()
    log = stores.postgres.log.read_text("utf-8")
    assert "duplicate key value" in log
    assert "violates check constraint" in log
    assert not [line for line in log.splitlines() if "log-canary" in line.lower()]


def test_the_gateway_finds_the_keys_in_redis(api: Running) -> None:
    """Also after Redis was wiped. Seen failing with the set written once at the start."""
    account = api.account()

    async def published() -> bytes:
        redis = Redis.from_url(api.env["REDIS_URL"])
        await redis.delete(JWKS_KEY)
        end = time.monotonic() + 10
        found = None
        while found is None and time.monotonic() < end:
            await asyncio.sleep(0.05)
            found = await redis.get(JWKS_KEY)
        await redis.aclose()
        assert isinstance(found, bytes)
        return found

    keys = Keys.from_jwks(asyncio.run(published()))
    with api.client() as client:
        shown = client.get("/.well-known/jwks.json").json()["keys"]
    assert [key["kid"] for key in shown] == list(keys.by_kid)
    assert all("d" not in key for key in shown)
    access = verify_access(account.token, keys, "musclemap", "musclemap", time.time())
    assert access.user == account.id
