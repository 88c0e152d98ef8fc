"""What a client may do next: Unidentified -> Identified -> Closing. Pure: decides in values, the shell acts.

A session is told each message (`step`) and answers with effects, in the order in which they are to happen. It keeps
what is the client's own: who it is, its limits, which channels it may read and until when.
"""

from enum import Enum, auto
from sys import intern
from typing import ClassVar, Final, Literal

from msgspec import structs

from config.limits import (
    MESSAGES_PER_S,
    PING_AFTER_SILENCE_BACKGROUND_S,
    PING_AFTER_SILENCE_S,
    SILENT_CLOSE_BACKGROUND_S,
    SILENT_CLOSE_S,
    SOCKET_LIFE_S_MAX,
    SUBSCRIPTIONS_PER_CONNECTION_MAX,
)
from config.times import iso_of
from rt.auth import tokens
from rt.auth.tokens import Access, ChannelGrant, Ticket, TokenExpired, TokenInvalid, TokenKeyUnknown
from rt.clients import rights
from rt.clients.allowance import Allowance
from rt.clients.effects import (
    NOTHING,
    AwaitKey,
    Beat,
    Close,
    Depart,
    Effect,
    Effects,
    Expel,
    Join,
    Part,
    Send,
    Throttle,
    WakeAt,
    Watch,
    Welcome,
)
from rt.clients.facts import Facts
from rt.wire import outbound
from rt.wire.audience import Audience, strictest
from rt.wire.channels import parse
from rt.wire.closes import Closing, GraphqlClosing
from rt.wire.frames import PING
from rt.wire.inbound import (
    AnyMessage,
    Connect,
    Decoded,
    Heartbeat,
    Leave,
    Malformed,
    MessageId,
    Ping,
    Problem,
    Refresh,
    Subscribe,
    Unsubscribe,
    Viewport,
)


class SessionState(Enum):
    """Where a session is in its life."""

    UNIDENTIFIED = auto()
    IDENTIFIED = auto()
    CLOSING = auto()


_IDENTIFIED: Final = SessionState.IDENTIFIED  # a member of an enumeration costs as much to name as the check itself


