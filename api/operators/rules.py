"""Why somebody did not get an event: what is known of it, in words that say what to do. Pure.

The event's way is followed from PostgreSQL to the socket, and the first thing that stopped it is the reason. A channel
is looked at for itself: an event may lie on the community, on its owner's profile and on the owner's dashboard.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from config.errors import BadInput
from config.limits import FAREWELLS_KEPT_S
from rt.feed.positions import Position
from rt.wire.inquiry import Answer, Ended, Hot, Seat

EMAIL_CHARS_MAX: Final = 254


class Told(msgspec.Struct, frozen=True):
    """A place of the event. `may_read` is None where there is no such user."""

    channel: str
    offset: int
    at: datetime
    type: str
    published: bool  # by the relay
    may_read: bool | None


def as_published(places: Sequence[Told], heads: Sequence[Position | None]) -> list[Told]:
    """The places, by what Redis has of each channel: PostgreSQL hears of a publication a little later than readers."""
    return [
        msgspec.structs.replace(place, published=True) if head is not None and head.offset >= place.offset else place
        for place, head in zip(places, heads, strict=True)
    ]


class Waiting(msgspec.Struct, frozen=True):
    """Events without a number: whether the one is among them, how many, and how old the oldest is."""

    waits: bool
    depth: int
    lag_s: float


class Job(msgspec.Struct, frozen=True):
    """A job: its last run, and what is wrong with its newest slot."""

    job: str
    finished: datetime | None
    took_s: float | None
    result: int | None
    newest: datetime
    done: bool
    failures: int
    error: str | None


class Reason(msgspec.Struct, frozen=True):
    """`code` is stable; `channel` and `session` say what it is about, where it is about one."""

    code: str
    text: str
    channel: str = ""
    session: str = ""


class Asked(msgspec.Struct, frozen=True):
    """What is asked: `user` is an id or an address."""

    user: str
    event: str


def asked_of(body: bytes) -> tuple[UUID | str, UUID]:
    """The user, by id or by address in lower case, and the event. Raises BadInput."""
    try:
        asked = msgspec.json.decode(body, type=Asked)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadInput('The body must be {"user", "event"}') from None
    event = _id_of(asked.event)
    if event is None:
        raise BadInput("event must be the id of an event", "event")
    user = _id_of(asked.user)
    if user is not None:
        return user, event
    email = asked.user.strip().lower()
    if "@" not in email or len(email) > EMAIL_CHARS_MAX or "\0" in email:
        raise BadInput("user must be an id or an e-mail address", "user")
    return email, event


def _id_of(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None


def reasons(places: Sequence[Told], waiting: Waiting, answers: Sequence[Answer], asked: int) -> list[Reason]:
    """Why the user has not got it, most telling first. `asked`: how many processes were to answer."""
    if not places:
        return [_unplaced(waiting)]
    if any(place.may_read is None for place in places):
        return [Reason("NO_SUCH_USER", "there is no such user")]
    found = []
    if len(answers) < asked:
        found.append(
            Reason("NOT_ALL_ANSWERED", f"{asked - len(answers)} of {asked} gateway processes did not answer in time")
        )
    seats = [seat for answer in answers for seat in answer.seats]
    ended = sorted((one for answer in answers for one in answer.ended), key=lambda one: one.ago_s)
    for place in places:
        found += _at(place, [seat for seat in seats if seat.place.channel == place.channel], ended)
    return found


def _unplaced(waiting: Waiting) -> Reason:
    if waiting.waits:
        return Reason(
            "NOT_NUMBERED",
            f"it is committed and waits for its place in the feeds, as {waiting.depth} do; the oldest for"
            f" {waiting.lag_s:.1f} s: see MusclemapRelayLate in the runbook",
        )
    return Reason("NO_SUCH_EVENT", "there is no such event: it was never committed, is over its term, or was deleted")


def _at(place: Told, seats: Sequence[Seat], ended: Sequence[Ended]) -> Iterable[Reason]:
    where = place.channel
    if not place.may_read:
        yield Reason("MAY_NOT_READ", "the rules do not let this user read it (audience, follow or block)", where)
        return
    if not place.published:
        yield Reason("NOT_PUBLISHED", "it has its place and is not in Redis: see MusclemapRelayBehind", where)
        return
    if not seats:
        yield Reason("NO_SOCKET", "the user has no socket open now, so it is read from the pages", where)
        for one in ended[:3]:
            yield Reason("SOCKET_ENDED", f"a socket ended {one.ago_s:.0f} s ago: {one.why}", where, one.session)
        if not ended:
            yield Reason(
                "NO_SOCKET_LATELY",
                f"nor did one end within {FAREWELLS_KEPT_S // 60} minutes",
                where,
            )
        return
    for seat in seats:
        yield _of_seat(place, seat)


def _of_seat(place: Told, seat: Seat) -> Reason:
    code, text = _verdict(place, seat)
    return Reason(code, f"{seat.protocol}: {text}", place.channel, seat.session)


def _verdict(place: Told, seat: Seat) -> tuple[str, str]:
    match seat.state:
        case "none":
            return "NOT_SUBSCRIBED", "this socket has not subscribed to the channel"
        case "joining":
            return "JOINING", "its `subscribe` waits for the history of the channel"
        case "recovering":
            return "RECOVERING", "it is being told what it missed"
    if seat.joined >= place.offset:
        return "JOINED_LATER", (
            f"it joined the stream at {seat.joined}, behind the event at {place.offset}: it has it by its recovery"
            " where it asked `since` a place before, and else from the pages"
        )
    if seat.head < place.offset:
        return "GATEWAY_BEHIND", f"its gateway has heard the channel up to {seat.head}, the event is {place.offset}"
    if not seat.written:
        return "UNDER_WAY", "the event waits to be written to it"
    if seat.digested:
        return "DIGESTED", "the channel was above FEED_RATE: a digest told of it among others"
    if seat.unread:
        return "UNREAD", f"it was written, and {seat.unread} bytes wait that the client has not taken"
    return "SENT", f"it was written and taken; the client was last heard {seat.silent_s:.0f} s ago"


def totals(answers: Sequence[Answer]) -> dict[str, Any]:
    """Of all processes together: figures, channels by traffic, slow readers, and why sockets ended."""
    figures, closes = Counter[str](), Counter[str]()
    for answer in answers:
        figures.update(answer.figures)
        closes.update(answer.closes)
    figures["rt_loop_gap_max_ms"] = max((one.figures.get("rt_loop_gap_max_ms", 0) for one in answers), default=0)
    slow = [one for answer in answers for one in answer.slow]
    return {
        "figures": figures,
        "channels": _ranked(hot for answer in answers for hot in answer.channels),
        "closes": [{"why": why, "count": count} for why, count in closes.most_common()],
        "slow": [msgspec.to_builtins(one) for one in sorted(slow, key=lambda one: -one.unread)],
        "processes": [_process(one) for one in sorted(answers, key=lambda one: one.gateway)],
    }


def _ranked(told: Iterable[Hot]) -> list[dict[str, Any]]:
    """By deliveries a second, then by readers. The stream of a channel is the same in all processes; readers add up."""
    by_name: dict[str, list[Hot]] = {}
    for one in told:
        by_name.setdefault(one.channel, []).append(one)
    rows = [
        {
            "channel": name,
            "readers": sum(one.readers for one in some),
            "offset": max(one.offset for one in some),
            "eventsPerS": max(one.events_per_s for one in some),
            "deliveriesPerS": round(sum(one.events_per_s * one.readers for one in some), 2),
        }
        for name, some in by_name.items()
    ]
    return sorted(rows, key=lambda row: (-row["deliveriesPerS"], -row["readers"], row["channel"]))


def _process(one: Answer) -> dict[str, Any]:
    return {
        "gateway": one.gateway,
        "pid": one.pid,
        "connections": one.figures.get("rt_connections", 0),
        "lateMs": one.figures.get("rt_loop_gap_max_ms", 0),
        "memory": one.figures.get("process_resident_memory_bytes", 0),
        "wrong": ", ".join(f"{name}: {word}" for name, word in one.condition.items()),
    }
