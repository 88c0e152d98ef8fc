"""What a session wants done: values that the shell (rt/clients/client.py) performs, in order. Pure."""

from typing import Final, NamedTuple

from rt.graphql.subscriptions import Wanted
from rt.map.geometry import Bounds, View
from rt.wire.channels import Channel
from rt.wire.closes import Closing, GraphqlClosing
from rt.wire.inbound import Connect, MessageId, Since, Viewport


class Send(NamedTuple):
    """Write a ready frame. `is_error` is for the counters."""

    frame: bytes
    is_error: bool = False


class Close(NamedTuple):
    """Send what is queued, then this close."""

    closing: Closing | GraphqlClosing


class Welcome(NamedTuple):
    """The client is identified, by a resume ticket or else: count it, then send the welcome."""

    frame: bytes
    resumed: bool = False


class AwaitKey(NamedTuple):
    """The token names a key that is not known (yet): fetch the keys and show the message again, once, and then whatever
    came behind it."""

    message: Connect


class Beat(NamedTuple):
    """A heartbeat of a signed-in client; `cell` None keeps the last one, `exercise` is a known slug."""

    cell: str | None
    exercise: str | None


class Join(NamedTuple):
    """Subscribe: answer with `subscribed`, then the live stream."""

    id: MessageId
    channel: Channel
    since: Since | None


class Part(NamedTuple):
    """Unsubscribe: nothing of the channel after the answer."""

    id: MessageId
    channel: Channel


class Watch(NamedTuple):
    """A new viewport."""

    message: Viewport


class Depart(NamedTuple):
    """The client said leave: presence ends at once."""


class Throttle(NamedTuple):
    """It speaks faster than it may: read it less. `counted`: it was told so."""

    counted: bool = False


class Expel(NamedTuple):
    """It may hear this channel no more: leave it, then write the frame that says so."""

    wire: str
    frame: bytes


class Follow(NamedTuple):
    """An operation of GraphQL on a channel: what it wants of each event, from `since` on."""

    operation: str
    channel: Channel
    wanted: Wanted
    since: Since | None


class Look(NamedTuple):
    """An operation of GraphQL on a part of the map."""

    operation: str
    box: Bounds
    view: View
    wanted: Wanted


class Release(NamedTuple):
    """The client wants no more of an operation."""

    operation: str


class Finish(NamedTuple):
    """The gateway ends an operation, and says why."""

    operation: str
    code: str
    message: str
    reason: str


class WakeAt(NamedTuple):
    """Show it the clock again then (the time in which the process ran, seconds), or a little later."""

    due: float


OfSubscriptions = Follow | Look | Release | Finish
Effect = (
    Send
    | Close
    | Welcome
    | AwaitKey
    | Beat
    | Join
    | Part
    | Watch
    | Depart
    | Throttle
    | Expel
    | WakeAt
    | OfSubscriptions
)
Effects = tuple[Effect, ...]

NOTHING: Final[Effects] = ()
