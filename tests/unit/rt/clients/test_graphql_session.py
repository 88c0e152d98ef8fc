"""What a client that speaks graphql-transport-ws may do next, without a socket."""

from typing import Any

import orjson
import pytest

from config.limits import ERRORS_PER_WINDOW_MAX, MESSAGES_BURST, SOCKET_LIFE_S_MAX, SUBSCRIPTIONS_PER_CONNECTION_MAX
from rt.auth.revoked import Revocation
from rt.clients.effects import AwaitKey, Close, Effects, Finish, Follow, Look, Release, Send, Throttle, Welcome
from rt.clients.facts import Facts
from rt.clients.graphql_session import GraphqlSession
from rt.clients.session import SessionState
from rt.graphql.subscriptions import Subscriptions
from rt.wire.closes import Closing, GraphqlClosing
from rt.wire.frames import payload_of, text_frame
from rt.wire.graphql import decode
from rt.wire.inbound import Since
from tests.support.tokens import Mint
from tests.unit.rt.clients.test_session import FACTS, MINT, NOW, make_facts

DOCUMENTS = Subscriptions()
COMMUNITY = "subscription { communityFeed { id } }"
PROFILE = "subscription($user: ID!) { profileFeed(userId: $user) { id } }"


def tell(session: GraphqlSession, message: dict[str, Any] | bytes, facts: Facts = FACTS, now: float = 50.0) -> Effects:
    return session.step(decode(message if isinstance(message, bytes) else orjson.dumps(message)), facts, now)


def session(user: str | None = "u1", facts: Facts = FACTS, **claims: Any) -> GraphqlSession:
    made = GraphqlSession("s1", 50.0, 0.0, "", DOCUMENTS)
    payload = None if user is None else {"authorization": f"Bearer {MINT.access(user, **claims)}"}
    effects = tell(made, {"type": "connection_init", "payload": payload}, facts)
    assert [type(effect) for effect in effects] == [Welcome]
    return made


def subscribe(name: str, query: str = COMMUNITY, *, extensions: Any = None, **variables: Any) -> dict[str, Any]:
    return {
        "id": name,
        "type": "subscribe",
        "payload": {"query": query, "variables": variables, "extensions": extensions},
    }


def refusal(effects: Effects) -> tuple[str, int]:
    """The code and status of the one `error`, which must be the first effect."""
    first = effects[0]
    assert isinstance(first, Send)
    assert first.is_error
    message = orjson.loads(payload_of(first.frame))
    assert message["type"] == "error"
    (error,) = message["payload"]
    return error["extensions"]["code"], error["extensions"]["statusCode"]


def test_whoever_has_been_acknowledged_follows_a_channel() -> None:
    made = session()
    (follow,) = tell(made, subscribe("1", extensions={"since": {"epoch": "e", "offset": 7}}))
    assert isinstance(follow, Follow)
    assert (follow.operation, follow.channel.wire, follow.since) == ("1", "community", Since("e", 7))
    (follow,) = tell(made, subscribe("2", "subscription { mine: dashboard { id } }"))
    assert isinstance(follow, Follow)
    assert (follow.channel.wire, follow.wanted.field.key) == ("user:u1", "mine")
    assert tell(made, {"type": "complete", "id": "1"}) == (Release("1"),)
    assert tell(made, {"type": "complete", "id": "1"}) == ()
    assert len(tell(made, subscribe("1"))) == 1  # the id is free again


@pytest.mark.parametrize(
    ("message", "closing"),
    [
        (b"{", Closing.BAD_MESSAGE),
        (b"[]", Closing.BAD_MESSAGE),
        ({"type": "start", "id": "1", "payload": {"query": COMMUNITY}}, Closing.BAD_MESSAGE),  # of the old protocol
        ({"type": "subscribe", "id": "", "payload": {"query": COMMUNITY}}, Closing.BAD_MESSAGE),
        ({"type": "subscribe", "id": "1", "payload": {}}, Closing.BAD_MESSAGE),
        ({"type": "subscribe", "id": 1, "payload": {"query": COMMUNITY}}, Closing.BAD_MESSAGE),
        ({"type": "connection_init"}, GraphqlClosing.TWICE),
        (subscribe("there"), GraphqlClosing.DUPLICATE),
    ],
)
def test_what_breaks_the_protocol_ends_the_socket(message: Any, closing: Any) -> None:
    """Seen failing without the look at `subscriptions`, and with a second `connection_init` that was answered."""
    made = session()
    tell(made, subscribe("there"))
    assert tell(made, message) == (Close(closing),)
    assert tell(made, subscribe("2")) == ()


