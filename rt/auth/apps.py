"""Other apps of this server as gateways know them: who signs for them, who may join their channels; and widget tokens.

The API and `python -m api.apps` write them to Redis as one text (`encode`), with a digest of it by which a gateway sees
that it is another one. Pure.

A token of an app is judged by the app's own keys, and stands for nobody but `{namespace}:{sub}`. Its key is the `sid`
of its users: whoever was let in by a key that the app has taken back goes.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec
import orjson

from config.limits import CHANNEL_TOKEN_S_MAX, CLOCK_LEEWAY_S
from rt.auth.tokens import (
    ACCESS_TYPE,
    CHANNEL_TYPE,
    Access,
    ChannelGrant,
    Keys,
    TokenExpired,
    TokenInvalid,
    TokenKeyUnknown,
    id_of,
    number_of,
    text_of,
    unverified,
    verified,
)

WIDGET_TYPE: Final = "widget+jwt"


class NoAppError(TokenInvalid):
    """The token is of no app that is known."""


class App(NamedTuple):
    """`open`: anybody may join its channels; `users`: each of its users may; `presence`: members hear of each other."""

    open: bool
    users: bool
    presence: bool
    keys: Keys


class Widget(NamedTuple):
    """A widget token that is good: of pages of this origin."""

    origin: str
    keys: Keys


class Apps(NamedTuple):
    """Everything that a gateway knows of them."""

    by_namespace: Mapping[str, App]
    widgets: Mapping[str, Widget]  # by id

    def covers(self, access: Access) -> bool:
        """Whether an app's user is still let in by the key of that time; true of our own users."""
        namespace = namespace_of(access.user)
        if not namespace:
            return True
        app = self.by_namespace.get(namespace)
        return app is not None and access.sid.partition(":")[2] in app.keys.by_kid


NO_APPS: Final = Apps({}, {})


class _App(msgspec.Struct):
    namespace: str
    open: bool
    users: bool
    presence: bool
    keys: list[dict[str, Any]]


class _Widget(msgspec.Struct):
    id: str
    origin: str
    key: dict[str, Any]


class _Told(msgspec.Struct):
    apps: list[_App]
    widgets: list[_Widget]


_decoder: Final = msgspec.json.Decoder(_Told)


def encode(apps: Iterable[Mapping[str, Any]], widgets: Iterable[Mapping[str, Any]]) -> bytes:
    """The text, of values with the fields of `_App` and `_Widget`, in their order."""
    return orjson.dumps({"apps": list(apps), "widgets": list(widgets)})


def digest_of(text: bytes) -> str:
    """By which two texts are told apart."""
    return blake2b(text, digest_size=16).hexdigest()


def decode(text: bytes) -> Apps:
    """The inverse of `encode`. Raises ValueError where it is no such text."""
    told = _decoder.decode(text)
    apps = {
        one.namespace: App(one.open, one.users, one.presence, Keys.from_jwks(orjson.dumps({"keys": one.keys})))
        for one in told.apps
    }
    widgets = {one.id: Widget(one.origin, Keys.from_jwks(orjson.dumps({"keys": [one.key]}))) for one in told.widgets}
    return Apps(apps, widgets)


def namespace_of(user: str) -> str:
    """The app whose user this is; empty for our own, whose ids have no colon."""
    return user.rpartition(":")[0]


def is_widget(token: str) -> bool:
    """Whether it says that it is a widget token. Raises TokenInvalid where it is no token."""
    return unverified(token)[0].get("typ") == WIDGET_TYPE


def verify_widget(token: str, apps: Apps, issuer: str, audience: str, origin: str, now: float) -> str:
    """The id of a widget token that a page of `origin` shows. Raises TokenExpired, TokenKeyUnknown or TokenInvalid."""
    name = unverified(token)[0].get("kid")
    widget = apps.widgets.get(name) if isinstance(name, str) else None
    if widget is None:
        raise TokenKeyUnknown("widget")
    if widget.origin != origin:
        raise TokenInvalid("origin")
    claims = verified(token, widget.keys, WIDGET_TYPE, issuer, audience)
    if claims.get("origin") != origin:
        raise TokenInvalid("origin")
    if now >= number_of(claims, "exp"):
        raise TokenExpired("exp")
    return str(name)


def verify_user(token: str, apps: Apps, audience: str, now: float) -> Access:
    """Who an app says this is. Raises TokenExpired, TokenKeyUnknown or TokenInvalid."""
    namespace, claims, signed_by = _signed(token, apps, ACCESS_TYPE, audience)
    issued_at, expires_at = _times(claims, now)
    return Access(
        user=f"{namespace}:{id_of(claims, 'sub')}",
        sid=signed_by,
        roles=(),
        tier="free",
        expires_at=expires_at,
        issued_at=issued_at,
        presence_audience="nobody",
        account_created_at=issued_at,
    )


def verify_channel(token: str, apps: Apps, audience: str, now: float) -> ChannelGrant:
    """What an app lets one of its users read, for at most CHANNEL_TOKEN_S_MAX. Its `sub` may be the app's own id of the
    user, or the one that we have. Raises as `verify_user`."""
    namespace, claims, signed_by = _signed(token, apps, CHANNEL_TYPE, audience)
    issued_at, expires_at = _times(claims, now)
    if expires_at - issued_at > CHANNEL_TOKEN_S_MAX:
        raise TokenInvalid("life")
    user = f"{namespace}:{text_of(claims, 'sub').removeprefix(f'{namespace}:')}"
    return ChannelGrant(user, text_of(claims, "channel"), expires_at, issued_at, signed_by)


def _signed(token: str, apps: Apps, typ: str, audience: str) -> tuple[str, dict[str, Any], str]:
    """The app that signed, the claims, and `{namespace}:{kid}`."""
    header, said = unverified(token)
    namespace = said.get("iss")
    app = apps.by_namespace.get(namespace) if isinstance(namespace, str) else None
    if app is None:
        raise NoAppError("iss")
    claims = verified(token, app.keys, typ, str(namespace), audience)
    return str(namespace), claims, f"{namespace}:{header['kid']}"


def _times(claims: dict[str, Any], now: float) -> tuple[int, int]:
    """When it was issued, where it says so (RFC 7519, 4.1.6: it need not), and when it ends."""
    expires_at = number_of(claims, "exp")
    issued_at = number_of(claims, "iat") if "iat" in claims else int(now)
    begins = max(issued_at, number_of(claims, "nbf") if "nbf" in claims else 0)
    if begins > now + CLOCK_LEEWAY_S:
        raise TokenInvalid("not yet")
    if now >= expires_at:
        raise TokenExpired("exp")
    return issued_at, expires_at
