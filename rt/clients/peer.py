"""One socket beneath its session: its place in the process, its turns to be read, and what counts against its rate."""

from collections.abc import Iterable
from sys import intern
from time import monotonic
from typing import Any, ClassVar, Final

from websockets.http11 import Request

from config.addresses import address_group, client_address, is_inside, is_lenient
from config.errors import ApiError
from config.limits import PIECES_PER_MESSAGE
from rt.clients.effects import Effects
from rt.clients.gateway import Gateway
from rt.clients.session import Session
from rt.sockets.connection import CLOSING, OPEN, Connection
from rt.sockets.handshake import Rules
from rt.sockets.lobby import LOOPBACK
from rt.wire.closes import Closing

FRAMES_PER_TURN: Final = 8  # of one socket in one turn of the loop: about 0.1 ms; the rest waits for another
CLOSING_READ_BYTES_MAX: Final = 16 * 1024  # of a closing socket in one read; then it is read in turn with those above


class Peer(Connection):
    """See the module. What its messages mean is the subclass's."""

    __slots__ = ("_gateway", "_group", "_origin", "session")

    frames_per_turn: ClassVar[int] = FRAMES_PER_TURN

    def __init__(self, gateway: Gateway) -> None:
        super().__init__()
        self.session: Session | None = None
        self._gateway = gateway
        self._group = ""  # of its address, for which it counts; empty: for none
        self._origin = ""  # of the page that asks, one of those that may

    # --- its place

    def _enter(self) -> None:
        """It was accepted."""
        self._gateway.lobby.enter(self, self._group_at_accept())

    def _exit(self) -> None:
        """It is gone."""
        gateway = self._gateway
        gateway.admission.leave(self)
        gateway.throttle.leave(self)
        gateway.lobby.leave(self)
        self._give_back()

    def _give_back(self) -> None:
        group, self._group = self._group, ""
        if group:
            self._gateway.lobby.give_back(group)

    def shed(self) -> None:
        """There is no place for it: whoever has upgraded is told, and its socket waits for no answer."""
        self._give_back()
        is_open = self.phase == OPEN
        self.close(Closing.OVERLOADED)
        if self.transport is not None:
            if is_open:
                self.transport.close()
            else:
                self.transport.abort()

    def _peer(self) -> str:
        peer = self.transport.get_extra_info("peername") if self.transport is not None else None
        return peer[0] if peer else ""

    def _group_at_accept(self) -> str:
        """Of a proxy's or a spared one's connections nobody knows whose they are: all places together bound them."""
        gateway, host = self._gateway, self._peer()
        spared = gateway.lenient and is_lenient(host, has_forwarding_header=False, trusted=gateway.trusted)
        return "" if spared or is_inside(host, gateway.trusted) else address_group(host)

    def rules(self) -> Rules:
        """What a request must be like: the same for all sockets of this gateway."""
        return self._gateway.rules

    def admit(self, request: Request) -> ApiError | None:
        """Refuses an upgrade while draining, or from an address with too many sockets."""
        gateway, host = self._gateway, self._peer()
        forwarded = ", ".join(request.headers.get_all("X-Forwarded-For")) or None
        if gateway.lenient and is_lenient(host, forwarded is not None, gateway.trusted):
            group = LOOPBACK
        else:
            group = address_group(client_address(host, forwarded, gateway.trusted))
        refusal = gateway.may_upgrade(group)
        if refusal is None:
            gateway.lobby.take(group)
            self._group = group
            self._origin = intern(request.headers.get("Origin", ""))
        return refusal

    # --- its turns

    def data_received(self, data: bytes) -> None:
        """Bytes of the client; whoever is nobody yet waits for its turn."""
        session = self.session
        if session is not None and session.was_welcomed:
            self.read(data)
        elif self.phase != CLOSING:
            self._gateway.admission.enqueue(self, data)
        elif len(data) > CLOSING_READ_BYTES_MAX:
            self._gateway.throttle.hold(self)

    def put_off(self, data: bytes, at: int) -> None:
        """It has said more than one turn's share: it waits for admission, or longer when it is over its rate."""
        gateway, session = self._gateway, self.session
        if session is not None and session.is_over_rate:
            gateway.throttle.hold(self, data, at)
        elif self.transport is not None:
            self.transport.pause_reading()
            gateway.admission.enqueue(self, data[at:])

    def listen(self) -> None:
        """Hears more, unless something that it said still waits for a turn."""
        gateway = self._gateway
        if self.transport is not None and not gateway.admission.waits(self) and not gateway.throttle.holds(self):
            self.transport.resume_reading()

    def eof_received(self) -> bool:
        """The client will say nothing more; what it said before is heard first, by whoever has the socket then."""
        admission, transport = self._gateway.admission, self.transport
        while admission.waits(self):  # what comes behind a handshake is enqueued again
            admission.serve(self)
        speaker: Any = self if transport is None else transport.get_protocol()
        return super().eof_received() if speaker is self else speaker.eof_received()

    def go_on(self, messages: Iterable[Any]) -> None:
        """Its `connect` waited for a key, and these messages for it: they are decided now."""
        raise NotImplementedError

    # --- its rate

    def on_control(self, *, is_ping: bool) -> bool:
        """Pings and pongs count like messages; a pong keeps the socket, and presence it does not keep."""
        return self._control() and is_ping

    def on_piece(self) -> None:
        """Reads that end no frame count a little."""
        session = self.session
        if session is not None:
            now = monotonic()
            self.perform(session.control(now, 1 / PIECES_PER_MESSAGE), now)

    def _control(self) -> bool:
        session = self.session
        if session is None:
            return True
        now = monotonic()
        session.heard_at = self._gateway.awake.now()
        effects = session.control(now)
        self.perform(effects, now)
        return not effects

    def perform(self, effects: Effects, now: float) -> None:
        """What the session has decided, in order; `now`: steady clock."""
        raise NotImplementedError
