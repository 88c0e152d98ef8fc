"""What the clients of one gateway process share: channels, presence, the map, clocks, counts and limits."""

import asyncio
import random
import resource
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any, Final, Protocol, cast

import structlog

from config.addresses import Network, networks
from config.awake import AwakeClock
from config.errors import ApiError, RateLimited, RetryLater
from config.limits import FLUSH_WRITES_PER_TURN
from config.settings import Settings
from rt.auth.apps import Apps
from rt.channels.hub import Hub
from rt.clients.effects import Effects
from rt.clients.facts import Facts
from rt.clients.farewells import Farewells, why_of
from rt.clients.session import Session
from rt.map.tiles import MapView
from rt.metrics import Counters
from rt.presence.local import LocalPresence
from rt.presence.rooms import Rooms
from rt.sockets.admission import Admission
from rt.sockets.handshake import Rules
from rt.sockets.lobby import Lobby, places
from rt.sockets.pump import Pump
from rt.sockets.throttle import Throttle
from rt.sockets.wheel import Wheel
from rt.wire.closes import Closing, GraphqlClosing
from rt.wire.sse import Renditions

log = structlog.get_logger()

UPGRADE_AGAIN_S: Final = 5  # for whoever finds no place
TIMERS_PER_TURN: Final = 64  # deadlines of clients; then the loop gets a turn: most write a ping

_COUNTED: Final[Mapping[Closing | GraphqlClosing, str]] = {
    Closing.TOO_SLOW: "closed_slow",
    Closing.SILENT: "closed_silent",
    Closing.RATE_LIMIT: "closed_limit",
    Closing.TOO_MANY_ERRORS: "closed_limit",
    Closing.REVOKED: "closed_revoked",
    Closing.NO_CONNECT: "closed_unconnected",
    Closing.INTERNAL: "closed_bug",
    GraphqlClosing.GOING_AWAY: "closed_silent",
    GraphqlClosing.NO_INIT: "closed_unconnected",
}


class Behind(Protocol):
    """A socket that may not keep up (rt/clients/outflow.py)."""

    transport: asyncio.Transport | None

    def check_backlog(self, now: float) -> None:
        """It may be too far behind (AwakeClock)."""


class Socket(Behind, Protocol):
    """What a gateway asks of each of its sockets (rt/clients/client.py)."""

    session: Session | None

    def taken_out(self) -> None:
        """The wheel has let go of it: `on_timer` follows."""

    def on_timer(self, now: float) -> None:
        """Something may be due (AwakeClock)."""

    def wake_before_deadline(self) -> None:
        """The time of day went on while the process did not run."""

    def tell_degraded(self, degraded: bool) -> None:
        """Whether there is no Redis has changed."""

    def tell_restart(self, after_ms: int) -> None:
        """The process ends; it may come back after this time."""

    def close(self, closing: Closing) -> None:
        """Ends it."""

    def perform(self, effects: Effects, now: float) -> None:
        """What its session has decided."""

    def enter_rooms(self) -> None:
        """Which channels of its app know of it."""

    def abort(self) -> None:
        """Ends it at once."""


