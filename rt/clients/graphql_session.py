"""A client that speaks graphql-transport-ws: a session like the others, whose subscriptions are operations. Pure.

Its tokens, limits and clock are those of any session. What it may read is asked of each operation for itself, so the
names that a session keeps (`subscriptions`, and what opened them) are ids of operations here.
"""

from typing import Any, Final

from config.errors import ApiError, BadInput, Forbidden, RateLimited, RetryLater, Unauthenticated
from config.limits import MESSAGES_PER_S, SUBSCRIPTIONS_PER_CONNECTION_MAX
from rt.clients import rights
from rt.clients.effects import NOTHING, Effect, Effects, Finish, Follow, Look, Release, Send, Throttle
from rt.clients.facts import Facts
from rt.clients.session import Session, SessionState
from rt.graphql.subscriptions import Subscriptions, Wanted
from rt.map.geometry import bounds, view
from rt.wire import graphql
from rt.wire.channels import COMMUNITY, Channel, is_id, profile_channel, user_channel
from rt.wire.closes import Closing, GraphqlClosing
from rt.wire.graphql import Complete, ConnectionInit, Ping, Subscribe, extensions_of
from rt.wire.inbound import Connect, Malformed, MessageId
from rt.wire.outbound import Reason

__all__ = ["GraphqlSession", "error_of"]

_VIEWPORT: Final = ("west", "south", "east", "north", "zoom")
QUERY_CHARS_PER_MESSAGE: Final = 64  # a document that is not known counts as one message more for each of these
_FINISHED: Final[dict[Reason, tuple[str, str]]] = {
    "token_expired": ("UNAUTHENTICATED", "The token of the channel has expired"),
    "not_allowed": ("FORBIDDEN", "This is not allowed any more"),
}


