"""Whom other apps let in, by keys of their own, and what a widget token is good for."""

from typing import Any

import orjson
import pytest

from rt.auth.apps import (
    NO_APPS,
    Apps,
    NoAppError,
    decode,
    digest_of,
    encode,
    namespace_of,
    verify_channel,
    verify_user,
    verify_widget,
)
from rt.auth.tokens import TokenExpired, TokenInvalid, TokenKeyUnknown
from tests.support.tokens import AUDIENCE, ISSUER, Mint

NOW = 1_800_000_000.0
APP, OTHER, WIDGET = (Mint(clock=lambda: NOW, kid=name) for name in ("app-key", "other-key", "w1"))
PAGE = "https://gym.example"
CHANNEL = "app:meals:lunch"


def app(namespace: str, mint: Mint, **changes: Any) -> dict[str, Any]:
    keys = orjson.loads(mint.jwks)["keys"]
    return {"namespace": namespace, "open": False, "users": False, "presence": False, "keys": keys} | changes


def widgets(*ids: str) -> list[dict[str, Any]]:
    return [{"id": one, "origin": PAGE, "key": orjson.loads(WIDGET.jwks)["keys"][0]} for one in ids]


APPS = decode(encode([app("meals", APP, users=True), app("polls", OTHER)], widgets("w1")))


def user_token(mint: Mint = APP, **changes: Any) -> str:
    claims = {"iss": "meals", "aud": AUDIENCE, "sub": "ann", "exp": int(NOW) + 60} | changes
    return mint.sign({name: value for name, value in claims.items() if value is not None}, typ="at+jwt")


def channel_token(mint: Mint = APP, **changes: Any) -> str:
    claims = {"iss": "meals", "aud": AUDIENCE, "sub": "ann", "channel": CHANNEL, "exp": int(NOW) + 60} | changes
    return mint.sign({name: value for name, value in claims.items() if value is not None}, typ="channel+jwt")


def widget_token(**changes: Any) -> str:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "origin": PAGE, "exp": int(NOW) + 60} | changes
    return WIDGET.sign(claims, typ="widget+jwt")


def test_the_text_tells_what_was_set() -> None:
    text = encode([app("meals", APP, users=True), app("polls", OTHER)], widgets("w1"))
    assert decode(text).by_namespace["meals"].users
    assert not decode(text).by_namespace["polls"].users
    assert digest_of(text) == digest_of(text) != digest_of(encode([], []))
    for wrong in (b"", b"[]", b'{"apps":[{}],"widgets":[]}'):
        with pytest.raises(ValueError, match=r".+"):
            decode(wrong)


def test_a_user_of_an_app_is_of_its_namespace() -> None:
    access = verify_user(user_token(), APPS, AUDIENCE, NOW)
    assert (access.user, access.roles, access.tier, access.presence_audience) == ("meals:ann", (), "free", "nobody")
    assert namespace_of(access.user) == "meals"
    assert namespace_of("0199a1c2-7d00-7000-8000-000000000001") == ""
    assert APPS.covers(access)
    assert not Apps({"meals": APPS.by_namespace["polls"]}, {}).covers(access)  # its key is gone
    assert not NO_APPS.covers(access)


@pytest.mark.parametrize(
    ("token", "error"),
    [
        (user_token(OTHER), TokenKeyUnknown),  # another app's key
        (user_token(OTHER, iss="meals"), TokenKeyUnknown),
        (user_token(iss="polls"), TokenKeyUnknown),
        (user_token(iss="nobody"), NoAppError),
        (user_token(iss=ISSUER), NoAppError),
        (user_token(iss=None), NoAppError),
        (user_token(aud="others"), TokenInvalid),
        (user_token(exp=int(NOW)), TokenExpired),
        (user_token(exp=None), TokenInvalid),
        (user_token(iat=int(NOW) + 500), TokenInvalid),
        (user_token(sub="a:b"), TokenInvalid),
        (user_token(sub="a b"), TokenInvalid),
        (user_token(sub=None), TokenInvalid),
        (channel_token(), TokenInvalid),
        ("x", TokenInvalid),
    ],
)
def test_whom_no_app_lets_in(token: str, error: type[TokenInvalid]) -> None:
    """Seen failing with a `sub` that may name another namespace."""
    with pytest.raises(error) as refused:
        verify_user(token, APPS, AUDIENCE, NOW)
    assert type(refused.value) is error


@pytest.mark.parametrize("subject", ["ann", "meals:ann"])
def test_a_channel_token_of_an_app(subject: str) -> None:
    grant = verify_channel(channel_token(sub=subject), APPS, AUDIENCE, NOW)
    assert (grant.user, grant.channel, grant.signed_by) == ("meals:ann", CHANNEL, "meals:app-key")


@pytest.mark.parametrize("changes", [{"exp": int(NOW) + 901}, {"iat": int(NOW) - 900}, {"iss": "polls"}, {"aud": "x"}])
def test_a_channel_token_lives_a_quarter_of_an_hour(changes: dict[str, Any]) -> None:
    """Also where it does not say when it was issued. Seen failing without a look at its life."""
    with pytest.raises(TokenInvalid):
        verify_channel(channel_token(**changes), APPS, AUDIENCE, NOW)


def test_a_widget_token_is_good_on_pages_of_its_origin() -> None:
    assert verify_widget(widget_token(), APPS, ISSUER, AUDIENCE, PAGE, NOW) == "w1"


@pytest.mark.parametrize(
    ("token", "apps", "origin", "error"),
    [
        (widget_token(), APPS, "https://evil.example", TokenInvalid),
        (widget_token(), APPS, "", TokenInvalid),
        (widget_token(origin="https://evil.example"), APPS, PAGE, TokenInvalid),
        (widget_token(exp=int(NOW)), APPS, PAGE, TokenExpired),
        (widget_token(aud="x"), APPS, PAGE, TokenInvalid),
        (widget_token(), NO_APPS, PAGE, TokenKeyUnknown),  # taken back, or not heard of yet
        (user_token(WIDGET), APPS, PAGE, TokenInvalid),
    ],
)
def test_what_is_no_widget_token_here(token: str, apps: Apps, origin: str, error: type[TokenInvalid]) -> None:
    with pytest.raises(error) as refused:
        verify_widget(token, apps, ISSUER, AUDIENCE, origin, NOW)
    assert type(refused.value) is error
