"""Documents by their SHA-256, by the protocol of Apollo's automatic persisted queries: a client sends the hash alone,
and the text with it where nobody knows it.

A document is registered once it has run, so that what is refused costs its sender alone. Both places are bounded, the
longest unused give way: a stranger who registers a million has what is not asked for forgotten, and whoever asked for
that sends its text once more. A text in which a mutation may have a value written out is not registered: a password or
a note would lie in Redis for a day.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from typing import Final, NamedTuple

import structlog

from config import metrics
from config.errors import BadInput, PersistedQueryNotFound
from config.limits import (
    PERSISTED_AGAIN_S,
    PERSISTED_IN_REDIS_MAX,
    PERSISTED_MAX,
    PERSISTED_S,
    PERSISTED_WAITING_MAX,
)
from config.redis import AWAY, RedisClient, load_script

log = structlog.get_logger()

TEXTS_KEY: Final = "{persisted}:texts"
TIMES_KEY: Final = "{persisted}:times"
VERSION: Final = 1
_HASH_CHARS: Final = 64
_HITS: Final = metrics.GRAPHQL_CACHE_HITS.labels("persisted")
_REDIS_S: Final = 0.5  # whoever waits for a slow Redis sends the text instead
_WRITTEN_AT_ONCE: Final = 50  # 800 KB
PERSISTED_RETRY_S: Final = 1.0
_KEEP: Final = load_script(__file__, "persisted")


class _Known(NamedTuple):
    text: str
    written_at: float  # to Redis; monotonic


class Persisted:
    """The documents that this process knows, and their way to Redis."""

    def __init__(self, redis: RedisClient, kept_max: int = PERSISTED_MAX) -> None:
        self._redis = redis
        self._kept_max = kept_max
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._waiting: dict[str, str] = {}
        self._due = asyncio.Event()

    def __len__(self) -> int:
        return len(self._known)

    async def text(self, query: str | None, named: str | None, version: int) -> str:
        """The document that a request is about: its `query`, or what is registered under the hash `named`. Raises
        BadInput where they differ or there is neither, PersistedQueryNotFound."""
        if named is None:
            if query is None:
                raise BadInput("query: a document is needed, or its hash in extensions.persistedQuery")
            return query
        if version != VERSION:
            raise BadInput(f"extensions.persistedQuery: version {VERSION} is spoken here")
        if not (len(named) == _HASH_CHARS and named.isascii() and named.isalnum()):
            raise BadInput("extensions.persistedQuery: sha256Hash is 64 hexadecimal digits")
        if query is None:
            return await self._find(named.lower())
        if _hash_of(query) != named.lower():
            raise BadInput("provided sha does not match query")
        return query

    def register(self, text: str, named: str, *, values: bool) -> None:
        """Keeps a document that has run under its hash. `values`: it may have values of a mutation in it."""
        named = named.lower()
        if values and '"' in text:
            return
        known = self._known.pop(named, None)
        now = time.monotonic()
        if known is None or now - known.written_at >= PERSISTED_AGAIN_S:
            if len(self._waiting) < PERSISTED_WAITING_MAX:
                self._waiting[named] = text
                self._due.set()
            known = _Known(text, now)
        self._known[named] = known
        while len(self._known) > self._kept_max:
            self._known.popitem(last=False)

    async def run(self) -> None:
        """Writes to Redis what was registered, for as long as the process lives."""
        while True:
            await self._due.wait()
            self._due.clear()
            while self._waiting:
                some = dict(list(self._waiting.items())[:_WRITTEN_AT_ONCE])
                words = [word for pair in some.items() for word in pair]
                args = [int(time.time()), PERSISTED_IN_REDIS_MAX, PERSISTED_S, *words]
                try:
                    await _KEEP(self._redis, [TEXTS_KEY, TIMES_KEY], args)
                except AWAY as error:
                    metrics.FAILURES.labels("persisted").inc()
                    log.debug("documents_not_in_redis", error=type(error).__name__)
                    await asyncio.sleep(PERSISTED_RETRY_S)
                else:
                    for named in some:
                        del self._waiting[named]

    async def _find(self, named: str) -> str:
        known = self._known.get(named)
        if known is not None:
            _HITS.inc()
            return known.text
        try:
            async with asyncio.timeout(_REDIS_S):
                pipe = self._redis.pipeline(transaction=False)
                pipe.hget(TEXTS_KEY, named)
                pipe.zscore(TIMES_KEY, named)
                raw, kept_at = await pipe.execute()
        except AWAY:
            raise PersistedQueryNotFound from None
        if raw is None or kept_at is None or kept_at < time.time() - PERSISTED_S:
            raise PersistedQueryNotFound
        text = raw.decode("utf-8", "replace")
        if _hash_of(text) != named:  # nobody of ours wrote it
            raise PersistedQueryNotFound
        _HITS.inc()
        return str(text)


def _hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
