"""What a client may do next, without a socket."""

from typing import Any

import orjson
import pytest

from config.limits import (
    MESSAGES_BURST,
    PING_AFTER_SILENCE_BACKGROUND_S,
    PING_AFTER_SILENCE_S,
    SILENT_CLOSE_BACKGROUND_S,
    SILENT_CLOSE_S,
    SOCKET_LIFE_S_MAX,
    SUBSCRIPTIONS_PER_CONNECTION_MAX,
)
from rt.auth.revoked import Revocation
from rt.auth.tokens import Keys
from rt.clients.effects import (
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
from rt.clients.session import Session, SessionState
from rt.wire.closes import Closing
from rt.wire.frames import PING, split_frames
from rt.wire.inbound import decode
from tests.support.tokens import AUDIENCE, ISSUER, Mint

NOW = 1_800_000_000.0
UNIX = NOW - 50.0  # steady time 50 is now
MINT = Mint(clock=lambda: NOW)


def make_facts(**changes: Any) -> Facts:
    facts = Facts(
        issuer=ISSUER,
        audience=AUDIENCE,
        open_namespaces=frozenset({"poll"}),
        connections_per_user_max=3,
        settled_s=86_400,
    )
    facts.keys = Keys.from_jwks(MINT.jwks)
    facts.exercises = frozenset({"squat"})
    facts.ticket_secrets = (b"s" * 32,)
    facts.unix_offset = UNIX
    facts.knows_ended = True
    for name, value in changes.items():
        setattr(facts, name, value)
    return facts


FACTS = make_facts()


def tell(session: Session, message: dict[str, Any] | bytes, facts: Facts = FACTS, now: float = 50.0) -> Effects:
    return session.step(decode(message if isinstance(message, bytes) else orjson.dumps(message)), facts, now)


def content(effect: Effect) -> dict[str, Any]:
    assert isinstance(effect, Send | Welcome)
    (frame,) = split_frames(effect.frame)
    start = 2 if frame[1] < 126 else 4
    found: dict[str, Any] = orjson.loads(frame[start:])
    return found


def identified(user: str | None = "u1", facts: Facts = FACTS, **fields: Any) -> Session:
    session = Session("sess", 50.0)
    token = {} if user is None else {"token": MINT.access(user)}
    (admit,) = tell(session, {"type": "connect", **token, **fields}, facts)
    assert isinstance(admit, Welcome)
    return session


def code(effects: Effects) -> str:
    return str(content(effects[0])["code"])


# --- connect


def test_welcome() -> None:
    session = Session("sess", 50.0)
    (admit,) = tell(session, {"type": "connect", "token": MINT.access("u1"), "id": 5})
    welcome = content(admit)
    assert welcome.pop("resume")
    assert welcome.pop("expires_at").endswith("Z")
    assert welcome.pop("expires_in_s") == 12 * 3600  # a client whose clock is wrong goes by this
    assert welcome == {
        "type": "welcome", "session": "sess", "user": "u1", "heartbeat_s": 30, "ttl_s": 120, "degraded": True, "id": 5,
    }  # fmt: skip
    assert session.state is SessionState.IDENTIFIED


def test_anonymous_and_in_the_background() -> None:
    session = Session("sess", 50.0)
    (admit,) = tell(session, {"type": "connect", "background": True})
    welcome = content(admit)
    assert (welcome["user"], welcome["heartbeat_s"], welcome["ttl_s"]) == (None, 120, 300)
    assert "resume" not in welcome


@pytest.mark.parametrize(
    "first", [b"nope", b"{}", b'{"type":"ping"}', b'{"type":"connect","token":5}', b'{"type":"x"}', b"[]"]
)
def test_the_first_message_must_be_a_connect(first: bytes) -> None:
    assert tell(Session("s", 50.0), first) == (Close(Closing.BAD_MESSAGE),)


@pytest.mark.parametrize(
    ("token", "closing"),
    [
        (MINT.access(exp=int(NOW) - 5), Closing.TOKEN_EXPIRED),
        (MINT.access(iss="else"), Closing.BAD_TOKEN),
        (MINT.access(tier="gold"), Closing.BAD_TOKEN),
        (MINT.access("no such user"), Closing.BAD_TOKEN),
        ("rubbish", Closing.BAD_TOKEN),
    ],
)
def test_bad_and_expired_tokens(token: str, closing: Closing) -> None:
    assert tell(Session("s", 50.0), {"type": "connect", "token": token}) == (Close(closing),)


def test_a_token_under_an_unknown_key_waits() -> None:
    (hold,) = tell(Session("s", 50.0), {"type": "connect", "token": Mint("new", lambda: NOW).access()})
    assert isinstance(hold, AwaitKey)


def test_resuming_lives_as_long_as_the_ticket_and_not_longer() -> None:
    """Failed when a resumed socket was given twelve new hours: a chain of tickets never saw a token again."""
    facts = make_facts()
    session = Session("a", 50.0)
    ticket = content(tell(session, {"type": "connect", "token": MINT.access("u1")}, facts)[0])["resume"]
    facts.unix_offset += 6 * 3_600
    again = Session("b", 50.0)
    welcome = content(tell(again, {"type": "connect", "resume": ticket}, facts)[0])
    assert welcome["user"] == "u1"
    assert again.expires_unix == int(session.expires_unix)
    facts.unix_offset += SOCKET_LIFE_S_MAX
    assert tell(Session("c", 50.0), {"type": "connect", "resume": ticket}, facts) == (Close(Closing.TOKEN_EXPIRED),)


def test_a_ticket_that_does_not_hold_falls_back_to_the_token() -> None:
    message = {"type": "connect", "resume": "x.y", "token": MINT.access("u1")}
    assert content(tell(Session("s", 50.0), message)[0])["user"] == "u1"
    assert tell(Session("s", 50.0), {"type": "connect", "resume": "x.y"}) == (Close(Closing.TOKEN_EXPIRED),)


def test_a_revoked_session_comes_back_neither_by_token_nor_by_ticket() -> None:
    """Failed for the ticket while only tokens were looked up among the revoked."""
    facts = make_facts()
    token = MINT.access("u1", sid="gone")
    ticket = content(tell(Session("a", 50.0), {"type": "connect", "token": token}, facts)[0])["resume"]
    facts.revoked.add(Revocation("sid", "gone", 1.0))
    for message in ({"token": token}, {"resume": ticket}):
        assert tell(Session("s", 50.0), {"type": "connect"} | message, facts) == (Close(Closing.REVOKED),)
    facts = make_facts()
    facts.revoked.add(Revocation("user", "u1", NOW + 60))
    assert tell(Session("s", 50.0), {"type": "connect", "token": token}, facts) == (Close(Closing.REVOKED),)


def test_connections_of_one_user() -> None:
    facts = make_facts(sockets_by_user={"u1": 3})
    message = {"type": "connect", "token": MINT.access("u1")}
    assert tell(Session("s", 50.0), message, facts) == (Close(Closing.TOO_MANY_CONNECTIONS),)


# --- after it


def test_heartbeats() -> None:
    session = identified()
    beat, ack = tell(session, {"type": "heartbeat", "lat": 1, "lng": 2, "status": "training", "id": "h"})
    assert isinstance(beat, Beat)
    assert beat.cell is not None
    assert content(ack) == {"type": "ack", "id": "h"}
    states = [session.presence_state]
    assert tell(session, {"type": "heartbeat"}) == (Beat(None, None),)
    states.append(session.presence_state)  # what is absent stays
    tell(session, {"type": "heartbeat", "status": "browsing"})
    assert [*states, session.presence_state] == ["training", "training", "online"]


def test_the_stricter_audience_holds() -> None:
    session = Session("s", 50.0)
    tell(session, {"type": "connect", "token": MINT.access("u", presence="followers")})
    tell(session, {"type": "heartbeat", "audience": "everyone"})
    audiences = [session.audience]
    tell(session, {"type": "heartbeat", "audience": "nobody"})
    assert [*audiences, session.audience] == ["followers", "nobody"]


def test_pace_changes_once() -> None:
    session = identified()
    *_, pace = tell(session, {"type": "heartbeat", "background": True})
    assert content(pace) == {"type": "pace", "heartbeat_s": 120, "ttl_s": 300}
    assert session.ttl_s == 300
    assert tell(session, {"type": "heartbeat", "background": True}) == (Beat(None, None),)


def test_an_anonymous_heartbeat_only_keeps_alive() -> None:
    assert tell(identified(None), {"type": "heartbeat", "lat": 1, "lng": 2}) == ()


def test_exercises_are_a_vocabulary() -> None:
    assert tell(identified(), {"type": "heartbeat", "exercise": "squat"}) == (Beat(None, "squat"),)
    assert code(tell(identified(), {"type": "heartbeat", "exercise": "hello world"})) == "BAD_INPUT"


def test_who_may_read_what() -> None:
    """The policy, row by row: channel, signed in as u1 or not, token."""
    mine = MINT.channel("u1", "profile:x")
    rows: list[tuple[str, str | None, str | None, bool]] = [
        ("community", None, None, True),
        ("community", "u1", None, True),
        ("user:u1", "u1", None, True),
        ("user:u1", None, None, False),
        ("user:u2", "u1", None, False),
        ("user:u2", "u1", MINT.channel("u1", "user:u2"), False),
        ("profile:x", "u1", None, False),
        ("profile:x", "u1", mine, True),
        ("profile:y", "u1", mine, False),
        ("profile:x", None, mine, False),
        ("profile:x", "u1", MINT.channel("u2", "profile:x"), False),
        ("profile:x", "u1", MINT.access("u1"), False),
        ("profile:u1", "u1", None, False),
        ("app:poll:1", None, None, True),
        ("app:meals:1", "u1", None, False),
        ("app:meals:1", "u1", MINT.channel("u1", "app:meals:1"), True),
        ("app:musclemap:x", "u1", None, False),
        ("nonsense", "u1", None, False),
        ("", "u1", None, False),
    ]
    for channel, user, token, may in rows:
        message = {"type": "subscribe", "channel": channel, "id": 1} | ({"token": token} if token else {})
        effects = tell(identified(user), message)
        if may:
            assert isinstance(effects[0], Join), channel
        else:  # the same answer, whether it is there or not
            assert content(effects[0]) == {
                "type": "error", "code": "FORBIDDEN", "message": "this channel may not be joined", "id": 1,
            }, channel  # fmt: skip


def test_channel_tokens_end() -> None:
    session = identified()
    tell(session, {"type": "subscribe", "channel": "profile:x", "token": MINT.channel("u1", "profile:x")})
    tell(session, {"type": "subscribe", "channel": "community"})
    session.heard_at = 100.0
    assert session.ends_at(100.0, NOW) < 100.0 + 901
    (wake,) = session.on_clock(100.0, NOW)
    assert isinstance(wake, WakeAt)
    expel, wake = session.on_clock(100.0, NOW + 901)
    assert isinstance(expel, Expel)
    assert expel.wire == "profile:x"
    assert session.subscriptions == ("community",)
    assert session.ends_at(100.0, NOW + 901) == 100.0 + session.expires_unix - (NOW + 901)


def test_the_clock_decides_over_pings_and_ends() -> None:
    """In one place, as values. Seen failing with a ping that was due again at once, with a silence that began at the
    last ping (it never ended), with the foreground's silence for the background, and with a life that did not end."""
    assert Session("a", 50.0).on_clock(60.0, NOW) == (Close(Closing.NO_CONNECT),)
    for background, ping_s, close_s in (
        (False, PING_AFTER_SILENCE_S, SILENT_CLOSE_S),
        (True, PING_AFTER_SILENCE_BACKGROUND_S, SILENT_CLOSE_BACKGROUND_S),
    ):
        session = identified(background=background)
        session.heard_at = heard = 100.0
        assert session.on_clock(heard + ping_s - 1, NOW) == (WakeAt(heard + ping_s),)
        due, pings = heard + ping_s, 0
        while True:
            effects = session.on_clock(due, NOW)
            if effects == (Close(Closing.SILENT),):
                break
            ping, wake = effects
            assert ping == Send(PING)
            assert isinstance(wake, WakeAt)
            assert wake.due > due
            due, pings = wake.due, pings + 1
        assert due == heard + close_s
        assert pings == -(-(close_s - ping_s) // ping_s)
    session = identified()
    session.heard_at = 100.0
    assert session.on_clock(100.0, session.expires_unix) == (Close(Closing.TOKEN_EXPIRED),)


def test_128_subscriptions() -> None:
    session = identified()
    for number in range(SUBSCRIPTIONS_PER_CONNECTION_MAX):
        (join,) = tell(session, {"type": "subscribe", "channel": f"app:poll:{number}"})
        assert isinstance(join, Join)
    assert code(tell(session, {"type": "subscribe", "channel": "community"})) == "TOO_MANY_SUBSCRIPTIONS"
    assert isinstance(tell(session, {"type": "subscribe", "channel": "app:poll:0"})[0], Join)  # again
    assert isinstance(tell(session, {"type": "unsubscribe", "channel": "app:poll:0"})[0], Part)
    assert isinstance(tell(session, {"type": "subscribe", "channel": "community"})[0], Join)


def test_refresh() -> None:
    session = identified()
    before = session.expires_unix
    facts = make_facts(unix_offset=UNIX + 100)
    assert content(tell(session, {"type": "refresh", "token": MINT.access("u1"), "id": 1}, facts)[0])["id"] == 1
    assert session.expires_unix > before
    for token in (MINT.access("u2"), MINT.access(exp=1), "x"):
        assert code(tell(session, {"type": "refresh", "token": token})) == "UNAUTHENTICATED"


def test_a_refresh_may_narrow_the_audience_and_never_widens_it() -> None:
    """Failed while only a heartbeat with an `audience` looked at the token's: somebody stayed visible who had chosen
    not to be."""
    session = identified()
    effects = tell(session, {"type": "refresh", "token": MINT.access("u1", presence="nobody")})
    assert effects[0] == Beat(None, None)
    assert content(effects[1])["type"] == "refreshed"
    audiences = [session.audience]
    assert len(tell(session, {"type": "refresh", "token": MINT.access("u1")})) == 1
    assert [*audiences, session.audience] == ["nobody", "nobody"]


def test_what_is_counted() -> None:
    """Failed with counters that nobody raised."""
    ticket = content(tell(Session("a", 50.0), {"type": "connect", "token": MINT.access("u1")})[0])["resume"]
    session = Session("b", 50.0)
    (admit,) = tell(session, {"type": "connect", "resume": ticket})
    (wrong,) = tell(session, {"type": "subscribe", "channel": "?"})
    for _ in range(MESSAGES_BURST):
        last, *then = tell(session, {"type": "ping"})
    assert isinstance(admit, Welcome)
    assert isinstance(wrong, Send)
    assert isinstance(last, Send)
    assert admit.resumed
    assert (wrong.is_error, last.is_error, then) == (True, True, [Throttle(counted=True)])


def test_the_rest() -> None:
    session = identified()
    assert content(tell(session, {"type": "ping", "id": 0})[0]) == {"type": "pong", "id": 0}
    assert isinstance(
        tell(session, {"type": "viewport", "west": 0, "south": 0, "east": 1, "north": 1, "zoom": 3})[0], Watch
    )
    assert code(tell(session, {"type": "connect"})) == "BAD_INPUT"
    assert code(tell(session, {"type": "dance"})) == "UNKNOWN_TYPE"
    assert tell(session, {"type": "leave"}) == (Depart(), Close(Closing.NORMAL))
    assert tell(session, {"type": "ping"}) == ()
    assert tell(identified(), b"nope") == (Close(Closing.BAD_MESSAGE),)
