"""Who reads what: each kind of client on each kind of channel, with each kind of token."""

from typing import Any, Final

import orjson
import pytest

from rt.auth.apps import NO_APPS, Apps, decode, encode
from rt.auth.tokens import Access, TokenExpired, TokenInvalid, TokenKeyUnknown
from rt.clients.facts import Facts
from rt.clients.rights import granted, identify, is_ended, may_read, rooms_of, shares, still_reads
from rt.wire.channels import parse
from tests.support.tokens import AUDIENCE, ISSUER, Mint
from tests.unit.rt.clients.test_session import MINT, UNIX, make_facts

CLUB, DIARY, WIDGET = (Mint(clock=lambda: UNIX, kid=name) for name in ("club-key", "diary-key", "w1"))
PAGE: Final = "https://gym.example"


def known(**changes: Any) -> Apps:
    """`club`, whose users may join all of it; `diary`, by channel tokens; the open `fair`; the widget token `w1`."""

    def app(namespace: str, mint: Mint, **more: Any) -> dict[str, Any]:
        keys = orjson.loads(mint.jwks)["keys"]
        return {"namespace": namespace, "open": False, "users": False, "presence": False, "keys": keys} | more

    apps = [app("club", CLUB, users=True), app("diary", DIARY), app("fair", DIARY, open=True)]
    widgets = [{"id": "w1", "origin": PAGE, "key": orjson.loads(WIDGET.jwks)["keys"][0]}]
    return decode(encode(changes.get("apps", apps), changes.get("widgets", widgets)))


def facts(**changes: Any) -> Facts:
    return make_facts(**{"apps": known()} | changes)


def user_token(mint: Mint, namespace: str, **changes: Any) -> str:
    claims = {"iss": namespace, "aud": AUDIENCE, "sub": "ann", "exp": int(UNIX) + 60} | changes
    return mint.sign(claims, typ="at+jwt")


def widget_token(**changes: Any) -> str:
    return WIDGET.sign(
        {"iss": ISSUER, "aud": AUDIENCE, "origin": PAGE, "exp": int(UNIX) + 60} | changes, typ="widget+jwt"
    )


def app_ticket(mint: Mint, namespace: str, channel: str, user: str = "ann") -> str:
    claims = {"iss": namespace, "aud": AUDIENCE, "sub": user, "channel": channel, "exp": int(UNIX) + 60}
    return mint.sign(claims, typ="channel+jwt")


def who(name: str) -> tuple[Access | None, str]:
    """(access, widget) of a client by its name."""
    match name:
        case "nobody":
            return None, ""
        case "ours":
            token = MINT.access("u1", iat=int(UNIX), exp=int(UNIX) + 900)
        case "widget":
            token = widget_token()
        case _:
            token = user_token({"club": CLUB, "diary": DIARY}[name], name)
    return identify(token, PAGE, facts(), UNIX)


OURS: Final = MINT.channel("u1", "profile:x", iat=int(UNIX), exp=int(UNIX) + 600)
# What opens a channel, to whom. Everything that is not here stays closed.
OPEN: Final = {
    ("community", ""): {"ours", "nobody", "widget"},
    ("user:u1", ""): {"ours"},
    ("profile:x", OURS): {"ours"},
    ("app:club:a", ""): {"club"},
    ("app:diary:a", app_ticket(DIARY, "diary", "app:diary:a", "ann")): {"diary"},
    ("app:fair:a", ""): {"ours", "nobody"},
    ("app:poll:a", ""): {"ours", "nobody"},  # of RT_OPEN_NAMESPACES
}
CHANNELS: Final = (*(wire for wire, _ in OPEN), "user:club:ann", "user:u2", "profile:u1", "app:nobody:a", "nonsense")
TOKENS: Final = {"": "none", **{token: wire for wire, token in OPEN if token}, "rubbish": "rubbish"}


