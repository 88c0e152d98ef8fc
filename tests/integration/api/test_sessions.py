"""What a signed access token is worth: nothing once its session has ended, and never a crash."""

import asyncio
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx2
import jwt
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from api.accounts.revocations import Revocations
from config.db.database import Database
from config.db.postgres import connect, make_pool
from config.ids import uuid7
from config.limits import REVOCATIONS_EVERY_S, SESSIONS_PER_USER_MAX
from config.redis import connect as connect_redis
from config.settings import Settings
from rt.auth.tokens import Access
from rt.wire.bus import CONTROL_CHANNEL, REVOKED_KEY
from tests.integration.api.conftest import PASSWORD, Account, Running
from tests.integration.api.test_accounts import LOGIN, LOGOUT, cookie, refresh

ME = {"query": "{ me { id } }"}
EVERYTHING = (
    "{ me { id } creditBalance { credits } entitlements { credits } creditLedger { edges { cursor } }"
    " myWorkouts { edges { cursor } } dashboard { edges { cursor } } }"
)


def asks(account: Account) -> tuple[int, dict[str, Any]]:
    """Status and answer of a question by the access token."""
    answer = account.client.post("/api/graphql", json=ME, headers={"authorization": f"Bearer {account.token}"})
    body: dict[str, Any] = answer.json()
    return answer.status_code, body


