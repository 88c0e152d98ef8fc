"""Who may see what of whom, and what follows from a wish to follow. Pure.

`seen` is the rule; the SQL function of that name (api/migrations/0015_following.sql) is the same for whole lists.
"""

from datetime import datetime
from typing import Final, Literal, NamedTuple
from uuid import UUID

import msgspec

from api.pages import bad_cursor, decode_cursor
from config.errors import BadInput, Conflict, Internal, NotFound, Unauthenticated
from config.limits import NAME_CHARS_MAX
from rt.presence.members import Here
from rt.wire.audience import Audience

# What a viewer is to the owner of a profile; `blocked`: either by the other.
Relation = Literal["anonymous", "self", "blocked", "following", "requested", "stranger"]
_FOLLOW_STATES: Final[dict[str, str]] = {"self": "SELF", "following": "FOLLOWING", "requested": "REQUESTED"}


class Seen(NamedTuple):
    """What the viewer may see. `header`: that there is such a person, and the top of the profile. `details`: presence,
    and who follows whom. `feed`: events, and the live channel. `listed`: in searches, and by name on boards."""

    header: bool
    details: bool
    feed: bool
    listed: bool


def seen(relation: Relation, audience: Audience) -> Seen:
    """By the owner's audience. Followers alone read a feed; a header that one sees can be asked to follow."""
    if relation == "self":
        return Seen(header=True, details=True, feed=True, listed=audience == "everyone")
    if relation == "blocked" or audience == "nobody":
        return Seen(header=False, details=False, feed=False, listed=False)
    follows = relation == "following"
    if audience == "followers":
        return Seen(header=relation != "anonymous", details=follows, feed=follows, listed=False)
    return Seen(header=True, details=relation != "anonymous", feed=follows, listed=True)


class Profile(msgspec.Struct, frozen=True):
    """Somebody as the viewer sees them; `streak` in days, 0 where it has ended."""

    id: UUID
    name: str
    xp: int
    level: int
    streak: int
    followers: int
    following: int
    relation: Relation
    follows_me: bool
    details: bool
    feed: bool

    @property
    def follow_state(self) -> str:
        return _FOLLOW_STATES.get(self.relation, "NONE")


class Presence(msgspec.Struct, frozen=True):
    """ONLINE, TRAINING or OFFLINE, and when they were last seen."""

    state: str
    last_seen: datetime | None


def presence_of(profile: Profile, here: Here | None, now: datetime) -> Presence:
    """What somebody who sees the details is told: a device that asked for a stricter audience hides its user."""
    if here is None or not seen(profile.relation, here.audience).details:
        return Presence("OFFLINE", None)
    return Presence("TRAINING" if here.training else "ONLINE", now)


def check_outcome(outcome: str) -> None:
    """What a change between two people came to, as the SQL functions say it. Raises unless it is so now."""
    match outcome:
        case "done" | "same":
            return
        case "hidden":
            raise NotFound
        case "self":
            raise Conflict("That is you")
        case "full":
            raise Conflict("There are too many already")
        case "gone":
            raise Unauthenticated
        case _:
            raise Internal


def check_search(text: str) -> str:
    """What is searched for. Raises BadInput."""
    if not text.strip() or len(text) > NAME_CHARS_MAX:
        raise BadInput(f"search: 1 to {NAME_CHARS_MAX} characters", "search")
    if "\0" in text or not _is_unicode(text):
        raise BadInput("search: not a text", "search")
    return text


def place_in_people(cursor: str) -> tuple[datetime, UUID]:
    """The time and the person behind which the page after `cursor` begins. Raises BadInput."""
    since, person = decode_cursor(cursor, 2)
    try:
        at, found = datetime.fromisoformat(since), UUID(person)
    except ValueError:
        raise bad_cursor() from None
    if at.tzinfo is None:
        raise bad_cursor()
    return at, found


def place_in_search(cursor: str) -> tuple[str, UUID]:
    """The part of a name and the person behind which the page after `cursor` begins. Raises BadInput."""
    person, tail = decode_cursor(cursor, 2)
    try:
        found = UUID(person)
    except ValueError:
        raise bad_cursor() from None
    if "\0" in tail:
        raise bad_cursor()
    return tail, found


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
