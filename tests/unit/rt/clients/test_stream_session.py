"""Who may hear which stream, and until when, without a socket."""

import pytest

from config.limits import SOCKET_LIFE_S_MAX, STREAM_COMMENT_S
from rt.auth.revoked import Revocation
from rt.auth.tokens import Keys
from rt.clients.effects import AwaitKey, Close, Effect, Effects, Expel, Join, Send, WakeAt, Welcome
from rt.clients.facts import Facts
from rt.clients.stream_session import StreamSession
from rt.wire.closes import Closing, GraphqlClosing
from rt.wire.frames import PING
from rt.wire.inbound import Since
from rt.wire.sse_request import Asked
from tests.unit.rt.clients.test_session import FACTS, MINT, NOW, UNIX, code, make_facts

PROFILE = "profile:x"


def begun(asked: Asked, facts: Facts = FACTS) -> tuple[StreamSession, Effects]:
    """The session, and what follows from its request but the welcome."""
    session = StreamSession("sess", asked, facts, 50.0, 50.0)
    effects: list[Effect] = []
    for message in session.says(asked):
        effects += session.step(message, facts, 50.0)
    return session, tuple(effect for effect in effects if not isinstance(effect, Welcome))


def channel_token(channel: str = PROFILE, user: str = "u1", issued_at: float = NOW, **claims: str) -> str:
    return MINT.channel(user, channel, iat=int(issued_at), exp=int(issued_at) + 600, **claims)


def test_what_may_be_heard() -> None:
    """The community by anybody, one's own by an access token, a profile by a channel token, with or without another."""
    since = Since("e", 7)
    for asked in (
        Asked("community", since),
        Asked("community", since, MINT.access("u1")),
        Asked("community", since, None, channel_token()),  # which is not looked at
        Asked("app:poll:x", since),
        Asked("app:poll:x", since, None, "no token"),
        Asked("user:u1", since, MINT.access("u1")),
        Asked(PROFILE, since, None, channel_token()),
        Asked(PROFILE, since, MINT.access("u1"), channel_token()),
        Asked("app:diary:x", since, None, channel_token("app:diary:x")),
    ):
        _, effects = begun(asked)
        assert [type(effect) for effect in effects] == [Join], asked
        (join,) = effects
        assert isinstance(join, Join)
        assert (join.channel.wire, join.since) == (asked.channel, since)


@pytest.mark.parametrize(
    "asked",
    [
        Asked("user:u1"),
        Asked("user:u1", None, MINT.access("u2")),
        Asked("user:u1", None, None, channel_token()),  # it says who asks, and opens one channel alone
        Asked("user:u1", None, None, channel_token("user:u1")),
        Asked(PROFILE),
        Asked(PROFILE, None, MINT.access("u1")),
        Asked(PROFILE, None, MINT.access("u2"), channel_token()),
        Asked(PROFILE, None, None, channel_token("profile:y")),
        Asked(PROFILE, None, None, MINT.access("u1")),
        Asked(PROFILE, None, None, channel_token()[:-4] + "AAAA"),
        Asked("app:diary:x"),
        Asked("nothing"),
        Asked(""),
    ],
)
def test_what_may_not(asked: Asked) -> None:
    """All alike, whether there is such a channel or not. Seen failing with a session that took a profile's token for
    its user (`user:u1` was open to whoever follows anybody)."""
    session, effects = begun(asked)
    assert code(effects) == "FORBIDDEN"
    assert session.subscriptions == ()