@pytest.mark.parametrize("message", [subscribe("1"), {"type": "start", "id": "1", "payload": {"query": COMMUNITY}}])
def test_nothing_is_subscribed_to_before_the_acknowledgement(message: dict[str, Any]) -> None:
    made = GraphqlSession("s1", 50.0, 0.0, "", DOCUMENTS)
    (effect,) = tell(made, message)
    assert effect in (Close(GraphqlClosing.UNAUTHORIZED), Close(Closing.BAD_MESSAGE))
    assert made.subscriptions == ()


def test_silence_before_the_init_ends_the_socket() -> None:
    made = GraphqlSession("s1", 50.0, 0.0, "", DOCUMENTS)
    assert tell(made, {"type": "ping", "payload": {"x": 1}}) == (
        Send(text_frame(b'{"type":"pong","payload":{"x":1}}')),
    )
    assert made.on_clock(60.0, NOW) == (Close(Closing.NO_CONNECT),)


@pytest.mark.parametrize(
    ("authorization", "closing"),
    [
        ("Bearer x", Closing.BAD_TOKEN),
        ("Basic eDp5", Closing.BAD_TOKEN),
        ("", Closing.BAD_TOKEN),
        (f"Bearer {MINT.access('u1', exp=int(NOW) - 1000)}", Closing.TOKEN_EXPIRED),
    ],
)
def test_a_token_that_is_not_good_is_refused(authorization: str, closing: Closing) -> None:
    made = GraphqlSession("s1", 50.0, 0.0, "", DOCUMENTS)
    effects = tell(made, {"type": "connection_init", "payload": {"authorization": authorization}})
    assert effects == (Close(closing),)


def test_a_token_of_a_new_key_waits_and_one_of_an_ended_session_is_refused() -> None:
    token = f"bearer {Mint('new', lambda: NOW).access('u1')}"
    made = GraphqlSession("s1", 50.0, 0.0, "", DOCUMENTS)
    (effect,) = tell(made, {"type": "connection_init", "payload": {"authorization": token}})
    assert isinstance(effect, AwaitKey)
    facts = make_facts()
    facts.revoked.add(Revocation("sid", "gone", NOW))
    made = GraphqlSession("s1", 50.0, 0.0, "", DOCUMENTS)
    token = f"Bearer {MINT.access('u1', sid='gone')}"
    effects = tell(made, {"type": "connection_init", "payload": {"authorization": token}}, facts)
    assert effects == (Close(Closing.REVOKED),)


@pytest.mark.parametrize(
    ("user", "query", "variables", "extensions", "expected"),
    [
        (None, "subscription { dashboard { id } }", {}, None, ("UNAUTHENTICATED", 401)),
        (None, PROFILE, {"user": "u2"}, None, ("UNAUTHENTICATED", 401)),
        ("u1", PROFILE, {"user": "u2"}, None, ("FORBIDDEN", 403)),
        ("u1", PROFILE, {"user": "u2:x"}, None, ("FORBIDDEN", 403)),
        ("u1", PROFILE, {"user": "u2"}, {"token": MINT.channel("u1", "profile:u3")}, ("FORBIDDEN", 403)),
        ("u1", PROFILE, {"user": "u2"}, {"token": MINT.channel("u3", "profile:u2")}, ("FORBIDDEN", 403)),
        ("u1", PROFILE, {}, None, ("BAD_INPUT", 400)),
        ("u1", COMMUNITY, {}, {"since": {"epoch": "e"}}, ("BAD_INPUT", 400)),
        ("u1", COMMUNITY, {}, {"since": {"epoch": "e", "offset": -1}}, ("BAD_INPUT", 400)),
        ("u1", COMMUNITY, {}, [], ("BAD_INPUT", 400)),
        ("u1", "{ me { id } }", {}, None, ("BAD_INPUT", 400)),
        ("u1", "subscription { communityFeed { id } dashboard { id } }", {}, None, ("BAD_INPUT", 400)),
        ("u1", "subscription { communityFeed { nothing } }", {}, None, ("BAD_INPUT", 400)),
        ("u1", "subscription { " + "a { " * 30 + "}" * 31, {}, None, ("BAD_INPUT", 400)),
        ("u1", "subscription { communityFeed { " + " ".join(f"a{n}: id" for n in range(11)) + "} }", {}, None,
         ("BAD_INPUT", 400)),
        ("u1", "subscription { communityFeed { ...F } } fragment F on FeedEvent { id ...F }", {}, None,
         ("BAD_INPUT", 400)),
        ("u1", "subscription { presenceMap(west: 0, south: 2, east: 1, north: 1, zoom: 3) { online } }", {}, None,
         ("BAD_INPUT", 400)),
        ("u1", "subscription { presenceMap(west: 0, south: 0, east: 1, north: 1, zoom: 99) { online } }", {}, None,
         ("BAD_INPUT", 400)),
    ],
)  # fmt: skip
def test_what_may_not_be_is_an_error_of_its_operation(
    user: str | None, query: str, variables: dict[str, Any], extensions: Any, expected: tuple[str, int]
) -> None:
    """Documents pass the walk of those that are posted: the limits on depth, aliases and cycles are its own."""
    made = session(user)
    assert refusal(tell(made, subscribe("1", query, extensions=extensions, **variables))) == expected
    assert made.subscriptions == ()


