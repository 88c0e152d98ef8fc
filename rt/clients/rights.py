"""Who a token lets in, and what they may read: our users, users of other apps, pages that embed a widget. Pure."""

from collections.abc import Sequence
from typing import Final

from config.limits import APP_SOCKETS_MAX, WIDGET_SOCKETS_MAX
from rt.auth import apps, tokens
from rt.auth.apps import NO_APPS, namespace_of
from rt.auth.tokens import Access, ChannelGrant, TokenExpired, TokenInvalid
from rt.clients.facts import Facts
from rt.wire.channels import Channel, ChannelKind, parse

FREELY: Final = ChannelGrant("", "", 0, 0)  # for as long as it likes, without a token


def identify(token: str, origin: str, facts: Facts, unix: float) -> tuple[Access | None, str]:
    """Who this is, or the id of a widget token that a page of `origin` shows. Raises TokenExpired, TokenKeyUnknown or
    TokenInvalid."""
    try:
        return tokens.verify_access(token, facts.keys, facts.issuer, facts.audience, unix), ""
    except TokenExpired:
        raise
    except TokenInvalid as error:
        ours = error
    if apps.is_widget(token):
        return None, apps.verify_widget(token, facts.apps, facts.issuer, facts.audience, origin, unix)
    try:
        return apps.verify_user(token, facts.apps, facts.audience, unix), ""
    except apps.NoAppError:
        raise ours from None


def granted(token: str, facts: Facts, unix: float) -> ChannelGrant:
    """What a channel token of ours or of an app opens. Raises as `identify`."""
    try:
        return tokens.verify_channel(token, facts.keys, facts.issuer, facts.audience, unix)
    except TokenExpired:
        raise
    except TokenInvalid as error:
        ours = error
    try:
        return apps.verify_channel(token, facts.apps, facts.audience, unix)
    except apps.NoAppError:
        raise ours from None


def is_ended(access: Access | None, widget: str, facts: Facts) -> bool:
    """Whether what let this client in was taken back: a session, a key of an app, a widget token."""
    if widget:
        return widget not in facts.apps.widgets
    if access is None:
        return False
    unknown = facts.apps is NO_APPS  # not read yet: it is asked again then, and until then nothing of an app is open
    return facts.revoked.covers(access) or not (unknown or facts.apps.covers(access))


def shares(access: Access | None, widget: str, facts: Facts) -> tuple[tuple[str, int], ...]:
    """In whose names a socket counts, and how many each may have in one process."""
    if widget:
        return ((f"widget {widget}", WIDGET_SOCKETS_MAX),)
    if access is None:
        return ()
    own = (access.user, facts.connections_per_user_max)
    namespace = namespace_of(access.user)
    return (own, (f"{namespace}:", APP_SOCKETS_MAX)) if namespace else (own,)


def may_read(
    access: Access | None, widget: str, channel: Channel | None, token: str | None, facts: Facts, unix: float
) -> ChannelGrant | None:
    """By what this client may read the channel, or None, also where there is none of the name."""
    if channel is None:
        return None
    user = access.user if access is not None else None
    namespace = namespace_of(user) if user is not None else ""
    if widget and channel.kind is not ChannelKind.COMMUNITY:
        return None
    if namespace and channel.namespace != namespace:
        return None
    match channel.kind:
        case ChannelKind.COMMUNITY:
            return FREELY
        case ChannelKind.USER:
            return FREELY if user is not None and channel.owner == user else None
        case ChannelKind.APP if _is_free(channel, namespace, facts):
            return FREELY
        case ChannelKind.APP | ChannelKind.PROFILE:
            if user is None or token is None:
                return None
            try:
                if namespace:
                    grant = apps.verify_channel(token, facts.apps, facts.audience, unix)
                else:
                    grant = tokens.verify_channel(token, facts.keys, facts.issuer, facts.audience, unix)
            except TokenInvalid:
                return None
            fits = (grant.user, grant.channel) == (user, channel.wire) and not facts.revoked.voids(grant)
            return grant if fits else None


def still_reads(access: Access | None, channel: Channel, grant: ChannelGrant | None, facts: Facts) -> bool:
    """Whether who reads a channel of an app, by a grant or freely, may do so by what the app says now."""
    if _is_free(channel, namespace_of(access.user) if access is not None else "", facts):
        return True
    if grant is None:
        return False
    app = facts.apps.by_namespace.get(channel.namespace)
    return not grant.signed_by or (app is not None and grant.signed_by.partition(":")[2] in app.keys.by_kid)


def rooms_of(access: Access | None, subscriptions: Sequence[str]) -> list[Channel]:
    """The channels of its own app that a user of another app reads."""
    namespace = namespace_of(access.user) if access is not None else ""
    channels = [parse(wire) for wire in subscriptions] if namespace else []
    return [channel for channel in channels if channel is not None and channel.namespace == namespace]


def _is_free(channel: Channel, namespace: str, facts: Facts) -> bool:
    app = facts.apps.by_namespace.get(channel.namespace)
    if channel.namespace in facts.open_namespaces or (app is not None and app.open):
        return True
    return app is not None and app.users and namespace == channel.namespace