class Session(Allowance):
    """One client. Times are seconds of one steady clock, except where `unix` says otherwise."""

    __slots__ = (
        "_asked",
        "_grants",
        "access",
        "audience",
        "background",
        "expires_unix",
        "heard_at",
        "id",
        "origin",
        "state",
        "subscriptions",
        "training",
        "widget",
    )

    silence_s: ClassVar[tuple[tuple[float, float], ...]] = (  # until a ping, a close: in front, in the background
        (PING_AFTER_SILENCE_S, SILENT_CLOSE_S),
        (PING_AFTER_SILENCE_BACKGROUND_S, SILENT_CLOSE_BACKGROUND_S),
    )

    def __init__(self, session_id: str, now: float, heard_at: float = 0.0, origin: str = "") -> None:
        super().__init__(now)
        self.id = session_id
        self.origin = origin  # of the page that opened the socket; "" = of none
        self.widget = ""  # the id of its widget token
        self.heard_at = heard_at  # the client, in the time in which the process ran
        self.state = SessionState.UNIDENTIFIED
        self.access: Access | None = None
        self.audience: Audience = "everyone"
        self.background = False
        self.training = False
        self.expires_unix = 0.0
        self.subscriptions: tuple[str, ...] = ()  # wire names; a tuple: most have one or two
        self._asked: Audience = "everyone"  # by a heartbeat
        self._grants: dict[str, ChannelGrant] | None = None  # of those that a channel token opened

    @property
    def was_welcomed(self) -> bool:
        """Whether it is a client, or was one until it began to close."""
        return self.expires_unix > 0.0

    @property
    def presence_state(self) -> Literal["online", "training"]:
        return "training" if self.training else "online"

    @property
    def ttl_s(self) -> int:
        return outbound.pace_of(self.background)[1]

    def step(self, message: Decoded, facts: Facts, now: float) -> Effects:
        """What follows from one message."""
        state = self.state
        if state is _IDENTIFIED:
            if isinstance(message, Malformed):
                return self.close(Closing.BAD_MESSAGE)
            if not self.may_speak(now):
                return self._limited(message.id, now)
            return self._identified(message, facts, now)
        if state is SessionState.CLOSING:
            return NOTHING
        if isinstance(message, Connect):
            return self._connect(message, facts, now)
        return self.close(Closing.BAD_MESSAGE)

    def control(self, now: float, price: float = 1.0) -> Effects:
        """A ping or a pong, which counts like a message, or a read without a frame, which costs less: it has no answer.

        NOTHING: it is served.
        """
        if self.may_speak(now, price):
            return NOTHING
        return (Throttle(), *(self.close(Closing.RATE_LIMIT) if self.limited_too_long(now) else NOTHING))

    def fragment(self, now: float) -> Effects:
        """A fragment counts like a message. NOTHING: it is kept; else its message is ignored."""
        return NOTHING if self.may_speak(now) else self._limited(None, now)

    def close(self, closing: Closing | GraphqlClosing) -> Effects:
        """Ends the session, whatever it was doing."""
        if self.state is SessionState.CLOSING:
            return NOTHING
        self.state = SessionState.CLOSING
        return (Close(closing),)

    # --- time

    def on_clock(self, awake: float, unix: float) -> Effects:
        """What is due. `awake`: the time in which the process ran; `unix`: the time of day, which tokens go by."""
        if self.state is SessionState.UNIDENTIFIED:
            return self.close(Closing.NO_CONNECT)
        ended = tuple(name for name, grant in (self._grants or {}).items() if grant.expires_at <= unix)
        for wire in ended:
            self._forget(wire)
        effects: Effects = tuple(self._expelled(wire, "token_expired") for wire in ended)
        silent_s = awake - self.heard_at
        ping_s, close_s = self.silence_s[self.background]
        if unix >= self.expires_unix:
            return effects + self.close(Closing.TOKEN_EXPIRED)
        if silent_s >= close_s:
            return effects + self.close(Closing.SILENT)
        if silent_s >= ping_s:
            effects += (Send(PING),)
            quiet_until = min(awake + ping_s, self.heard_at + close_s)
        else:
            quiet_until = self.heard_at + ping_s
        return (*effects, WakeAt(min(quiet_until, self.ends_at(awake, unix))))

    def first_look_at(self, awake: float, chance: float) -> float:
        """When the clock is looked at first: at a random time, so that a wave of connects is no wave of pings."""
        return awake + self.silence_s[self.background][0] * (0.5 + chance / 2)

    def ends_at(self, awake: float, unix: float) -> float:
        """When the socket's life or the first channel token ends, in the time in which the process runs."""
        ends_unix = min((grant.expires_at for grant in (self._grants or {}).values()), default=self.expires_unix)
        return awake + min(ends_unix, self.expires_unix) - unix

    # --- what others have changed

    def on_ended(self, wire: str, facts: Facts) -> Effects:
        """Who may read a channel has changed: this client may not any more, unless its token is newer."""
        grant = self._grants.get(wire) if self._grants is not None else None
        if grant is None or not facts.revoked.voids(grant):
            return NOTHING
        self._forget(wire)
        return (self._expelled(wire, "not_allowed"),)

    def _expelled(self, wire: str, reason: outbound.Reason) -> Effect:
        return Expel(wire, outbound.unsubscribed(None, wire, reason))

    def on_apps(self, facts: Facts) -> Effects:
        """An app, or a widget token, is not what it was."""
        if self.state is not _IDENTIFIED:
            return NOTHING
        if rights.is_ended(self.access, self.widget, facts):
            return self.close(Closing.REVOKED)
        grants, effects = self._grants or {}, NOTHING
        for wire in self.subscriptions:
            channel = parse(wire) if wire.startswith("app:") else None
            if channel is not None and not rights.still_reads(self.access, channel, grants.get(wire), facts):
                self._forget(wire)
                effects += (Expel(wire, outbound.unsubscribed(None, wire, "not_allowed")),)
        return effects

    def on_audience(self, facts: Facts) -> Effects:
        """The user has chosen another audience, here or elsewhere."""
        return (Beat(None, None),) if self._narrow(facts) else NOTHING

    def _narrow(self, facts: Facts) -> bool:
        """Who may know of the presence now: the stricter of what was chosen and asked; whether it is another."""
        if self.access is None:
            return False
        audience = strictest(self._asked, facts.revoked.audience_of(self.access))
        changed, self.audience = audience != self.audience, audience
        return changed

    def error(self, message_id: MessageId, code: outbound.ErrorCode, text: str, now: float) -> Effects:
        """The answer to a message that is the client's mistake; the 21st within 60 s closes."""
        answer = Send(outbound.error(message_id, code, text), is_error=True)
        return (answer, *(self.close(Closing.TOO_MANY_ERRORS) if self.wrong_too_often(now) else NOTHING))

    # --- before the welcome

    def _connect(self, message: Connect, facts: Facts, now: float) -> Effects:
        unix = now + facts.unix_offset
        access: Access | None = None
        resumed = False
        until = unix + SOCKET_LIFE_S_MAX
        try:
            if message.resume is not None:
                ticket = tokens.verify_ticket(message.resume, facts.ticket_secrets, unix)
                access, until, resumed = ticket.access, ticket.until, True
        except TokenInvalid:
            # A ticket is only a shortcut: whoever has none that holds comes back with the token.
            if message.token is None:
                return self.close(Closing.TOKEN_EXPIRED)
        if access is None and message.token is not None:
            try:
                access = self._identify(message.token, facts, unix)
            except TokenExpired:
                return self.close(Closing.TOKEN_EXPIRED)
            except TokenKeyUnknown:
                return (AwaitKey(message),)
            except TokenInvalid:
                return self.close(Closing.BAD_TOKEN)
        if self.origin and self.origin not in facts.origins and not self.widget:
            return self.close(Closing.BAD_TOKEN)  # a page of another site
        if rights.is_ended(access, self.widget, facts):
            return self.close(Closing.REVOKED)
        held = facts.sockets_by_user
        if any(held.get(name, 0) >= most for name, most in rights.shares(access, self.widget, facts)):
            return self.close(Closing.TOO_MANY_CONNECTIONS)
        self.access = access
        self._narrow(facts)
        self.background = message.background
        self.expires_unix = until
        self.state = SessionState.IDENTIFIED
        return (Welcome(self._welcome(message.id, facts, unix), resumed),)

    def _identify(self, token: str, facts: Facts, unix: float) -> Access | None:
        """Who shows this; nobody, where it is a page that embeds a widget. Raises as rt.auth.tokens."""
        access, self.widget = rights.identify(token, self.origin, facts, unix)
        return access

    def _welcome(self, message_id: MessageId, facts: Facts, unix: float) -> bytes:
        resume = None
        if self.access is not None and facts.ticket_secrets:
            resume = tokens.sign_ticket(Ticket(self.access, int(self.expires_unix)), facts.ticket_secrets[0])
        return outbound.welcome(
            message_id,
            session=self.id,
            user=self.access.user if self.access else None,
            background=self.background,
            expires_at=iso_of(self.expires_unix),
            expires_in_s=int(self.expires_unix - unix),
            resume=resume,
            degraded=facts.degraded,
        )

    # --- after it

    def _identified(self, message: AnyMessage | Problem, facts: Facts, now: float) -> Effects:
        match message:
            case Heartbeat():
                return self._heartbeat(message, facts, now)
            case Ping():
                return (Send(outbound.pong(message.id)),)
            case Subscribe():
                return self._subscribe(message, facts, now)
            case Unsubscribe():
                return self._unsubscribe(message, now)
            case Viewport():
                return (Watch(message),)
            case Refresh():
                return self._refresh(message, facts, now)
            case Leave():
                self.state = SessionState.CLOSING
                return (Depart(), Close(Closing.NORMAL))
            case Connect():
                return self.error(message.id, "BAD_INPUT", "already connected", now)
            case Problem():
                return self.error(message.id, message.code, message.message, now)

    def _heartbeat(self, message: Heartbeat, facts: Facts, now: float) -> Effects:
        if message.exercise is not None and message.exercise not in facts.exercises:
            return self.error(message.id, "BAD_INPUT", "unknown exercise", now)
        changed = message.background is not None and message.background != self.background
        if message.background is not None:
            self.background = message.background
        if message.status is not None:
            self.training = message.status == "training"
        effects: Effects = NOTHING
        if self.access is not None:
            if message.audience is not None:  # what else narrows it comes by on_audience
                self._asked = message.audience
                self._narrow(facts)
            effects = (Beat(message.place(), message.exercise),)
        if message.id is not None:
            effects += (Send(outbound.ack(message.id)),)
        if changed:
            effects += (Send(outbound.pace(self.background)),)
        return effects

    def _subscribe(self, message: Subscribe, facts: Facts, now: float) -> Effects:
        channel = parse(message.channel)
        grant = rights.may_read(self.access, self.widget, channel, message.token, facts, now + facts.unix_offset)
        if channel is None or grant is None:
            return self.error(message.id, "FORBIDDEN", "this channel may not be joined", now)
        if grant.expires_at and not grant.signed_by and not facts.knows_ended:
            text = "it is not known yet who may join"
            return (Send(outbound.error(message.id, "UNAVAILABLE", text, 1000), is_error=True),)
        wire = intern(channel.wire)  # the same object for all who hear it
        if wire not in self.subscriptions:
            if len(self.subscriptions) >= SUBSCRIPTIONS_PER_CONNECTION_MAX:
                text = f"at most {SUBSCRIPTIONS_PER_CONNECTION_MAX} subscriptions"
                return self.error(message.id, "TOO_MANY_SUBSCRIPTIONS", text, now)
            self.subscriptions += (wire,)
        if grant.expires_at:
            self._grants = {**(self._grants or {}), wire: grant._replace(channel=wire)}
        elif self._grants is not None:
            self._grants.pop(wire, None)
        return (Join(message.id, channel, message.since),)

    def _unsubscribe(self, message: Unsubscribe, now: float) -> Effects:
        channel = parse(message.channel)
        if channel is None:
            return self.error(message.id, "BAD_INPUT", "no such channel name", now)
        self._forget(channel.wire)
        return (Part(message.id, channel),)

    def _forget(self, wire: str) -> None:
        if wire in self.subscriptions:
            self.subscriptions = tuple(name for name in self.subscriptions if name != wire)
        if self._grants is not None:
            self._grants.pop(wire, None)

    def _refresh(self, message: Refresh, facts: Facts, now: float) -> Effects:
        unix = now + facts.unix_offset
        try:
            access, _ = rights.identify(message.token, self.origin, facts, unix)
        except TokenInvalid:
            return self.error(message.id, "UNAUTHENTICATED", "the token is not valid", now)
        if self.access is None or access is None or access.user != self.access.user:
            return self.error(message.id, "UNAUTHENTICATED", "the token is another user's", now)
        if rights.is_ended(access, "", facts):
            return self.close(Closing.REVOKED)
        known = facts.revoked.audience_of(self.access)  # an old one widens nothing
        chosen = strictest(known, access.presence_audience)
        self.access = structs.replace(access, presence_audience=chosen)
        self.expires_unix = unix + SOCKET_LIFE_S_MAX
        answer = Send(outbound.refreshed(message.id, iso_of(self.expires_unix), SOCKET_LIFE_S_MAX))
        return (*self.on_audience(facts), answer)

    def _limited(self, message_id: MessageId, now: float) -> Effects:
        if self.limited_too_long(now):
            return self.close(Closing.RATE_LIMIT)
        text = f"at most {MESSAGES_PER_S} messages a second"
        frame = outbound.error(message_id, "RATE_LIMITED", text, self.retry_after_ms())
        return (Send(frame, is_error=True), Throttle(counted=True))