def test_a_channel_token_opens_a_profile_until_it_ends_or_is_taken_back() -> None:
    """Seen failing with the grant of one operation kept for the channel: the second one ended with the first."""
    made = session()
    token = MINT.channel("u1", "profile:u2", exp=int(NOW) + 60)
    longer = MINT.channel("u1", "profile:u2", exp=int(NOW) + 600)
    for name, given in (("1", token), ("2", longer)):
        (follow,) = tell(made, subscribe(name, PROFILE, extensions={"token": given}, user="u2"))
        assert isinstance(follow, Follow)
        assert follow.channel.wire == "profile:u2"
    first, *_ = made.on_clock(20.0, NOW + 61)
    assert first == Finish("1", "UNAUTHENTICATED", "The token of the channel has expired", "token_expired")
    assert list(made.subscriptions) == ["2"]
    facts = make_facts()
    assert made.on_ended("profile:u2", facts) == ()
    facts.revoked.add(Revocation("channel", "profile:u2 u1", NOW + 120))
    assert made.on_ended("profile:u3", facts) == ()
    assert made.on_ended("profile:u2", facts) == (
        Finish("2", "FORBIDDEN", "This is not allowed any more", "not_allowed"),
    )
    assert not made.subscriptions
    again = subscribe("3", PROFILE, extensions={"token": longer}, user="u2")
    assert refusal(tell(made, again, facts)) == ("FORBIDDEN", 403)


def test_it_is_not_known_yet_who_may_read() -> None:
    facts = make_facts(knows_ended=False)
    made = session(facts=facts)
    token = MINT.channel("u1", "profile:u2")
    message = subscribe("1", PROFILE, extensions={"token": token}, user="u2")
    assert refusal(tell(made, message, facts)) == ("RETRY_LATER", 503)


def test_the_map_is_looked_at() -> None:
    query = "subscription { presenceMap(west: -1, south: -1, east: 1, north: 1, zoom: 5) { online } }"
    (look,) = tell(session(None), subscribe("1", query))
    assert isinstance(look, Look)
    assert look.view.resolution == 3


def test_operations_messages_and_errors_are_bounded() -> None:
    """Seen failing without the bound on operations, and with an `error` that did not count."""
    made = session()
    for number in range(SUBSCRIPTIONS_PER_CONNECTION_MAX):
        assert len(tell(made, subscribe(str(number)))) == 1
    assert refusal(tell(made, subscribe("one more"))) == ("TOO_MANY_SUBSCRIPTIONS", 429)
    for number in range(ERRORS_PER_WINDOW_MAX - 1):
        refusal(tell(made, subscribe(f"bad {number}", "subscription { nothing }"), now=50.0 + number))
    *_, last = tell(made, subscribe("bad", "subscription { nothing }"), now=90.0)
    assert last == Close(Closing.TOO_MANY_ERRORS)
    assert made.state is SessionState.CLOSING


def test_a_flood_is_refused_and_then_ended() -> None:
    made = session()
    for _ in range(MESSAGES_BURST):
        tell(made, {"type": "pong"})
    assert tell(made, {"type": "ping"}) == (Throttle(counted=True),)
    effects = tell(made, subscribe("1"))
    assert refusal(effects) == ("RATE_LIMITED", 429)
    assert effects[1:] == (Throttle(counted=True),)
    last: Effects = ()
    now = 50.0
    while last != (Close(Closing.RATE_LIMIT),) and now < 70.0:
        for _ in range(40):
            last = tell(made, {"type": "ping"}, now=now) or last
        now += 0.5
    assert last == (Close(Closing.RATE_LIMIT),)


def test_a_document_that_nobody_has_brought_counts_as_several_messages() -> None:
    """Seen failing with a price of one for each: a socket brought fifty a second, 20 ms of the process each."""
    made, brought = session(), 0
    while True:
        text = "subscription { communityFeed { " + "id " * 400 + f"n{brought}: id " + "} }"
        effects = tell(made, subscribe(str(brought), text))
        if isinstance(effects[0], Send):
            break
        brought += 1
    assert brought < MESSAGES_BURST / 15
    assert refusal(effects) == ("RATE_LIMITED", 429)


def test_the_life_of_a_socket_ends_as_any_other() -> None:
    made = session()
    assert made.on_clock(100.0, NOW + SOCKET_LIFE_S_MAX + 1) == (Close(Closing.TOKEN_EXPIRED),)
