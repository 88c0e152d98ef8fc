"""Who was signed out: one rule, whatever was said."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from config.limits import REVOCATIONS_MAX
from rt.auth.revoked import Revocation, Revoked, member_of, of_member, of_message
from rt.auth.tokens import Access, ChannelGrant


def access(user: str = "u1", sid: str = "s1", issued_at: int = 100) -> Access:
    return Access(user, sid, ("user",), "free", 1_000, issued_at, "everyone", 0)


def test_a_session_and_what_a_user_had_before() -> None:
    """Failed with `<=`: a token of the second after a password change was refused."""
    revoked = Revoked()
    assert revoked.add(Revocation("sid", "s1", 50.0))
    assert not revoked.add(Revocation("sid", "s1", 50.0))
    assert revoked.add(Revocation("user", "u2", 100.0))
    assert revoked.covers(access())
    assert not revoked.covers(access(sid="s2"))
    assert revoked.covers(access("u2", "s2", 99))
    assert not revoked.covers(access("u2", "s2", 100))


def test_what_is_remembered_is_bounded() -> None:
    """Seen failing without the bound."""
    revoked = Revoked()
    for number in range(REVOCATIONS_MAX + 5):
        revoked.add(Revocation("sid", f"s{number}", 1.0))
    assert len(revoked.sids) == REVOCATIONS_MAX
    assert "s4" not in revoked.sids


@given(st.binary(max_size=60), st.floats(0, 2e9))
def test_anything_may_be_in_the_set_or_on_the_bus(text: bytes, score: float) -> None:
    revoked = Revoked()
    for one in (of_member(text, score), *of_message(text, score)):
        revoked.add(one)


def test_the_words_of_the_bus() -> None:
    assert of_message(b'{"t":"revoke","sids":["a",5,"b"]}', 7.0) == [
        Revocation("sid", "a", 7.0),
        Revocation("sid", "b", 7.0),
    ]
    assert of_message(b'{"t":"revoke","user":"u","before":5}', 7.0) == [Revocation("user", "u", 5.0)]
    assert of_message(b'{"t":"other","sids":["a"]}', 7.0) == []
    assert of_member(b"sid:a", 3.0) == Revocation("sid", "a", 3.0)
    assert not Revoked().add(of_member(b"through", 3.0))


def grant(issued_at: int, user: str = "u1", channel: str = "profile:o") -> ChannelGrant:
    return ChannelGrant(user, channel, issued_at + 900, issued_at)


def test_what_is_forgotten_opens_nothing() -> None:
    """Beyond the bound the oldest goes, and with it every token of that time, whoever's. Seen failing with a bound that
    only forgot."""
    revoked = Revoked(channels_max=3)
    for number in range(5):
        revoked.add(Revocation("channel", f"profile:o r{number}", 100.0 + number))
    assert len(revoked.channels) == 3
    assert revoked.voids(grant(100, "r0"))
    assert revoked.voids(grant(101, "r1"))
    assert revoked.voids(grant(101, "somebody"))
    assert not revoked.voids(grant(102, "somebody"))
    assert revoked.voids(grant(104, "r4"))
    assert not revoked.voids(grant(105, "r4"))


def test_what_is_said_again_is_remembered_as_new() -> None:
    """Seen failing with an entry that kept its place: the next one pushed it out."""
    revoked = Revoked(channels_max=2)
    revoked.add(Revocation("channel", "profile:o a", 100.0))
    revoked.add(Revocation("channel", "profile:o b", 101.0))
    assert revoked.add(Revocation("channel", "profile:o a", 200.0))
    assert not revoked.add(Revocation("channel", "profile:o a", 150.0))
    revoked.add(Revocation("channel", "profile:o c", 201.0))
    assert revoked.voids(grant(200, "a"))
    assert not revoked.voids(grant(102, "b"))


def test_members_on_the_bus() -> None:
    channel, audience = Revocation("channel", "profile:o *", 9.0), Revocation("audience", "u nobody", 8.5)
    message = orjson.dumps(
        {"t": "revoke", "members": [[member_of(channel), "9"], [member_of(audience), "8.5"], ["x", 1]]}
    )
    assert of_message(message, 7.0) == [channel, audience]
    assert of_member(member_of(channel).encode(), 9.0) == channel
    assert not Revoked().add(Revocation("audience", "u whoever", 1.0))
