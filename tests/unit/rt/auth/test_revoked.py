"""Who was signed out: one rule, whatever was said."""

from hypothesis import given
from hypothesis import strategies as st

from config.limits import REVOCATIONS_MAX
from rt.auth.revoked import Revocation, Revoked, of_member, of_message
from rt.auth.tokens import Access


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