class GraphqlSession(Session):
    """See the module."""

    __slots__ = ("_documents",)

    def __init__(self, session_id: str, now: float, heard_at: float, origin: str, documents: Subscriptions) -> None:
        super().__init__(session_id, now, heard_at, origin)
        self._documents = documents

    def step(self, message: Any, facts: Facts, now: float) -> Effects:
        """What follows from one message: a graphql.Decoded, or the Connect that waited for a key."""
        if self.state is SessionState.CLOSING:
            return NOTHING
        if isinstance(message, Malformed):
            return self.close(Closing.BAD_MESSAGE)
        if isinstance(message, Connect):
            return self._connect(message, facts, now)
        known = self.state is SessionState.IDENTIFIED
        if isinstance(message, ConnectionInit):
            if known:
                return self.close(GraphqlClosing.TWICE)
            return self._connect(Connect(token=message.token), facts, now)
        if isinstance(message, Subscribe) and not known:
            return self.close(GraphqlClosing.UNAUTHORIZED)
        if isinstance(message, Subscribe) and message.id in self.subscriptions:
            return self.close(GraphqlClosing.DUPLICATE)
        may_speak = self.may_speak(now, self._price(message))
        if isinstance(message, Complete):  # heard whatever the rate: to ignore it would only make more work
            return self._complete(message.id) + (NOTHING if may_speak else self._limited(None, now))
        if not may_speak:
            return self._limited(message.id if isinstance(message, Subscribe) else None, now)
        if isinstance(message, Subscribe):
            return self._begin(message, facts, now)
        return (Send(graphql.pong(message.payload)),) if isinstance(message, Ping) else NOTHING

    def on_ended(self, wire: str, facts: Facts) -> Effects:
        """Who may read a channel has changed: operations on it end, but those whose token is newer."""
        ended = [
            operation
            for operation, grant in (self._grants or {}).items()
            if grant.channel == wire and facts.revoked.voids(grant)
        ]
        for operation in ended:
            self._forget(operation)
        return tuple(self._expelled(operation, "not_allowed") for operation in ended)

    def on_apps(self, facts: Facts) -> Effects:
        """An app, or a widget token, is not what it was; no operation is on a channel of an app."""
        ended = self.state is SessionState.IDENTIFIED and rights.is_ended(self.access, self.widget, facts)
        return self.close(Closing.REVOKED) if ended else NOTHING

    def on_audience(self, facts: Facts) -> Effects:
        """Nobody is present by this socket."""
        self._narrow(facts)
        return NOTHING

    def finished(self, operation: str) -> None:
        """The gateway has ended it."""
        self._forget(operation)

    def _expelled(self, wire: str, reason: Reason) -> Effect:
        return Finish(wire, *_FINISHED[reason], reason)

    def _welcome(self, _message_id: MessageId, _facts: Facts, _unix: float) -> bytes:
        return graphql.ACK

    @property
    def _tier(self) -> str:
        return self.access.tier if self.access else "anonymous"

    def _price(self, message: graphql.Message) -> float:
        if isinstance(message, Subscribe) and not self._documents.knows(message.payload.query, self._tier):
            return 1.0 + len(message.payload.query) / QUERY_CHARS_PER_MESSAGE
        return 1.0

    def _limited(self, message_id: MessageId, now: float) -> Effects:
        if self.limited_too_long(now):
            return self.close(Closing.RATE_LIMIT)
        if message_id is None:
            return (Throttle(counted=True),)
        refusal = RateLimited(f"At most {MESSAGES_PER_S} messages a second")
        frame = error_of(str(message_id), refusal, retryAfterMs=self.retry_after_ms())
        return (Send(frame, is_error=True), Throttle(counted=True))

    def _complete(self, operation: str) -> Effects:
        if operation not in self.subscriptions:
            return NOTHING  # ours has crossed it
        self._forget(operation)
        return (Release(operation),)

    def _begin(self, message: Subscribe, facts: Facts, now: float) -> Effects:
        try:
            effect = self._effect(message, facts, now + facts.unix_offset)
        except (RateLimited, RetryLater) as refusal:
            return (Send(error_of(message.id, refusal, retryAfterMs=1_000), is_error=True),)
        except ApiError as refusal:
            answer = Send(error_of(message.id, refusal), is_error=True)
            return (answer, *(self.close(Closing.TOO_MANY_ERRORS) if self.wrong_too_often(now) else NOTHING))
        self.subscriptions += (message.id,)
        return (effect,)

    def _effect(self, message: Subscribe, facts: Facts, unix: float) -> Effect:
        """What is to be begun. Raises ApiError where it may not."""
        if len(self.subscriptions) >= SUBSCRIPTIONS_PER_CONNECTION_MAX:
            text = f"At most {SUBSCRIPTIONS_PER_CONNECTION_MAX} subscriptions"
            raise ApiError("TOO_MANY_SUBSCRIPTIONS", text, 429)
        request = message.payload
        try:
            extensions = extensions_of(request)
        except ValueError as error:
            raise BadInput(f"extensions: {error}") from None
        wanted = self._documents.want(
            request.query, request.operationName, request.variables, self._tier, signed_in=self.access is not None
        )
        if wanted.field.name == "presenceMap":
            west, south, east, north, zoom = (wanted.arguments[name] for name in _VIEWPORT)
            try:
                box = bounds(west, south, east, north)
                return Look(message.id, box, view(box, zoom), wanted)
            except ValueError as error:
                raise BadInput(str(error)) from None
        channel = self._channel(wanted)
        grant = rights.may_read(self.access, self.widget, channel, extensions.token, facts, unix)
        if channel is None or grant is None:
            raise Forbidden
        if grant.expires_at:
            if not facts.knows_ended:
                raise RetryLater("It is not known yet who may read this")
            self._grants = {**(self._grants or {}), message.id: grant}
        return Follow(message.id, channel, wanted, extensions.since)

    def _channel(self, wanted: Wanted) -> Channel | None:
        match wanted.field.name:
            case "communityFeed":
                return COMMUNITY
            case "profileFeed":
                user = wanted.arguments["userId"]
                return profile_channel(user) if is_id(user) else None
            case "dashboard" if self.access is not None:
                return user_channel(self.access.user)
            case _:
                raise Unauthenticated


def error_of(operation: str, refusal: ApiError, **more: Any) -> bytes:
    """The `error` of an operation; `more`: what else its `extensions` say, by names on the wire."""
    extensions = {"code": refusal.code, "message": refusal.message, "statusCode": refusal.status}
    return graphql.error(operation, [{"message": refusal.message, "extensions": extensions | more}])
