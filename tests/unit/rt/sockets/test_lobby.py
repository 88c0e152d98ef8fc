"""Who has a place, and who goes first where there is none."""

import pytest

from config.limits import FILES_RESERVED, LOBBY_PLACES, STRANGERS_PER_ADDRESS_MAX
from rt.sockets.lobby import LOOPBACK, Lobby, Places, places


class Guest:
    """Notes whether it had to go; one that has upgraded ends as clients do."""

    def __init__(self, lobby: Lobby) -> None:
        self.lobby = lobby
        self.is_open = False
        self.is_gone = False

    def shed(self) -> None:
        self.is_gone = True
        if self.is_open:
            self.is_open = False
            self.lobby.end(self)


def accepted(lobby: Lobby, count: int, group: str = "") -> list[Guest]:
    guests = [Guest(lobby) for _ in range(count)]
    for guest in guests:
        lobby.enter(guest, group)
    return guests


def gone(*guests: Guest) -> list[bool]:
    return [guest.is_gone for guest in guests]


def upgraded(lobby: Lobby, guest: Guest) -> bool:
    if not lobby.has_place():
        return False
    lobby.upgrade(guest, "")
    guest.is_open = True
    return True


@pytest.mark.parametrize(
    ("files", "wanted", "clients", "lobby"),
    [
        (20_000, 50_000, 20_000 - FILES_RESERVED - LOBBY_PLACES, LOBBY_PLACES),
        (1_048_576, 50_000, 50_000, LOBBY_PLACES),
        (1_024, 50_000, 1_024 - FILES_RESERVED - LOBBY_PLACES, LOBBY_PLACES),
        (200, 50_000, 50, 50),
        (2, 50_000, 1, 1),
    ],
)
def test_places_stay_below_the_limit_of_files(files: int, wanted: int, clients: int, lobby: int) -> None:
    """At the limit the kernel closes all comers, whoever they are.

    Seen failing with no bound but the limit itself: 19,872 clients, and no file for anything else.
    """
    assert places(files, wanted) == Places(clients, lobby)


def test_whoever_has_been_silent_longest_goes_first() -> None:
    """Seen failing with the newcomer sent away: the first stayed."""
    lobby = Lobby(Places(5, 3), 100)
    first, *others = accepted(lobby, 8)
    lobby.leave(others[0])
    (ninth,) = accepted(lobby, 1)
    assert gone(first, ninth) == [False, False]
    (tenth,) = accepted(lobby, 1)
    assert gone(first) == [True]
    assert not any(gone(*others, ninth, tenth))
    assert (lobby.strangers, lobby.shed) == (8, 1)


def test_clients_leave_the_lobby_its_places_and_those_that_say_nothing_make_room() -> None:
    lobby = Lobby(Places(3, 2), 100)
    clients = [accepted(lobby, 1)[0] for _ in range(3)]
    for client in clients:
        assert upgraded(lobby, client)
    lobby.name(clients[0])
    lobby.name(clients[1])
    (late,) = accepted(lobby, 1)
    assert upgraded(lobby, late)
    assert gone(*clients) == [False, False, True]
    lobby.name(late)
    asker, second = accepted(lobby, 2)
    assert not upgraded(lobby, second)
    assert gone(asker) == [False]
    accepted(lobby, 5)
    assert gone(asker, late) == [True, False]


def test_one_group_pushes_out_its_own_only() -> None:
    """Seen failing with a count over all: an honest one went for the flood of another address."""
    lobby = Lobby(Places(1_000, 10), 100)
    (honest,) = accepted(lobby, 1, "192.0.2.1")
    flood = accepted(lobby, STRANGERS_PER_ADDRESS_MAX + 10, "2001:db8::/64")
    assert [guest.is_gone for guest in flood] == [True] * 10 + [False] * STRANGERS_PER_ADDRESS_MAX
    assert not honest.is_gone
    proxied = accepted(lobby, STRANGERS_PER_ADDRESS_MAX + 10)
    assert not any(guest.is_gone for guest in proxied)
    for guest in (honest, *flood, *proxied):
        lobby.leave(guest)
    assert lobby.strangers == 0
    assert not lobby._by_group


def test_a_group_has_its_share_of_sockets_and_loopback_leaves_some() -> None:
    lobby = Lobby(Places(16, 2), 3)
    for group, share in (("192.0.2.1", 3), (LOOPBACK, 14)):
        for _ in range(share):
            assert lobby.may_upgrade(group)
            lobby.take(group)
        assert not lobby.may_upgrade(group)
        lobby.give_back(group)
        assert lobby.may_upgrade(group)