def refused(account: Account) -> bool:
    status, body = asks(account)
    return status == 401 and body["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


def soon_refused(account: Account) -> bool:
    """Within what an end that nobody told takes to be compared."""
    end = time.monotonic() + REVOCATIONS_EVERY_S + 5
    while time.monotonic() < end:
        if refused(account):
            return True
        time.sleep(0.05)
    return False


def session_of(account: Account) -> str:
    sid: str = jwt.decode(account.token, options={"verify_signature": False})["sid"]
    return sid


def test_no_access_token_is_honoured_after_signing_out(api: Running) -> None:
    """Seen failing before the API asked: 200 for the rest of the token's 15 minutes."""
    account = api.account()
    assert asks(account)[0] == 200
    assert account.client.post(LOGOUT).status_code == 204
    assert refused(account)


def test_nor_after_a_refresh_token_was_used_twice(api: Running) -> None:
    """Seen failing before the API asked."""
    account = api.account()
    second = cookie(refresh(api, account.refresh_token))
    assert refresh(api, second).status_code == 200
    assert refresh(api, account.refresh_token).status_code == 401
    assert refused(account)


def test_nor_after_whatever_else_ends_a_session(api: Running) -> None:
    """A password change or an administrator, in PostgreSQL alone. Seen failing before the API asked."""
    account = api.account()
    assert asks(account)[0] == 200
    ended = "UPDATE sessions SET revoked_at = now(), revoked_reason = 'password' WHERE user_id = $1"
    api.sql(ended, uuid.UUID(account.id))
    assert soon_refused(account)


def test_what_another_process_tells_the_gateways_holds_here(api: Running) -> None:
    """By the bus, and by the set, where also users stand. Seen failing without the listener, and without the read."""
    told, kept = api.account(), api.account()

    async def tell() -> None:
        redis = Redis.from_url(api.env["REDIS_URL"])
        await redis.publish(CONTROL_CHANNEL, b'{"t":"revoke","sids":["%b"]}' % session_of(told).encode())
        await redis.zadd(REVOKED_KEY, {f"user:{kept.id}": time.time() + 60})
        await redis.aclose()

    asyncio.run(tell())
    assert soon_refused(told)
    assert soon_refused(kept)


async def test_the_api_refuses_without_redis_too(api: Running) -> None:
    """Seen failing with PostgreSQL asked only after Redis had answered."""
    account = await asyncio.to_thread(api.account)
    await asyncio.to_thread(
        api.sql,
        "UPDATE sessions SET revoked_at = now(), revoked_reason = 'admin' WHERE user_id = $1",
        uuid.UUID(account.id),
    )
    pool = make_pool(Settings(database_url=api.database.url))
    await connect(pool)
    redis = connect_redis("redis://127.0.0.1:1/0")
    revocations = Revocations(Database(pool), redis)
    try:
        with pytest.raises(Exception, match="1"):
            await revocations.bring()
        access = Access(account.id, session_of(account), ("user",), "free", 2**40, 0, "everyone", 0)
        assert revocations.covers(access)
    finally:
        await redis.aclose()
        await pool.close()


def test_a_session_that_newer_ones_push_out_is_ended(api: Running) -> None:
    """Its token, and by the bus its sockets. Seen failing with the row deleted: nothing could end it any more."""
    account = api.account()
    now = datetime.now(UTC)
    api.sql(
        "INSERT INTO sessions (id, user_id, created_at, expires_at)"
        " SELECT id, $2, $3::timestamptz + n * interval '1 s', $3::timestamptz + interval '7 days'"
        "   FROM unnest($1::uuid[]) WITH ORDINALITY AS new (id, n)",
        *([uuid7() for _ in range(1, SESSIONS_PER_USER_MAX)], uuid.UUID(account.id), now),
    )
    assert asks(account)[0] == 200
    with api.client() as client:
        assert client.post(LOGIN, json={"email": account.email, "password": PASSWORD}).status_code == 200
    assert refused(account)
    row = api.sql("SELECT revoked_reason FROM sessions WHERE id = $1", uuid.UUID(session_of(account)))
    assert row[0]["revoked_reason"] == "displaced"
    open_ones = api.sql(
        "SELECT count(*) AS n FROM sessions WHERE user_id = $1 AND revoked_at IS NULL", uuid.UUID(account.id)
    )
    assert open_ones[0]["n"] == SESSIONS_PER_USER_MAX

    async def told() -> bool:
        redis = Redis.from_url(api.env["REDIS_URL"])
        score = await redis.zscore(REVOKED_KEY, f"sid:{session_of(account)}")
        await redis.aclose()
        return score is not None

    assert asyncio.run(told())


# --- claims


def claims(api: Running, account: Account, **changes: Any) -> str:
    """A token with other claims, signed by the API's own key."""
    whole = jwt.decode(account.token, options={"verify_signature": False}) | changes
    left = {name: value for name, value in whole.items() if value is not ...}
    return jwt.encode(left, api.signer._key, "ES256", headers={"kid": api.signer.kid, "typ": "at+jwt"})


@pytest.mark.parametrize(
    "changes",
    [
        {"tier": "gold"},
        {"tier": "anonymous"},
        {"tier": 5},
        {"sub": "u1"},
        {"sub": "01980000000070008000000000000001"},  # an id in another spelling
        {"sid": "s"},
        {"sub": ["x"]},
        {"roles": "admin"},
        {"presence": "all"},
    ],
    ids=str,
)
def test_a_signed_token_with_claims_that_nobody_knows_is_401(api: Running, changes: dict[str, Any]) -> None:
    """Seen failing with `tier: gold` (KeyError, 500), `sub: u1` (ValueError, 500), and `sid: s` at the logout (500)."""
    account = api.account()
    bearer = {"authorization": f"Bearer {claims(api, account, **changes)}"}
    with api.client() as client:
        answer = client.post("/api/graphql", json=ME, headers=bearer)
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")
        assert client.post(LOGOUT, headers=bearer).status_code == 204


def test_a_signed_token_of_nobody_is_told_so(api: Running) -> None:
    """Seen failing with NOT_FOUND for balance and entitlements."""
    account = api.account()
    account.token = claims(api, account, sub=str(uuid7()))
    body = account.graphql("{ creditBalance { credits } }")
    assert body["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    body = account.graphql("{ entitlements { credits } }")
    assert body["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert account.graphql(ME["query"])["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


NAMES = ("iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp", "email", "roles", "tier", "presence")
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.just(...)
    | st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40)
    | st.uuids().map(str),
    lambda inner: st.lists(inner.filter(lambda one: one is not ...), max_size=2),
    max_leaves=4,
)


@given(changes=st.dictionaries(st.sampled_from((*NAMES, "account_created_at")), VALUES, min_size=1, max_size=2))
@example({"sub": "u1"})
@example({"tier": "gold"})
@example({"sid": "s"})
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_signed_is_no_crash(api: Running, shared: tuple[Account, httpx2.Client], changes: Any) -> None:
    """Claims of any type, signed with the right key: an answer or 401. Seen failing as above."""
    account, client = shared
    try:
        token = claims(api, account, **changes)
    except (TypeError, jwt.PyJWTError):  # the library that signs refuses it
        return
    answer = client.post("/api/graphql", json={"query": EVERYTHING}, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code in (200, 401)
    assert "INTERNAL" not in answer.text


@pytest.fixture
def shared(api: Running) -> tuple[Account, httpx2.Client]:
    account = api.account()
    return account, account.client
