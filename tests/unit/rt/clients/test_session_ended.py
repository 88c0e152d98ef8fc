"""What a client may not do any more: a channel that it has lost, and presence that fewer may know of."""

from typing import Any

from rt.auth.revoked import Revocation
from rt.clients.effects import Beat, Effects, Expel, Join
from rt.clients.facts import Facts
from rt.clients.session import Session
from tests.unit.rt.clients.test_session import MINT, NOW, content, identified, make_facts, tell

WIRE = "profile:x"


def subscribe(session: Session, facts: Facts, issued_at: float = NOW, wire: str = WIRE) -> Effects:
    assert session.access is not None
    token = MINT.channel(session.access.user, wire, iat=int(issued_at), exp=int(issued_at) + 600)
    return tell(session, {"type": "subscribe", "channel": wire, "token": token, "id": 1}, facts)


def told_to(session: Session) -> str:
    return session.audience


def code(effects: Effects) -> Any:
    return content(effects[0])["code"]


def test_a_lost_channel_is_left_and_stays_closed_for_every_token_of_before() -> None:
    """Seen failing with `<` in place of `<=` (a token of the same second), and without the look at a resubscribe."""
    facts = make_facts()
    session = identified(facts=facts)
    assert isinstance(subscribe(session, facts)[0], Join)
    assert session.on_ended(WIRE, facts) == ()

    facts.revoked.add(Revocation("channel", f"{WIRE} u1", NOW))
    (expel,) = session.on_ended(WIRE, facts)
    assert isinstance(expel, Expel)
    assert expel.wire == WIRE
    assert b'"not_allowed"' in expel.frame
    assert session.subscriptions == ()
    assert session.on_ended(WIRE, facts) == ()  # once

    assert code(subscribe(session, facts)) == "FORBIDDEN"
    assert code(subscribe(session, facts, NOW - 100)) == "FORBIDDEN"
    assert isinstance(subscribe(session, facts, NOW + 1)[0], Join)  # it may read again since
    assert session.on_ended(WIRE, facts) == ()


def test_everybody_else_loses_it_and_the_owner_does_not() -> None:
    """Seen failing with a rule that took the owner for one of everybody."""
    facts = make_facts()
    reader, owner, other = identified("u1", facts), identified("x", facts), identified("u2", facts)
    for session in (reader, owner, other):
        assert isinstance(subscribe(session, facts)[0], Join)
    facts.revoked.add(Revocation("channel", f"{WIRE} u1", NOW))
    assert [len(session.on_ended(WIRE, facts)) for session in (reader, owner, other)] == [1, 0, 0]
    facts.revoked.add(Revocation("channel", f"{WIRE} *", NOW))
    assert [len(session.on_ended(WIRE, facts)) for session in (reader, owner, other)] == [0, 0, 1]
    assert isinstance(subscribe(owner, facts)[0], Join)


def test_no_channel_token_is_trusted_before_it_is_known_which_are_void() -> None:
    """Seen failing without the look at `knows_ended`."""
    facts = make_facts(knows_ended=False)
    session = identified(facts=facts)
    assert code(subscribe(session, facts)) == "UNAVAILABLE"
    assert session.subscriptions == ()
    assert isinstance(tell(session, {"type": "subscribe", "channel": "community"}, facts)[0], Join)
    facts.knows_ended = True
    assert isinstance(subscribe(session, facts)[0], Join)


def test_a_ticket_brings_no_channel_along() -> None:
    facts = make_facts()
    first = Session("one", 50.0)
    (welcome,) = tell(first, {"type": "connect", "token": MINT.access("u1")}, facts)
    ticket = content(welcome)["resume"]
    assert isinstance(subscribe(first, facts)[0], Join)
    facts.revoked.add(Revocation("channel", f"{WIRE} u1", NOW))
    again = Session("two", 50.0)
    tell(again, {"type": "connect", "resume": ticket}, facts)
    assert again.subscriptions == ()
    assert code(subscribe(again, facts)) == "FORBIDDEN"
    assert code(tell(again, {"type": "subscribe", "channel": WIRE}, facts)) == "FORBIDDEN"


def test_the_stricter_of_what_was_chosen_and_asked_holds_while_one_is_connected() -> None:
    """Seen failing with a heartbeat that was compared with the token's word for ever."""
    facts = make_facts()
    session = identified(facts=facts)

    def choose(audience: str, at: float) -> Effects:
        facts.revoked.add(Revocation("audience", f"u1 {audience}", at))
        return session.on_audience(facts)

    assert choose("followers", NOW + 1) == (Beat(None, None),)
    assert told_to(session) == "followers"
    assert choose("followers", NOW + 2) == ()
    tell(session, {"type": "heartbeat", "audience": "nobody"}, facts)
    assert told_to(session) == "nobody"
    choose("everyone", NOW + 3)
    assert told_to(session) == "nobody"  # as it asked
    tell(session, {"type": "heartbeat"}, facts)
    assert told_to(session) == "nobody"
    tell(session, {"type": "heartbeat", "audience": "everyone"}, facts)
    assert told_to(session) == "everyone"
    assert choose("nobody", NOW + 2) == ()  # older than what is known


def test_a_later_socket_goes_by_what_was_chosen_since_its_token() -> None:
    """By a token, by a ticket and by a refresh. Seen failing with the token's word."""
    facts = make_facts()
    token = MINT.access("u1", presence="everyone")
    first = Session("one", 50.0)
    (welcome,) = tell(first, {"type": "connect", "token": token}, facts)
    facts.revoked.add(Revocation("audience", "u1 nobody", NOW + 5))
    for connect in ({"token": token}, {"resume": content(welcome)["resume"]}):
        session = Session("two", 50.0)
        tell(session, {"type": "connect", **connect}, facts)
        assert told_to(session) == "nobody"
    assert tell(first, {"type": "refresh", "token": token, "id": 1}, facts)[0] == Beat(None, None)
    assert told_to(first) == "nobody"
    newer = MINT.access("u1", presence="followers", iat=int(NOW) + 170, exp=int(NOW) + 900)
    tell(first, {"type": "refresh", "token": newer, "id": 1}, facts)
    assert told_to(first) == "nobody"  # a token may be an old one of a clock that is ahead
    facts.revoked.add(Revocation("audience", "u1 followers", NOW + 150))
    assert first.on_audience(facts) == (Beat(None, None),)
    assert told_to(first) == "followers"
