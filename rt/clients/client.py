"""One client of the gateway: performs what its session decides, and keeps its socket honest."""

import asyncio
import secrets
from collections.abc import Callable, Iterable
from time import monotonic, time
from typing import Any

import structlog
from websockets.http11 import Request

from config.limits import (
    CLOSE_WAIT_S,
    CONNECT_DEADLINE_S,
)
from rt.auth.apps import namespace_of
from rt.auth.tokens import Access
from rt.clients import rights
from rt.clients.effects import (
    AwaitKey,
    Beat,
    Close,
    Depart,
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
from rt.clients.farewells import LEFT
from rt.clients.gateway import Gateway
from rt.clients.outflow import Outflow
from rt.clients.session import Session, SessionState
from rt.map.geometry import bounds, view
from rt.sockets.connection import CLOSING, HANDSHAKE, LOST, OPEN, Connection
from rt.sockets.handshake import STREAM_PATH
from rt.sockets.wheel import NOWHERE
from rt.wire import outbound
from rt.wire.channels import Channel, parse
from rt.wire.closes import Closing, GraphqlClosing
from rt.wire.inbound import decode

log = structlog.get_logger()


class Client(Outflow):
    """See the module. One object per socket, no task, no timer: the gateway's wheel calls `on_timer`."""

    __slots__ = ("_due", "_slot")

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self._due = 0.0
        self._slot = NOWHERE

    # --- the socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepted. It has CONNECT_DEADLINE_S to become a client, and its address so many at once that are none."""
        super().connection_made(transport)
        self._gateway.counters.accepted += 1
        self._enter()
        self._gateway.clients.add(self)
        self._wake_at(self._gateway.awake.now() + CONNECT_DEADLINE_S)

    def connection_lost(self, error: Exception | None) -> None:
        """Gone, for whatever reason: everybody forgets it."""
        gateway = self._gateway
        gateway.clients.discard(self)
        gateway.wheel.drop(self, self._slot)
        self._end_session()
        self._exit()
        super().connection_lost(error)

    def _hand_over(self, request: Request, rest: bytes) -> None:
        """A stream was asked for: it answers by itself."""
        self._heir(self._gateway.speakers[STREAM_PATH], speaks=False).begin(request, rest)

    def opened(self, path: str) -> Connection:
        """The socket is open; the first message must be `connect`, still within the same deadline."""
        make = self._gateway.speakers.get(path)
        if make is None:
            self._speak()
            return self
        heir: Client = self._heir(make, speaks=True)
        return heir

    def _heir(self, make: Callable[[Gateway], Any], *, speaks: bool) -> Any:
        """One of another protocol has the socket from now on, in this one's place and with its deadline."""
        gateway, heir, group, self._group = self._gateway, make(self._gateway), self._group, ""
        gateway.lobby.leave(self)
        gateway.clients.discard(self)
        gateway.wheel.drop(self, self._slot)
        self.yield_to(heir)
        heir.succeed(group, self._origin, self._due, speaks=speaks)
        return heir

    def succeed(self, group: str, origin: str, due: float, *, speaks: bool) -> None:
        """Has the socket that another has yielded: of this group of addresses, of a page of this origin, and with this
        deadline. `speaks`: it has been upgraded."""
        self._group, self._origin = group, origin
        self._enter()
        self._gateway.clients.add(self)
        self._wake_at(due)
        self.listen()  # the other one may have been told to wait
        if speaks:
            self._speak()

    def _speak(self) -> None:
        self.phase = OPEN
        now = monotonic()
        self._gateway.facts.unix_offset = time() - now  # its token is judged by the clock as it is, also after a step
        self._gateway.counters.upgraded += 1
        self._gateway.lobby.upgrade(self, self._group)
        self.session = self._make_session(secrets.token_urlsafe(16), now)

    def _make_session(self, session_id: str, now: float) -> Session:
        return Session(session_id, now, self._gateway.awake.now(), self._origin)

    def closing(self) -> None:
        """Half-closed: presence and channels end now, the socket a little later."""
        self._gateway.admission.leave(self)
        self._gateway.throttle.leave(self)
        self.listen()  # what it still says is read away: bytes unread would reset the socket, and lose our close
        self._end_session()
        self._wake_at(self._gateway.awake.now() + CLOSE_WAIT_S)

    def close(self, closing: Closing | GraphqlClosing) -> None:
        """Ends the session too."""
        session = self.session
        if session is not None:
            session.close(closing)
        if self.phase == OPEN:
            self._gateway.count_close(closing, session)
        super().close(closing)

    # --- in

    def on_message(self, payload: bytes | bytearray) -> None:
        """A text message."""
        now = monotonic()
        gateway, session = self._gateway, self.session
        if session is not None:
            session.heard_at = gateway.awake.now()
        gateway.counters.messages += 1
        message = self._decode(payload)
        if not (gateway.admission.waiting_for_key and gateway.admission.keeps(self, message)):
            self._decide(message, now)

    def _decode(self, payload: bytes | bytearray) -> Any:
        return decode(payload)

    def _decide(self, message: Any, now: float, *, for_good: bool = False) -> None:
        """What the session makes of it; `for_good`: there is no other key to wait for. A bug of ours is a 1011."""
        gateway, session = self._gateway, self.session
        if session is None:
            return
        try:
            effects = session.step(message, gateway.facts, now)
            if for_good and any(isinstance(effect, AwaitKey) for effect in effects):
                effects = session.close(Closing.BAD_TOKEN)
            self.perform(effects, now)
            if session.access is not None:
                gateway.presence.sign_of_life(session.id)
        except Exception:
            log.exception("session_failed", session=session.id)
            self.close(Closing.INTERNAL)

    def on_binary(self, _payload: bytes | bytearray) -> None:
        """There are none in this protocol."""
        self.close(Closing.BINARY)

    def on_fragment(self, *, ignored: bool) -> bool:
        """Fragments count like messages; one over the rate is refused with its message, and that is said once."""
        session = self.session
        if ignored or session is None or not session.was_welcomed:
            return self._control() and not ignored
        now = monotonic()
        session.heard_at = self._gateway.awake.now()
        effects = session.fragment(now)
        self.perform(effects, now)
        return not effects

    # --- admission

    def go_on(self, messages: Iterable[Any]) -> None:
        """Its `connect` waited for a key, the others for it."""
        now = monotonic()
        for message in messages:
            self._decide(message, now, for_good=True)

    # --- what the session decided

    def perform(self, effects: Effects, now: float) -> None:
        """In order."""
        gateway = self._gateway
        for effect in effects:
            match effect:
                case Beat():
                    self._beat(effect)
                case Send():
                    self.send(effect.frame)
                    gateway.counters.errors += effect.is_error
                case Throttle():
                    gateway.counters.rate_limited += effect.counted
                    gateway.throttle.hold(self)
                case Welcome():
                    self._welcomed(effect.frame, now)
                    gateway.counters.resumed += effect.resumed
                case Join():
                    self._join(effect)
                case Part():
                    gateway.hub.part(self, effect.id, effect.channel)
                    self._leave_room(effect.channel)
                case Watch():
                    self._watch(effect)
                case AwaitKey():
                    gateway.admission.await_key(self, effect.message)
                case Depart():
                    self._depart()
                case Expel():
                    gateway.hub.drop(self, effect.wire)
                    self._leave_room(parse(effect.wire))
                    self.send(effect.frame)
                case WakeAt():
                    self._wake_at(effect.due)
                case Close():
                    self.close(effect.closing)

    def _welcomed(self, welcome: bytes, now: float) -> None:
        session = self.session
        if session is None:
            return
        gateway = self._gateway
        gateway.counters.welcomes += 1
        gateway.identified += 1
        gateway.lobby.name(self)
        for name, _ in rights.shares(session.access, session.widget, gateway.facts):
            gateway.count_user(name, 1)
        if session.access is not None and not namespace_of(session.access.user):
            self._appear(session, session.access, now)
        self.send(welcome)
        self._wake_at(session.first_look_at(gateway.awake.now(), gateway.chance()))

    def _appear(self, session: Session, access: Access, now: float) -> None:
        """Signed in: online from now on."""
        gateway = self._gateway
        gateway.presence.join(
            session.id,
            access.user,
            audience=session.audience,
            settled=now + gateway.facts.unix_offset - access.account_created_at >= gateway.facts.settled_s,
            ttl_s=session.ttl_s,
        )

    def _join(self, join: Join) -> None:
        self.wake_before_deadline()
        self._gateway.hub.join(self, join.id, join.channel, join.since)
        self.enter_rooms()

    def _beat(self, beat: Beat) -> None:
        session = self.session
        self._gateway.counters.heartbeats += 1
        if session is not None:
            self._gateway.presence.heartbeat(
                session.id,
                cell=beat.cell,
                state=session.presence_state,
                audience=session.audience,
                ttl_s=session.ttl_s,
                exercise=beat.exercise,
            )

    def _watch(self, watch: Watch) -> None:
        message = watch.message
        seen = view(bounds(message.west, message.south, message.east, message.north), message.zoom)
        self.watch_map(outbound.viewport(message.id, seen.resolution, seen.tiles), seen.resolution, seen.tiles)

    # --- the rooms of its app

    def enter_rooms(self) -> None:
        """Which channels of its app know of it: all that it reads, or none, as the app says."""
        session, gateway = self.session, self._gateway
        if session is None or session.access is None or not session.was_welcomed:
            return
        for channel in rights.rooms_of(session.access, session.subscriptions):
            app = gateway.facts.apps.by_namespace.get(channel.namespace)
            if app is not None and app.presence:
                gateway.rooms.enter(channel, session.id, session.access.user)
            else:
                gateway.rooms.leave(channel, session.id)

    def _leave_room(self, channel: Channel | None) -> None:
        if self.session is not None and channel is not None:
            self._gateway.rooms.leave(channel, self.session.id)

    def _depart(self) -> None:
        session = self.session
        if session is not None and session.access is not None:
            self._gateway.presence.leave(session.id)
            for channel in rights.rooms_of(session.access, session.subscriptions):
                self._gateway.rooms.leave(channel, session.id)

    def _end_session(self) -> None:
        session, self.session = self.session, None
        self.nothing_due()
        if session is None:
            return
        gateway = self._gateway
        if session.state is not SessionState.CLOSING:
            gateway.note_farewell(LEFT, session)
        gateway.lobby.end(self)
        self._leave_all(session)
        if session.was_welcomed:
            gateway.identified -= 1
            for name, _ in rights.shares(session.access, session.widget, gateway.facts):
                gateway.count_user(name, -1)
            if session.access is not None:
                gateway.presence.close(session.id)

    def _leave_all(self, session: Session) -> None:
        for wire in session.subscriptions:
            self._gateway.hub.drop(self, wire)
        for channel in rights.rooms_of(session.access, session.subscriptions):
            self._gateway.rooms.close(channel, session.id)
        self._gateway.map.unwatch(self)

    # --- what all are told

    def tell_degraded(self, degraded: bool) -> None:
        """Whether there is no Redis has changed."""
        self.send(outbound.STATUS[degraded])

    def tell_restart(self, after_ms: int) -> None:
        """The process ends: it is to come back after this time."""
        if self.session is not None:
            self.send(outbound.reconnect(after_ms, "restart"))
        self.close(Closing.RESTART)

    # --- time

    def taken_out(self) -> None:
        """The wheel has let go of it: `on_timer` follows."""
        self._slot = NOWHERE

    def on_timer(self, now: float) -> None:
        """Called at `_due` (AwakeClock), or early; by then it may be gone, or have put itself in again."""
        if self.phase == LOST:
            return
        if now < self._due:
            self._wake_at(self._due)
        elif self._gateway.admission.waits(self):
            self._wake_at(now + CONNECT_DEADLINE_S)  # it has spoken; that we have not listened is not its fault
        elif self.phase == HANDSHAKE or self.phase == CLOSING:
            self.abort()
        elif self.session is not None:
            self.perform(self.session.on_clock(now, self._unix()), monotonic())

    def wake_before_deadline(self) -> None:
        """A channel token, or the socket's life, may end before the next look at the clock."""
        session = self.session
        if session is not None and session.was_welcomed:
            ends = session.ends_at(self._gateway.awake.now(), self._unix())
            if ends < self._due:
                self._wake_at(ends)

    def _unix(self) -> float:
        """The time of day: what was granted until then does not wait for us."""
        return monotonic() + self._gateway.facts.unix_offset

    def _wake_at(self, due: float) -> None:
        wheel = self._gateway.wheel
        wheel.drop(self, self._slot)
        self._due = due
        self._slot = wheel.put(self, due)
