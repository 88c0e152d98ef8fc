"""A hot channel: what is over its rate reaches clients as one `digest` that moves their place. Pure.

The rate is of a channel and process, so a digest is built once and the same bytes go to every socket, like an event's.
Nothing is lost by it: `from`..`to` are exactly the offsets that were not sent one by one, and the head is reached.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import orjson

from config.bucket import refilled
from config.limits import DIGEST_BURST_S, FRAME_BYTES_MAX
from rt.wire.channels import Channel, ChannelKind
from rt.wire.frames import payload_of, text_frame

DIGEST_SAMPLE_EVENTS: Final = 3  # of those that a digest stands for


class Rate:
    """A token bucket of frames: `per_s` a second, and DIGEST_BURST_S of them at once after as long a rest.

    A burst of that size is something a screen can catch up with; a channel is hot when it stays above its rate.
    """

    __slots__ = ("_at", "_burst", "_frames", "_per_s")

    def __init__(self, per_s: float, burst_s: float = DIGEST_BURST_S) -> None:
        self._per_s = per_s
        self._burst = self._frames = per_s * burst_s
        self._at = 0.0

    def refresh(self, now: float) -> None:
        """Lets time pass; `now` of one steady clock, seconds."""
        self._frames = refilled(self._frames, max(0.0, now - self._at), self._per_s, self._burst)
        self._at = now

    @property
    def ready(self) -> bool:
        """Whether a frame may go out."""
        return self._frames >= 1.0

    def spend(self, events: int) -> int:
        """How many of `events` go out one by one; the rest, if any, is to be one digest.

        At least one frame goes out even where none is allowed (somebody joins and the others must be told before): the
        debt, of a second at most, is paid by those who come after.
        """
        if events <= self._frames:
            self._frames -= events
            return events
        alone = max(0, min(int(self._frames), events) - 1)
        self._frames = max(self._frames - alone - 1, -self._per_s)
        return alone


def rate_of(channel: Channel, rates: Mapping[str, float]) -> float:
    """The frames a second of a channel, 0 = no bound. `rates` by kind (`community`), or `app:{namespace}`."""
    name = f"app:{channel.namespace}" if channel.kind is ChannelKind.APP else channel.kind.value
    return rates.get(name, 0.0)


_COUNTS_BYTES: Final = 16 * 1024  # of a digest without its sample: event types are few


class _Event(msgspec.Struct, gc=False):
    type: str = ""


class _Message(msgspec.Struct, gc=False):
    event: msgspec.Raw


_message: Final = msgspec.json.Decoder(_Message)
_event: Final = msgspec.json.Decoder(_Event)


def digest(channel: str, first: int, frames: Sequence[bytes]) -> bytes:
    """The frame that stands for the event frames of the offsets `first` .. `first + len(frames) - 1`.

    `counts` is by event type and sums up to all of them; the sample is the newest few, as far as they fit into a frame.
    """
    bodies = [_message.decode(payload_of(frame)).event for frame in frames]
    counts = Counter(_event.decode(body).type for body in bodies)
    shown = range(max(0, len(bodies) - DIGEST_SAMPLE_EVENTS), len(bodies))
    while shown and sum(len(frames[n]) for n in shown) > FRAME_BYTES_MAX - _COUNTS_BYTES:
        shown = shown[1:]
    message = {
        "type": "digest",
        "channel": channel,
        "from": first,
        "to": first + len(frames) - 1,
        "counts": dict(counts),
        "events": [{"offset": first + n, "event": orjson.Fragment(bytes(bodies[n]))} for n in shown],
    }
    return text_frame(orjson.dumps(message))
