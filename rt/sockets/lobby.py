"""Who has a place in a gateway process, and who has to go when there is none. Pure.

A connection stands in the lobby from the accept on, until it is a client, and again while it ends. The lobby has some
places of its own, which no client takes: by them /health and /ready are asked of a full gateway.
Where there is no place, whoever has stood there longest goes: first those that have not even upgraded, then those that
have not said `connect`. So silence never keeps a newcomer out.
"""

from typing import Final, NamedTuple, Protocol

from config.limits import FILES_RESERVED, LOBBY_PLACES, LOOPBACK_SHARE, STRANGERS_PER_ADDRESS_MAX
from config.shares import Shares

LOOPBACK: Final = "loopback"  # the holder of all sockets that no limit by address counts


class Guest(Protocol):
    """One connection."""

    def shed(self) -> None:
        """It has to go, now."""


class Places(NamedTuple):
    """How many connections a process takes: `clients` that have upgraded, and `lobby` beside them."""

    clients: int
    lobby: int


def places(files: int, wanted: int) -> Places:
    """What fits into so many open files, at most `wanted` clients. A process at that limit closes all comers."""
    room = max(2, files - min(FILES_RESERVED, files // 2))
    lobby = min(LOBBY_PLACES, room // 2)
    return Places(min(wanted, room - lobby), lobby)


class Lobby:
    """One per process. Groups are of config.addresses.address_group; "" is in none, because nobody knows it yet."""

    __slots__ = ("_by_group", "_clients", "_counted", "_loopback", "_places", "_strangers", "_unnamed", "shed")

    def __init__(self, room: Places, per_address: int) -> None:
        self.shed = 0  # how many had to go
        self._places = room
        self._counted = Shares(per_address)
        self._loopback = Shares(max(1, int(room.clients * LOOPBACK_SHARE)))
        self._strangers: dict[Guest, str] = {}  # have not upgraded, or are ending: with their group, the oldest first
        self._by_group: dict[str, dict[Guest, None]] = {}
        self._unnamed: dict[Guest, str] = {}  # have upgraded and not said `connect`: with their group, the oldest first
        self._clients = 0  # have upgraded and are not ending

    @property
    def strangers(self) -> int:
        """How many stand here."""
        return len(self._strangers)

    def enter(self, guest: Guest, group: str) -> None:
        """A connection was accepted. Another goes where there is no place, of the same group if that has too many."""
        self._strangers[guest] = group
        if group:
            others = self._by_group.setdefault(group, {})
            others[guest] = None
            if len(others) > STRANGERS_PER_ADDRESS_MAX:
                self._send_away(next(iter(others)))
        if self._clients + len(self._strangers) > sum(self._places):
            self._send_away(next(iter(self._strangers)))

    def may_upgrade(self, group: str) -> bool:
        """Whether this group has less than it may have. What nobody counts by address makes room for itself."""
        shares = self._shares(group)
        if group == LOOPBACK and shares.held(group) >= shares.at_most:
            self._hurry(next((guest for guest, of in self._unnamed.items() if of == LOOPBACK), None))
        return shares.held(group) < shares.at_most

    def has_place(self) -> bool:
        """Whether there is a place for one client more; one that has not said `connect` goes for it."""
        if self._clients >= self._places.clients:
            self._hurry(next(iter(self._unnamed), None))
        return self._clients < self._places.clients

    def take(self, group: str) -> None:
        """A socket of the group upgrades: it counts until `give_back`. Only after `may_upgrade`."""
        self._shares(group).take(group)

    def give_back(self, group: str) -> None:
        """Such a socket is gone."""
        self._shares(group).give_back(group)

    def upgrade(self, guest: Guest, group: str) -> None:
        """It has upgraded."""
        self.leave(guest)
        self._unnamed[guest] = group
        self._clients += 1

    def name(self, guest: Guest) -> None:
        """It has been welcomed: it stays until it ends."""
        self._unnamed.pop(guest, None)

    def end(self, guest: Guest) -> None:
        """One that had upgraded is ending, and stands in the lobby until it is gone."""
        self._clients -= 1
        self._unnamed.pop(guest, None)
        self._strangers[guest] = ""

    def leave(self, guest: Guest) -> None:
        """It is no stranger any more, or gone."""
        group = self._strangers.pop(guest, "")
        if group:
            others = self._by_group[group]
            del others[guest]
            if not others:
                del self._by_group[group]

    def _send_away(self, guest: Guest) -> None:
        self.shed += 1
        self.leave(guest)
        guest.shed()

    def _hurry(self, guest: Guest | None) -> None:
        """One that has upgraded goes, if there is one: it gives back what it holds at once."""
        if guest is not None:
            self.shed += 1
            guest.shed()

    def _shares(self, group: str) -> Shares:
        return self._loopback if group == LOOPBACK else self._counted
