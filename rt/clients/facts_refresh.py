"""What a gateway must know and cannot make: keys, the epoch, exercises, the ticket secret, flags, what was taken back.

Polled from Redis, quickly while something is missing. While Redis is away everything stays as it was last known.
What was taken back comes twice: at once over the bus, and by the poll from the sets that the API keeps, for what the
bus lost. A set says up to when it is whole: whatever comes into it later is read by the next poll from there on.
"""

import asyncio
import secrets
import time

import structlog

from config.limits import (
    CHANNELS_ENDED_MAX,
    ENDED_KEPT_S,
    FACTS_EVERY_S,
    REVOCATION_LATE_S,
    REVOCATIONS_KEPT_S,
    REVOCATIONS_MAX,
)
from config.process import set_within
from config.redis import AWAY, REASONS, RedisClient, fault
from config.settings import Settings
from rt.auth import apps
from rt.auth.revoked import Revocation, of_member, of_message
from rt.auth.tokens import Keys
from rt.channels.loader import Loader
from rt.clients.gateway import Gateway
from rt.sockets.admission import Visitor
from rt.wire.bus import (
    APPS_CHANGED,
    APPS_DIGEST_KEY,
    APPS_KEY,
    ENDED_KEY,
    EPOCH_KEY,
    EXERCISES_KEY,
    FLAGS_KEY,
    JWKS_KEY,
    REVOKED_KEY,
    REVOKED_THROUGH,
    TICKET_SECRET_KEY,
)
from rt.wire.flags import FEED_DIGEST, decode_flags

log = structlog.get_logger()


