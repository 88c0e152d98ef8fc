"""The composition root of the API: every part made once, wired by hand, and the background work that it owns."""

import asyncio
from typing import Final

import orjson
import structlog
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp

from api.accounts import routes as account_routes
from api.accounts import schema as accounts_schema
from api.accounts.access import Authenticator
from api.accounts.mailer import Mailer
from api.accounts.passwords import Passwords
from api.accounts.proofs import Proofs
from api.accounts.revocations import Revocations
from api.accounts.service import Accounts
from api.accounts.tokens import load_signer
from api.apps import routes as apps_routes
from api.apps.service import OtherApps
from api.challenges import schema as challenges_schema
from api.challenges.service import Challenges
from api.channels import schema as channels_schema
from api.channels.service import Channels
from api.community import schema as community_schema
from api.community.service import Community, Presences
from api.credits import schema as credits_schema
from api.credits.service import Credits
from api.entitlements import routes as entitlements_routes
from api.entitlements import schema as entitlements_schema
from api.entitlements.service import Entitlements
from api.feed import schema as feed_schema
from api.feed.service import Feeds
from api.flags import schema as flags_schema
from api.flags.rules import CHALLENGES
from api.flags.service import Flags
from api.graphql.answers import Answers
from api.graphql.context import Makers
from api.graphql.drops import Drops
from api.graphql.endpoint import Caches, GraphQLEndpoint
from api.graphql.persisted import Persisted
from api.graphql.schema import build
from api.highfives import schema as highfives_schema
from api.highfives.service import HighFives
from api.migrate import migrations
from api.operators import routes as operators_routes
from api.operators.service import Operators
from api.outbox import Wake
from api.presence import schema as presence_schema
from api.presence.service import Presence
from api.privacy import schema as privacy_schema
from api.privacy.erasures import Erasures
from api.privacy.service import Privacy, Room
from api.progress import schema as progress_schema
from api.progress.service import Progress, TimeZones
from api.readiness import Readiness
from api.reference import schema as reference_schema
from api.reference.service import Reference, publish_slugs
from api.standings import schema as standings_schema
from api.standings.service import Standings
from api.vitals import routes as vitals_routes
from api.vitals.service import Vitals
from api.web import admin, handbook, offline, page, widgets
from api.workouts import schema as workouts_schema
from api.workouts.service import Workouts
from config import metrics, redis
from config.board import Board
from config.db import postgres
from config.db.database import Database
from config.db.postgres import ERRORS
from config.db.replica import Replica
from config.db.slow import slow
from config.limits import PUBLISH_TO_REDIS_S
from config.process import Lifetime
from config.rates.gate import Gate
from config.rates.limiter import Limiter
from config.redis import AWAY
from config.serving import operations
from config.serving.answers import GRAPHQL_PATH
from config.serving.http import Shell
from config.serving.traced import Traced
from config.settings import Settings
from config.tracing import traces
from rt.feed.store import FeedStore
from rt.wire.bus import JWKS_KEY
from rt.wire.drops import EVERYTHING

log = structlog.get_logger()

FEATURES: Final = (
    accounts_schema.FEATURE,
    reference_schema.FEATURE,
    credits_schema.FEATURE,
    entitlements_schema.FEATURE,
    progress_schema.FEATURE,
    challenges_schema.FEATURE,
    workouts_schema.FEATURE,
    feed_schema.FEATURE,
    community_schema.FEATURE,
    channels_schema.FEATURE,
    highfives_schema.FEATURE,
    presence_schema.FEATURE,
    flags_schema.FEATURE,
    privacy_schema.FEATURE,
    standings_schema.FEATURE,
)
SCHEMA: Final = build(FEATURES)  # before processes are forked, which share it
REFERENCE_RETRY_S: Final = 1.0
REFERENCE_LOOK_S: Final = 0.5  # a migration may bring new exercises while this process serves
CLOSE_S: Final = 1.5