class Gateway:
    """See the module. Its one decision is whether another socket may open."""

    def __init__(
        self,
        settings: Settings,
        rules: Rules,
        facts: Facts,
        hub: Hub,
        presence: LocalPresence,
        map_view: MapView,
        counters: Counters,
        awake: AwakeClock,
        rooms: Rooms,
    ) -> None:
        self.rules = rules
        self.rooms = rooms
        self.facts = facts
        self.hub = hub
        self.presence = presence
        self.map = map_view
        self.counters = counters
        self.awake = awake
        self.wheel: Wheel[Socket] = Wheel(awake.now())
        self.admission = Admission(asyncio.get_running_loop())
        self.pump = Pump(asyncio.get_running_loop(), self._unread)
        self.throttle = Throttle(asyncio.get_running_loop())
        self.clients: set[Socket] = set()
        self.speakers: dict[str, Callable[[Gateway], Any]] = {}  # by their path, who is no rt/clients/client.py
        self.slow: set[Behind] = set()
        self.identified = 0
        self.farewells = Farewells()
        self.draining = False
        self.renditions = Renditions()  # of what streams are told
        self.hosts = settings.hosts
        self.allowed_headers = settings.allowed_headers
        self.lenient = settings.loopback_lenient
        self.trusted: tuple[Network, ...] = networks(settings.trusted_proxies)
        self.chance = random.random
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.lobby = Lobby(places(files, settings.connections_max), settings.connections_per_address_max)

    def may_upgrade(self, group: str) -> ApiError | None:
        """None, or the refusal of a handshake of this group of addresses."""
        refusal: ApiError
        if self.draining:
            refusal = RetryLater("Restarting", UPGRADE_AGAIN_S)
        elif not self.lobby.may_upgrade(group):
            refusal = RateLimited("Too many connections of this address", UPGRADE_AGAIN_S)
        elif not self.lobby.has_place():
            refusal = RetryLater("No room", UPGRADE_AGAIN_S)
        else:
            return None
        self.counters.refused += 1
        return refusal

    def count_user(self, user: str, change: int) -> None:
        """One socket of a user more or less."""
        sockets = self.facts.sockets_by_user
        count = sockets.get(user, 0) + change
        if count > 0:
            sockets[user] = count
        else:
            sockets.pop(user, None)

    def count_close(self, closing: Closing | GraphqlClosing, session: Session | None) -> None:
        """One socket that we close."""
        self.note_farewell(why_of(closing), session)
        name = _COUNTED.get(closing)
        if name is not None:
            setattr(self.counters, name, getattr(self.counters, name) + 1)

    def note_farewell(self, why: str, session: Session | None) -> None:
        """A socket ends."""
        access = session.access if session is not None else None
        if session is None or access is None:
            self.farewells.note(monotonic(), why)
        else:
            self.farewells.note(monotonic(), why, access.user, session.id)

    async def turn(self) -> None:
        """One tick of the wheel: deadlines, TIMERS_PER_TURN in one turn of the loop, and clients that are behind."""
        if self.awake.tick():
            log.warning("paused")
            await asyncio.sleep(0)  # what was said meanwhile is read before anybody is judged
            await self._catch_up()
        self.farewells.forget(monotonic())
        now = self.awake.now()
        due = self.wheel.advance(now)
        for client in due:
            client.taken_out()
        for number, client in enumerate(due, 1):
            client.on_timer(now)
            if number % TIMERS_PER_TURN == 0:
                await asyncio.sleep(0)
        for slow in list(self.slow):
            slow.check_backlog(now)

    async def _catch_up(self) -> None:
        """The time of day went on in a pause: tokens may have ended."""
        for number, client in enumerate(list(self.clients), 1):
            client.wake_before_deadline()
            if number % TIMERS_PER_TURN == 0:
                await asyncio.sleep(0)

    def _unread(self) -> int:
        """Bytes that sockets have not taken."""
        return sum(client.transport.get_write_buffer_size() for client in self.slow if client.transport is not None)

    def revoke(self, sids: set[str], users: set[str]) -> None:
        """Closes the sockets of these sessions, and those of these users that are older than their revocation."""
        for client in list(self.clients):
            access = client.session.access if client.session is not None else None
            if (
                access is not None
                and (access.sid in sids or access.user in users)
                and self.facts.revoked.covers(access)
            ):
                client.close(Closing.REVOKED)

    def end_reading(self, wires: set[str]) -> None:
        """Ends the subscriptions to these channels that are covered by what was taken back."""
        for wire in wires:
            self._end_reading(wire, cast("list[Socket]", self.hub.readers_of(wire)))

    def _end_reading(self, wire: str, readers: Sequence[Socket]) -> None:
        for client in readers[:FLUSH_WRITES_PER_TURN]:
            if client.session is not None:
                client.perform(client.session.on_ended(wire, self.facts), monotonic())
        if len(readers) > FLUSH_WRITES_PER_TURN:
            asyncio.get_running_loop().call_soon(self._end_reading, wire, readers[FLUSH_WRITES_PER_TURN:])

    def change_apps(self, apps: Apps) -> None:
        """Other apps or widget tokens are these now: ends what they allow no more."""
        self.facts.apps = apps
        pages = {widget.origin for widget in apps.widgets.values()}
        self.rules = self.rules._replace(origins=self.facts.origins | pages)
        self._change_apps(list(self.clients))

    def _change_apps(self, clients: Sequence[Socket]) -> None:
        for client in clients[:FLUSH_WRITES_PER_TURN]:
            if client.session is not None:
                client.perform(client.session.on_apps(self.facts), monotonic())
                client.enter_rooms()
        if len(clients) > FLUSH_WRITES_PER_TURN:
            asyncio.get_running_loop().call_soon(self._change_apps, clients[FLUSH_WRITES_PER_TURN:])

    def change_audiences(self, users: set[str]) -> None:
        """Tells the sockets of these users who may know of their presence now."""
        here = {user for user in users if user in self.facts.sockets_by_user}
        for client in list(self.clients) if here else ():
            session = client.session
            if session is not None and session.access is not None and session.access.user in here:
                client.perform(session.on_audience(self.facts), monotonic())