def test_tokens_that_are_over_or_of_another_key_or_taken_back() -> None:
    def closing(asked: Asked, facts: Facts = FACTS) -> Closing | GraphqlClosing:
        (close,) = begun(asked, facts)[1]
        assert isinstance(close, Close)
        return close.closing

    assert closing(Asked("community", None, MINT.access("u1", exp=int(NOW)))) is Closing.TOKEN_EXPIRED
    assert closing(Asked("community", None, "x.y.z")) is Closing.BAD_TOKEN
    assert closing(Asked(PROFILE, None, None, channel_token(issued_at=NOW - 700))) is Closing.TOKEN_EXPIRED
    assert code(begun(Asked(PROFILE, None, MINT.access("u1"), channel_token(issued_at=NOW - 700)))[1]) == "FORBIDDEN"

    new = make_facts(keys=Keys({}))
    for asked in (Asked("community", None, MINT.access("u1")), Asked(PROFILE, None, None, channel_token())):
        session = StreamSession("sess", asked, new, 50.0, 50.0)
        (waits,) = session.step(session.says(asked)[0], new, 50.0)
        assert isinstance(waits, AwaitKey)

    gone = make_facts()
    gone.revoked.add(Revocation("user", "u1", NOW + 1))
    assert closing(Asked(PROFILE, None, None, channel_token()), gone) is Closing.REVOKED
    assert closing(Asked("user:u1", None, MINT.access("u1")), gone) is Closing.REVOKED
    left = make_facts()
    left.revoked.add(Revocation("sid", "s-2", NOW))
    assert closing(Asked(PROFILE, None, None, channel_token(sid="s-2")), left) is Closing.REVOKED
    asked = Asked(PROFILE, None, MINT.access("u1", sid="s-1"), channel_token(sid="s-2"))
    assert code(begun(asked, left)[1]) == "FORBIDDEN"
    lost = make_facts()
    lost.revoked.add(Revocation("channel", f"{PROFILE} u1", NOW))
    assert code(begun(Asked(PROFILE, None, None, channel_token()), lost)[1]) == "FORBIDDEN"
    assert code(begun(Asked(PROFILE, None, None, channel_token()), make_facts(knows_ended=False))[1]) == "UNAVAILABLE"


def test_one_user_has_so_many() -> None:
    """Streams and sockets together, also of who shows a channel token alone."""
    full = make_facts(sockets_by_user={"u1": 3})
    for asked in (Asked("community", None, MINT.access("u1")), Asked(PROFILE, None, None, channel_token())):
        (close,) = begun(asked, full)[1]
        assert close == Close(Closing.TOO_MANY_CONNECTIONS)
    assert isinstance(begun(Asked("community"), full)[1][0], Join)


def test_it_is_silent_for_fifteen_seconds_and_never_too_long() -> None:
    """Seen failing with the silence of a socket (a comment after 25 s, and an end after 60)."""
    session, _ = begun(Asked("community"))
    now = session.first_look_at(50.0, 0.999)
    assert now <= 50.0 + STREAM_COMMENT_S
    comments: list[float] = []
    while now < 50.0 + 600:
        effects = session.on_clock(now, now + UNIX)
        if Send(PING) in effects:
            comments.append(now)
        (wake,) = (effect for effect in effects if isinstance(effect, WakeAt))
        now = wake.due
    assert comments == [50.0 + STREAM_COMMENT_S * n for n in range(1, 40)]


def test_it_ends_with_its_token_its_channel_and_its_life() -> None:
    """Seen failing with a look at the clock after its end, which kept a half-closed socket for 15 s more."""
    session, _ = begun(Asked(PROFILE, None, None, channel_token()))
    assert session.ends_at(50.0, NOW) == 50.0 + 600
    (expel,) = session.on_clock(650.0, NOW + 600)
    assert isinstance(expel, Expel)
    assert b"token_expired" in expel.frame

    facts = make_facts()
    session, _ = begun(Asked(PROFILE, None, None, channel_token()), facts)
    facts.revoked.add(Revocation("channel", f"{PROFILE} u1", NOW))
    (expel,) = session.on_ended(PROFILE, facts)
    assert isinstance(expel, Expel)

    session, _ = begun(Asked("community"))
    assert session.on_clock(50.0 + SOCKET_LIFE_S_MAX, NOW + SOCKET_LIFE_S_MAX) == (Close(Closing.TOKEN_EXPIRED),)


def test_it_is_in_no_presence() -> None:
    facts = make_facts()
    session, _ = begun(Asked("user:u1", None, MINT.access("u1")), facts)
    facts.revoked.add(Revocation("audience", "u1 nobody", NOW))
    assert session.on_audience(facts) == ()