class FactsRefresh:
    """See the module."""

    def __init__(self, settings: Settings, redis: RedisClient, gateway: Gateway, loader: Loader) -> None:
        self.away = True
        self.fault = ""  # what Redis cannot do, where it says so
        self._redis = redis
        self._gateway = gateway
        self._loader = loader
        self._own_keys = bool(settings.jwt_public_keys)
        self._jwks = b""
        self._apps = b""  # the digest of what was read of other apps
        self._through = 0.0  # up to this time of the API's the set of revocations was read, ...
        self._ended_through = 0.0  # ... and that of channels
        self._new: dict[str, set[str]] = {}  # by kind, the names of what no socket was told yet
        self._knows_revoked = False  # whether the set was whole when it was read
        self._own_secret = settings.ticket_secret.get_secret_value().encode()
        if self._own_keys:
            gateway.facts.keys = Keys.from_jwks(settings.jwt_public_keys)

    async def run(self, stopping: asyncio.Event) -> None:
        """Polls until `stopping`."""
        wanted = self._gateway.admission.keys_wanted
        while not stopping.is_set():
            wanted.clear()
            try:
                await self.read_once()
                self.away = False
            except AWAY as error:
                self._gateway.counters.failures += 1
                self.away = True
                log.warning("facts_unavailable", error=type(error).__name__)
            said = await fault(self._redis)
            self.fault = "" if said is None or said == REASONS[0] else said
            await asyncio.sleep(FACTS_EVERY_S[0])  # at most one look a second, however many unknown keys are named
            if self._is_complete() and not self._gateway.admission.waiting_for_key:
                await set_within(wanted, FACTS_EVERY_S[1] - FACTS_EVERY_S[0])

    async def read_once(self) -> None:
        """Reads everything once. Raises RedisError, OSError or TimeoutError."""
        waited = list(self._gateway.admission.waiting_for_key)  # who comes meanwhile may know a newer key
        since = max(self._through - REVOCATION_LATE_S, time.time() - REVOCATIONS_KEPT_S)
        # A score lies REVOCATION_LATE_S ahead of its transaction: no commit is so late that it begins before `through`.
        ended_since = max(self._ended_through, time.time() - ENDED_KEPT_S)
        pipe = self._redis.pipeline(transaction=False)
        pipe.get(EPOCH_KEY)
        pipe.get(JWKS_KEY)
        pipe.smembers(EXERCISES_KEY)
        pipe.zscore(REVOKED_KEY, REVOKED_THROUGH)  # before the set, which may become whole in between
        pipe.zrangebyscore(REVOKED_KEY, since, "+inf", start=0, num=REVOCATIONS_MAX, withscores=True)
        pipe.get(TICKET_SECRET_KEY)
        pipe.get(FLAGS_KEY)
        pipe.zscore(ENDED_KEY, REVOKED_THROUGH)
        pipe.zrangebyscore(ENDED_KEY, ended_since, "+inf", start=0, num=CHANNELS_ENDED_MAX, withscores=True)
        pipe.get(APPS_DIGEST_KEY)
        found = await pipe.execute()
        epoch, jwks, exercises, through, revoked, secret, flags, ended_through, ended, apps_digest = found
        self._take_epoch(epoch)
        await self._take_apps(apps_digest)
        self._take_keys(jwks, waited)
        self._take_flags(flags or b"")
        if exercises:
            self._gateway.facts.exercises = frozenset(slug.decode() for slug in exercises)
        for member, score in (*revoked, *ended):
            self._remember(of_member(member, score))
        self._through = max(self._through, through or 0.0)
        self._ended_through = max(self._ended_through, ended_through or 0.0)
        self._gateway.facts.knows_ended = self._ended_through > 0.0
        self.apply_revocations()
        self._knows_revoked = self._knows_revoked or through is not None
        if self._knows_revoked:  # before, the ticket of somebody who has signed out would pass
            await self._take_secret(secret)

    def on_control(self, payload: bytes) -> None:
        """A message for every gateway; what is not understood is ignored."""
        self._take_flags(payload)
        if payload == APPS_CHANGED:
            self._gateway.admission.keys_wanted.set()
        for one in of_message(payload, time.time()):
            self._remember(one)
        self.apply_revocations()

    def apply_revocations(self) -> None:
        """Closes the open sockets that are covered by what is new, ends subscriptions, narrows presence; one walk over
        the sockets for any number."""
        new, self._new = self._new, {}
        sids, users = new.get("sid", set()), new.get("user", set())
        if sids or users:
            self._gateway.revoke(sids, users)
        self._gateway.end_reading({name.partition(" ")[0] for name in new.get("channel", ())})
        self._gateway.change_audiences({name.partition(" ")[0] for name in new.get("audience", ())})

    def _remember(self, one: Revocation) -> None:
        if self._gateway.facts.revoked.add(one):
            self._new.setdefault(one.kind, set()).add(one.name)

    def _take_flags(self, payload: bytes) -> None:
        """What is not told stays as it is."""
        on = decode_flags(payload)
        if on is not None and FEED_DIGEST in on:
            self._gateway.hub.tell_digests(on[FEED_DIGEST])

    async def _take_apps(self, digest: bytes | None) -> None:
        """The text is read where its digest is not that of the one before; without one, what was known last holds."""
        if digest is None or digest == self._apps:
            return
        text = await self._redis.get(APPS_KEY)
        if text is None:
            return
        try:
            self._gateway.change_apps(apps.decode(text))
        except ValueError:
            log.exception("apps_unreadable")
        self._apps = apps.digest_of(text).encode()

    def _take_epoch(self, epoch: bytes | None) -> None:
        if epoch is None:
            return
        known = epoch.decode()
        if known != self._loader.epoch:
            self._loader.epoch = known
            hub = self._gateway.hub
            for topic in [topic for topic in hub.topics.values() if topic.epoch and topic.epoch != known]:
                hub.abandon(topic, "epoch")

    def _take_keys(self, jwks: bytes | None, waited: list[Visitor]) -> None:
        if self._own_keys:
            self._gateway.admission.keys_fetched(waited)
            return
        if jwks is None:
            return
        if jwks != self._jwks:
            try:
                self._gateway.facts.keys = Keys.from_jwks(jwks)
            except ValueError:
                log.exception("jwks_unreadable")
                return
            self._jwks = jwks
        self._gateway.admission.keys_fetched(waited)

    async def _take_secret(self, stored: bytes | None) -> None:
        """All gateways sign with the secret that Redis has; after a loss whoever still knows it puts it back."""
        facts = self._gateway.facts
        if self._own_secret:
            facts.ticket_secrets = (self._own_secret,)
            return
        if stored is None:
            ours = facts.ticket_secrets[0] if facts.ticket_secrets else secrets.token_bytes(32)
            await self._redis.set(TICKET_SECRET_KEY, ours, nx=True)
            stored = await self._redis.get(TICKET_SECRET_KEY)
        if stored is not None and stored not in facts.ticket_secrets[:1]:
            facts.ticket_secrets = (stored, *facts.ticket_secrets[:1])

    def _is_complete(self) -> bool:
        facts = self._gateway.facts
        told = self._loader.epoch and facts.keys.by_kid and facts.exercises
        return bool(not self.away and told and self._knows_revoked and facts.knows_ended)