class Api:
    """One process's API. `application` is what the server runs; `start` and `close` frame its life."""

    def __init__(self, settings: Settings, board: Board | None = None) -> None:
        """`board`: what the processes count that serve beside this one."""
        self._board = board
        self._pool = postgres.make_pool(settings)
        self._redis = redis.connect(settings.redis_url.get_secret_value())
        self._replica = _replica(settings, self._redis)
        self._db = Database(self._pool, replica=self._replica)
        self._slow_ms = settings.slow_statement_ms
        self._reference = Reference()
        self._signer = load_signer(settings)
        self._passwords = Passwords()
        self.readiness = Readiness(
            self._pool, self._redis, len(migrations()), {"reference": lambda: self._reference.loaded}, self._replica
        )
        self._revocations = Revocations(self._db, self._redis)
        authenticate = Authenticator(self._signer, settings, self._revocations.covers)
        self._wake = Wake(self._redis)
        self._flags = Flags(self._db, self._redis)
        self._apps = OtherApps(self._db, self._redis, self._wake)
        self._mailer = Mailer(self._db, settings)
        self._limiter = Limiter(self._redis)
        gate = Gate(self._limiter, settings)
        self._erasures = Erasures(self._db, self._redis, settings.presence_partitions)
        self._answers = Answers()
        self._drops = Drops(self._redis, self._answers)
        self._persisted = Persisted(self._redis)
        proofs = Proofs(self._db, self._revocations, self._passwords, settings)
        graphql = GraphQLEndpoint(
            SCHEMA,
            self._db,
            self._makers(settings),
            authenticate,
            Caches(self._answers, self._drops, self._persisted),
            gate,
            introspection=settings.environment != "production",
        )
        routes: list[BaseRoute] = [
            Route(GRAPHQL_PATH, graphql),
            *account_routes.routes(
                self._accounts(settings, self._db), proofs, self._signer, authenticate, gate, settings
            ),
            *entitlements_routes.routes(Entitlements(self._db, self._wake), settings),
            *apps_routes.routes(self._apps),
            *vitals_routes.routes(Vitals(), gate),
            *operations.routes(self.readiness.look, metrics.exposition if board is None else board.exposition),
            *operators_routes.routes(
                Operators(self._db, self._redis, lambda: self._flags.all(None)), authenticate, gate, settings
            ),
            *admin.routes(settings),
            *offline.routes(),
            *page.routes(settings, lambda: self._apps.widget_origins, offline.version(offline.shipped)),
            *widgets.routes(),
            *handbook.routes(settings, SCHEMA),
        ]
        policies = page.policies(settings) | offline.policies() | admin.policies()
        policies |= widgets.policies(settings) | handbook.policies(settings)
        # A path is one of ours or none: nobody is sent to one that ends otherwise.
        router = Router(routes, redirect_slashes=False)
        shell = Shell(router, settings, policies, lambda: self._apps.widget_origins or ())
        self.application: ASGIApp = Traced(shell) if traces.on else shell

    def start(self, lifetime: Lifetime) -> None:
        """Starts what runs beside the requests. None of it needs its store to be there yet."""
        metrics.observe_pool(self._pool, lambda: self._db.waiting)
        lifetime.spawn("postgres_connect", postgres.connect(self._pool))
        lifetime.spawn("slow_statements", slow.run(self._pool, self._slow_ms))
        if self._replica is not None:
            lifetime.spawn("replica_connect", postgres.connect(self._replica.pool))
            lifetime.spawn("replica", self._replica.run(self._pool))
        lifetime.spawn("reference", self._keep_reference())
        lifetime.spawn("publish", self._keep_published())
        lifetime.spawn("limits", self._limiter.run())
        lifetime.spawn("relay_wake", self._wake.run())
        lifetime.spawn("flags", self._flags.run())
        lifetime.spawn("flags_heard", self._flags.listen())
        lifetime.spawn("drops", self._drops.run())
        lifetime.spawn("drops_heard", self._drops.listen())
        lifetime.spawn("persisted", self._persisted.run())
        lifetime.spawn("apps", self._apps.run())
        lifetime.spawn("revocations", self._revocations.run())
        lifetime.spawn("revocations_heard", self._revocations.listen())
        lifetime.spawn("mails", self._mailer.run())
        lifetime.spawn("erasures", self._erasures.run())
        lifetime.spawn("redis_metrics", metrics.watch_redis(self._redis))
        if self._board is not None:
            lifetime.spawn("board", self._board.keep())

    @property
    def warm(self) -> bool:
        """Whether what requests need is in memory."""
        return self._reference.loaded and self._revocations.known

    async def close(self) -> None:
        """Lets go of stores and threads, within CLOSE_S."""
        self._passwords.close()
        await postgres.close(self._pool, CLOSE_S)
        if self._replica is not None:
            self._replica.pool.terminate()
        await self._redis.aclose()

    def _makers(self, settings: Settings) -> Makers:
        """How each feature's service is made for a request."""
        presence, zones, room = Presence(self._redis, self._reference), TimeZones(), Room()
        feeds = FeedStore(self._redis)
        return {
            Accounts: lambda db: self._accounts(settings, db),
            Challenges: lambda db: Challenges(
                db, self._reference, self._wake, lambda user: self._flags.enabled(CHALLENGES, user)
            ),
            Channels: lambda db: Channels(db, self._signer),
            Community: lambda db: self._community(settings, db),
            Credits: Credits,
            Entitlements: lambda db: Entitlements(db, self._wake),
            Feeds: lambda db: Feeds(db, feeds),
            HighFives: lambda db: HighFives(db, self._wake),
            Flags: lambda _: self._flags,
            Presence: lambda _: presence,
            Privacy: lambda db: Privacy(db, self._accounts(settings, db), self._revocations, room),
            Progress: lambda db: Progress(db, self._reference, zones, self._wake),
            Reference: lambda _: self._reference,
            Standings: lambda db: Standings(db, self._community(settings, db)),
            Workouts: lambda db: Workouts(db, self._reference, self._wake, settings.workout_cost),
        }

    def _accounts(self, settings: Settings, db: Database) -> Accounts:
        return Accounts(db, self._revocations, self._signer, self._passwords, settings)

    def _community(self, settings: Settings, db: Database) -> Community:
        presences = Presences(self._redis, settings.presence_partitions)
        return Community(db, presences, self._revocations, self._wake)

    async def _keep_reference(self) -> None:
        while True:
            try:
                if await self._reference.load(self._pool):
                    self._answers.drop(EVERYTHING)  # each process sees by itself
            except ERRORS as error:
                metrics.FAILURES.labels("reference").inc()
                log.debug("reference_not_loaded", error=type(error).__name__)
            await asyncio.sleep(REFERENCE_LOOK_S)

    async def _keep_published(self) -> None:
        """Keeps in Redis what the gateways read there: public keys and the vocabulary of exercises."""
        key_set = orjson.dumps(self._signer.key_set())
        while True:
            try:
                await self._redis.set(JWKS_KEY, key_set)
                await publish_slugs(self._redis, self._reference.data.slugs)
            except AWAY as error:
                metrics.FAILURES.labels("publish").inc()
                log.debug("not_published_to_redis", error=type(error).__name__)
            await asyncio.sleep(PUBLISH_TO_REDIS_S if self._reference.loaded else REFERENCE_RETRY_S)


def _replica(settings: Settings, client: redis.RedisClient) -> Replica | None:
    url = settings.database_replica_url
    return Replica(postgres.make_pool(settings, url), client) if url.get_secret_value() else None
