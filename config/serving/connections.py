"""The connections of one process: who gets in, who gives way, and who has stopped reading."""

from enum import Enum, auto
from operator import itemgetter
from typing import Final, Protocol

from config.addresses import Network, address_group, is_inside, is_lenient
from config.awake import AwakeClock
from config.limits import (
    HTTP_CONNECTIONS_MAX,
    HTTP_CONNECTIONS_RESERVE,
    HTTP_HEAD_S,
    HTTP_KEEP_ALIVE_S,
    HTTP_PIPELINED_BYTES_MAX,
    HTTP_RESERVE_S,
    HTTP_SWEEP_S,
    HTTP_UNREAD_BYTES_MAX,
    HTTP_UNREAD_BYTES_PER_S_MIN,
    HTTP_UNREAD_LOOK_S,
)
from config.shares import Shares

FILES_ELSEWHERE: Final = 100  # of a process: stores, listeners, logs


class Connection(Protocol):
    """What is asked of a connection."""

    def shed(self) -> None:
        """Ends it, politely where something of an answer is still to go out."""

    def cut(self) -> None:
        """Ends it at once."""

    def unsent(self) -> int:
        """Bytes of answers that wait for their reader."""

    def has_left(self) -> bool:
        """Whether the peer has closed, as the kernel knows it; for one that is not being read."""


class Place(Enum):
    """Where a newcomer stands."""

    SERVED = auto()
    RESERVE = auto()  # may ask after our health and nothing else
    REFUSED = auto()


class Connections:
    """Bookkeeping of connections. Times are of `awake`; whatever waits does so in the order in which it began."""

    def __init__(
        self,
        per_address_max: int,
        *,
        lenient: bool,
        trusted: tuple[Network, ...],
        files: int | None = None,
    ) -> None:
        """`files`: how many this process may have open."""
        self._most = HTTP_CONNECTIONS_MAX
        if files is not None:
            self._most = max(1, min(self._most, files - HTTP_CONNECTIONS_RESERVE - FILES_ELSEWHERE))
        self.awake = AwakeClock(HTTP_SWEEP_S)
        self._lenient = lenient
        self._trusted = trusted
        self._shares = Shares(per_address_max)
        self._holders: dict[Connection, str | None] = {}
        self._idle: dict[Connection, float] = {}  # nothing asked, since
        self._heads: dict[Connection, float] = {}  # new, or in the middle of a head, since
        self._reserve: dict[Connection, float] = {}
        self._unread: dict[Connection, tuple[float, int]] = {}  # looked at, and what was unsent then
        self._unread_bytes = 0
        self._pipelined: dict[Connection, int] = {}
        self._pipelined_bytes = 0

    def enter(self, connection: Connection, peer: str) -> Place:
        """A newcomer's place. A full process ends for it whoever has waited longest; `leave` follows in any case."""
        now, holder = self.awake.now(), self._holder(peer)
        if holder is not None and not self._shares.take(holder):
            return Place.REFUSED
        self._holders[connection] = holder
        if len(self._holders) - len(self._reserve) <= self._most:
            self._heads[connection] = now
            return Place.SERVED
        waiting = [next(iter(queue.items())) for queue in (self._idle, self._heads) if queue]
        if waiting:
            oldest, _ = min(waiting, key=itemgetter(1))
            self.busy(oldest)
            oldest.shed()
            self._heads[connection] = now
            return Place.SERVED
        if len(self._reserve) >= HTTP_CONNECTIONS_RESERVE:
            first = next(iter(self._reserve))
            del self._reserve[first]
            first.cut()
        self._reserve[connection] = now
        return Place.RESERVE

    def leave(self, connection: Connection) -> None:
        """It is gone."""
        holder = self._holders.pop(connection, None)
        if holder is not None:
            self._shares.give_back(holder)
        self.busy(connection)
        self._reserve.pop(connection, None)
        self.read(connection)
        self.caught_up(connection)

    def idle(self, connection: Connection) -> None:
        """It has its answer and asks nothing more."""
        self._idle[connection] = self.awake.now()

    def begun(self, connection: Connection) -> None:
        """A part of a head has come; its deadline counts from the first one."""
        self._idle.pop(connection, None)
        self._heads.setdefault(connection, self.awake.now())

    def busy(self, connection: Connection) -> None:
        """A whole head has come, or it ends: it waits for nothing."""
        if self._idle.pop(connection, None) is None:
            self._heads.pop(connection, None)

    def unread(self, connection: Connection) -> None:
        """An answer does not leave. While too much waits in all, the one that has waited longest is ended."""
        if connection in self._unread:
            return
        size = connection.unsent()
        self._unread[connection] = (self.awake.now(), size)
        self._unread_bytes += size
        while self._unread_bytes > HTTP_UNREAD_BYTES_MAX:
            self._cut_unread(next(iter(self._unread)))

    def read(self, connection: Connection) -> None:
        """What waited has left."""
        _, size = self._unread.pop(connection, (0, 0))
        self._unread_bytes -= size

    def pipelined(self, connection: Connection, size: int) -> bool:
        """Whether `size` bytes of further requests may wait here for the answer before them."""
        self.caught_up(connection)
        if self._pipelined_bytes + size > HTTP_PIPELINED_BYTES_MAX:
            return False
        self._pipelined[connection] = size
        self._pipelined_bytes += size
        return True

    def caught_up(self, connection: Connection) -> None:
        """Nothing waits behind its answer any more."""
        self._pipelined_bytes -= self._pipelined.pop(connection, 0)

    def sweep(self) -> None:
        """Ends whoever is over a deadline; called every HTTP_SWEEP_S, after a tick of `awake`."""
        now = self.awake.now()
        for waiting, limit in ((self._idle, HTTP_KEEP_ALIVE_S), (self._heads, HTTP_HEAD_S)):
            for connection in _before(waiting, now - limit):
                del waiting[connection]
                connection.shed()
        for connection in _before(self._reserve, now - HTTP_RESERVE_S):
            connection.cut()
        for connection, (looked_at, size) in list(self._unread.items()):
            if now - looked_at < HTTP_UNREAD_LOOK_S:
                break
            left = connection.unsent()
            if left and size - left < HTTP_UNREAD_BYTES_PER_S_MIN * (now - looked_at):
                self._cut_unread(connection)
                continue
            self.read(connection)
            if left:
                self._unread[connection] = (now, left)
                self._unread_bytes += left
        for connection in [connection for connection in self._pipelined if connection.has_left()]:
            connection.cut()

    def _cut_unread(self, connection: Connection) -> None:
        self.read(connection)
        connection.cut()

    def _holder(self, peer: str) -> str | None:
        """Whose share a connection of `peer` is; nobody's where a proxy speaks for many, or where we are lenient."""
        if is_inside(peer, self._trusted) or (self._lenient and is_lenient(peer, False, self._trusted)):
            return None
        return address_group(peer)


def _before(waiting: dict[Connection, float], limit: float) -> list[Connection]:
    over = []
    for connection, since in waiting.items():
        if since > limit:
            break
        over.append(connection)
    return over