@pytest.mark.parametrize("client", ["ours", "nobody", "club", "diary", "widget"])
@pytest.mark.parametrize("wire", CHANNELS)
def test_a_channel_is_open_to_those_it_is_for(client: str, wire: str) -> None:
    """With every token that there is. Seen failing with a widget that reads what is open, with a user of an app that
    reads `community`, and with a grant whose user or channel nobody looks at."""
    access, widget = who(client)
    for token, name in TOKENS.items():
        found = may_read(access, widget, parse(wire), token or None, facts(), UNIX)
        wanted = client in OPEN.get((wire, token), OPEN.get((wire, ""), set()))
        assert (found is not None) == wanted, name


def test_a_token_of_somebody_else_opens_nothing() -> None:
    """Seen failing without the comparison of the grant's user."""
    access, _ = who("diary")
    channel = parse("app:diary:a")
    for token in (app_ticket(DIARY, "diary", "app:diary:a", "bob"), app_ticket(DIARY, "diary", "app:diary:b")):
        assert may_read(access, "", channel, token, facts(), UNIX) is None


def test_who_it_is() -> None:
    """Seen failing with the error that an app has for a token of ours."""
    assert who("ours")[0] is not None
    club = who("club")[0]
    assert club is not None
    assert club.user == "club:ann"
    assert who("widget") == (None, "w1")
    with pytest.raises(TokenInvalid):
        identify(widget_token(), "https://other.example", facts(), UNIX)
    with pytest.raises(TokenExpired):
        identify(MINT.access("u1", iat=int(UNIX) - 1_000, exp=int(UNIX) - 100), PAGE, facts(), UNIX)
    with pytest.raises(TokenKeyUnknown):
        identify(Mint(clock=lambda: UNIX, kid="another").access("u1"), PAGE, facts(), UNIX)
    with pytest.raises(TokenInvalid):
        identify("rubbish", PAGE, facts(), UNIX)


def test_what_a_channel_token_grants() -> None:
    """Ours, an app's by that app's key, and nothing else."""
    assert granted(OURS, facts(), UNIX).channel == "profile:x"
    theirs = granted(app_ticket(DIARY, "diary", "app:diary:a"), facts(), UNIX)
    assert (theirs.user, theirs.signed_by) == ("diary:ann", "diary:diary-key")
    for wrong in (app_ticket(CLUB, "diary", "app:diary:a"), "rubbish"):
        with pytest.raises(TokenInvalid):
            granted(wrong, facts(), UNIX)


def test_what_was_taken_back_ends() -> None:
    """Apps that are not read yet end nobody. Seen failing with `NO_APPS` taken for apps that are gone."""
    assert not any(is_ended(*who(name), facts()) for name in ("ours", "nobody", "club", "widget"))
    gone = facts(apps=known(apps=[], widgets=[]))
    assert [is_ended(*who(name), gone) for name in ("ours", "nobody", "club", "widget")] == [False, False, True, True]
    assert not is_ended(*who("club"), facts(apps=NO_APPS))


def test_in_whose_names_a_socket_counts() -> None:
    """A user of an app counts for the app too, so that one app cannot have all sockets of a process."""
    names = {
        client: [name for name, _ in shares(*who(client), facts())] for client in ("ours", "nobody", "club", "widget")
    }
    assert names == {"ours": ["u1"], "nobody": [], "club": ["club:ann", "club:"], "widget": ["widget w1"]}


def test_a_reader_of_an_app_reads_on_while_the_app_says_so() -> None:
    """Seen failing with a grant that outlives the key that signed it."""
    access, _ = who("diary")
    channel = parse("app:diary:a")
    assert channel is not None
    grant = may_read(access, "", channel, app_ticket(DIARY, "diary", "app:diary:a"), facts(), UNIX)
    assert grant is not None
    assert still_reads(access, channel, grant, facts())
    assert not still_reads(access, channel, None, facts())
    assert not still_reads(access, channel, grant, facts(apps=known(apps=[])))
    free = parse("app:club:a")
    assert free is not None
    assert still_reads(who("club")[0], free, None, facts())
    assert not still_reads(access, free, None, facts())


def test_the_rooms_of_a_client_are_of_its_own_app() -> None:
    """Seen failing with the open rooms of other apps among them."""
    access, _ = who("club")
    assert [one.wire for one in rooms_of(access, ["app:club:a", "app:fair:a", "community"])] == ["app:club:a"]
    assert rooms_of(who("ours")[0], ["app:fair:a"]) == []
