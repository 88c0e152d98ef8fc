"""Feeds in Redis: the relay appends and refills, gateways and the API read. A shell; the rules are in positions.py.

Every call raises RedisError, OSError or TimeoutError while Redis is away. Appending the same events twice is harmless:
the script accepts only the next offset, so a call whose answer was lost may be repeated.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from config.limits import APP_STREAM_S, FEED_LIST_EVENTS, FEED_LIST_S, FEED_WINDOWS_MAX
from config.redis import Call, RedisClient, Script, load_script
from rt.feed.positions import History, Position, Window, recover
from rt.wire.bus import EPOCH_KEY, REFILL_LIST, RELAY_WAKE_CHANNEL, encode_batch
from rt.wire.channels import Channel, ChannelKind, bus_channel, history_key, meta_key, tag

FEED_REFILL_PART: Final = 200  # events per script call of a refill: about 1 ms of Redis
FEED_REFILL_QUEUE_MAX: Final = 10_000  # requests that wait in Redis; a dropped one is asked again by its client

OFFSET_MAX: Final = 2**53 - 1  # above it neither JSON nor Lua counts exactly

_APPEND: Final = load_script(__file__, "append")
_REFILL: Final = load_script(__file__, "refill")
_READ: Final = load_script(__file__, "read")

_DONE: Final = -1
_OUTDATED: Final = -2


class TermOutdatedError(Exception):
    """A relay with a newer lease has written to this channel: the caller leads no more."""


class Append(NamedTuple):
    """Consecutive events of one channel; `first` is the offset of the first body.

    `begins`: every event before was published, so that a personal channel that Redis does not have may begin with
    these; what came before is refilled when somebody asks for it. `traces`: of those that are traced, by their place
    in `bodies`, where the trace goes on.
    """

    channel: Channel
    first: int
    bodies: Sequence[bytes]
    begins: bool = False
    traces: Mapping[int, str] = MappingProxyType({})

    @property
    def last(self) -> int:
        return self.first + len(self.bodies) - 1


class Refill(NamedTuple):
    """A channel as it should be: see FeedStore.refill."""

    channel: Channel
    head: int
    entries: Sequence[tuple[int, bytes]]


class FeedStore:
    """Heads and histories of channels, and the bus that carries new events."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._windows: dict[Channel, Window] = {}  # least recently appended first

    async def append(
        self, channel: Channel, epoch: str, first: int, bodies: Sequence[bytes], *, term: int = 0
    ) -> int | None:
        """Appends and publishes `bodies` if `first` is the next offset in this epoch.

        Returns None when done, else the offset that Redis expects; 0 = it does not know the channel or the epoch, so
        refill it. `term`: of the caller's lease; 0 = none. Raises TermOutdatedError.
        """
        return (await self.append_many(epoch, [Append(channel, first, bodies)], term=term))[0]

    async def append_many(
        self, epoch: str, appends: Sequence[Append], *, term: int = 0, before: tuple[str, bytes] | None = None
    ) -> list[int | None]:
        """`append` for several channels in one round trip; the answers in the same order. `before`: a channel, and
        what is published there ahead of them."""
        answers = await self._run(_APPEND, [self._append_call(epoch, append, term) for append in appends], before)
        return [None if answer == _DONE else answer for answer in answers]

    async def refill(
        self, channel: Channel, epoch: str, head: int, entries: Sequence[tuple[int, bytes]], *, term: int = 0
    ) -> None:
        """Replaces the channel: `entries` are (offset, body), oldest first, dense, the last one at `head`.

        Nothing is published: refill what was heard, append what was not. Raises TermOutdatedError.
        """
        await self.refill_many(epoch, [Refill(channel, head, entries)], term=term)

    async def refill_many(self, epoch: str, refills: Sequence[Refill], *, term: int = 0) -> None:
        """`refill` for several channels in one round trip."""
        for refill in refills:
            self._windows.pop(refill.channel, None)
        await self._run(_REFILL, [call for refill in refills for call in _refill_calls(epoch, refill, term)])

    async def forget(self, *channels: Channel) -> None:
        """Redis does not have these channels any more: whoever reads one asks for a refill."""
        pipe = self._redis.pipeline(transaction=False)
        for channel in channels:
            pipe.delete(meta_key(channel), history_key(channel))
            pipe.lrem(REFILL_LIST, 0, tag(channel))
        if channels:
            await pipe.execute()

    async def head(self, channel: Channel) -> Position | None:
        """The newest position; None = Redis does not have the channel."""
        return (await self.heads([channel]))[0]

    async def heads(self, channels: Sequence[Channel]) -> list[Position | None]:
        """`head` for several channels in one round trip."""
        if not channels:
            return []
        pipe = self._redis.pipeline(transaction=False)
        for channel in channels:
            pipe.hmget(meta_key(channel), ["epoch", "offset"])
        return [Position(epoch.decode(), int(offset)) if epoch else None for epoch, offset in await pipe.execute()]

    async def partial(self, channels: Sequence[Channel]) -> set[Channel]:
        """Those of which Redis has less than a client may ask for, in one round trip."""
        if not channels:
            return set()
        pipe = self._redis.pipeline(transaction=False)
        for channel in channels:
            pipe.hexists(meta_key(channel), "from")
        return {channel for channel, there in zip(channels, await pipe.execute(), strict=True) if there}

    async def read(self, channel: Channel, since: Position | None, bytes_max: int = 0) -> History | None:
        """Head and missed events at one instant; None = Redis does not have the channel, or has it only from a later
        place than a client may ask for: it must be refilled.

        `bytes_max`: of a stream no more than the oldest events that are so long together, about; 0 = all.
        """
        kind = "s" if channel.is_stream else "l"
        askable = since is not None and 0 <= since.offset <= OFFSET_MAX
        asked = [since.epoch, since.offset] if since is not None and askable else ["", 0]
        args = [kind, *asked, bytes_max, FEED_LIST_EVENTS]
        answer = await _READ(self._redis, [meta_key(channel), history_key(channel)], args)
        if answer is None:
            return None
        epoch, offset, raw = answer
        entries = (
            [_entry_of_stream(e) for e in raw] if channel.is_stream else [_entry_of_list(e) for e in reversed(raw)]
        )
        return recover(Position(epoch.decode(), int(offset)), since, entries, partly=bytes_max > 0)

    async def epoch(self) -> str | None:
        """The installation's epoch; None while the relay has not told it to this Redis."""
        value = await self._redis.get(EPOCH_KEY)
        return value.decode() if isinstance(value, bytes) else None

    async def announce(self, epoch: str, heads: Mapping[Channel, int]) -> None:
        """Tells whoever hears these channels where PostgreSQL is, so that they can judge positions ahead of Redis."""
        pipe = self._redis.pipeline(transaction=False)
        for channel, head in heads.items():
            pipe.publish(bus_channel(channel), encode_batch(epoch, channel.wire, head + 1, ()))
        if heads:
            await pipe.execute()

    async def request_refill(self, channels: Iterable[Channel]) -> None:
        """Asks the relay for channels that Redis does not have; the oldest requests of a flood are dropped."""
        names = [tag(channel) for channel in channels]
        if not names:
            return
        pipe = self._redis.pipeline(transaction=False)
        pipe.lpush(REFILL_LIST, *names)
        pipe.ltrim(REFILL_LIST, 0, FEED_REFILL_QUEUE_MAX - 1)
        pipe.publish(RELAY_WAKE_CHANNEL, b"")
        await pipe.execute()

    def _append_call(self, epoch: str, append: Append, term: int) -> Call:
        channel, first, bodies, begins, traces = append
        if channel.is_stream:
            kind, keep = "s", self._keep_from(channel, first + len(bodies) - 1)
            expires_s = APP_STREAM_S if channel.kind is ChannelKind.APP else 0
        else:
            kind, keep, expires_s = "l", FEED_LIST_EVENTS, FEED_LIST_S
        payload = encode_batch(epoch, channel.wire, first, bodies, traces.values())
        args = [epoch, term, first, kind, keep, expires_s, bus_channel(channel), payload, int(begins), *bodies]
        return [meta_key(channel), history_key(channel)], args

    def _keep_from(self, channel: Channel, head: int) -> int:
        window = self._windows.pop(channel, None) or Window()
        self._windows[channel] = window  # now the most recently used
        if len(self._windows) > FEED_WINDOWS_MAX:
            del self._windows[next(iter(self._windows))]
        return window.keep_from(head, time.monotonic())

    async def _run(self, script: Script, calls: Sequence[Call], before: tuple[str, bytes] | None = None) -> list[int]:
        """Runs the calls in their order in one round trip; a server that was replaced gets the script again."""
        answers: list[int] = await script.many(self._redis, calls, before)
        if _OUTDATED in answers:
            raise TermOutdatedError
        return answers


def _refill_calls(epoch: str, refill: Refill, term: int) -> Iterator[Call]:
    channel, head, entries = refill
    kind = "s" if channel.is_stream else "l"
    expires_s = 0 if channel.kind is ChannelKind.COMMUNITY and head else FEED_LIST_S  # of an app, any name may be asked
    keys = [meta_key(channel), history_key(channel), f"{history_key(channel)}:refill:{term}"]
    for at in range(0, max(1, len(entries)), FEED_REFILL_PART):
        last = at + FEED_REFILL_PART >= len(entries)
        args: list[Any] = [epoch, term, head, kind, int(at == 0), int(last), expires_s]
        for offset, body in entries[at : at + FEED_REFILL_PART]:
            args += (offset, body)
        yield keys, args


def _entry_of_stream(entry: list[Any]) -> tuple[int, bytes]:
    identity, fields = entry
    return int(identity.partition(b"-")[0]), fields[1]


def _entry_of_list(entry: bytes) -> tuple[int, bytes]:
    offset, _, body = entry.partition(b" ")
    return int(offset), body
