"""Every long-lived task of API and worker, alone, under every error of both stores in turn: it goes on, each time.

The gateway's have their test beside this one. A task that none of the two names fails here.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest
from pydantic import SecretStr

import api.accounts.mailer
import api.accounts.revocations
import api.app
import api.apps.service
import api.flags.service
import api.graphql.drops
import api.graphql.persisted
import api.privacy.erasures
import config.db.postgres
import config.db.replica
import config.metrics
import config.rates.limiter
import config.redis
import worker.audit
import worker.jobs.runner
import worker.publisher
import worker.relay
from api.app import Api
from config import redis
from config.db import postgres
from config.process import Lifetime
from config.rates.rules import Claim, Limit
from config.settings import Settings
from rt.feed.positions import Position
from rt.feed.store import FeedStore
from rt.wire.channels import COMMUNITY
from tests.integration.test_gateway_errors import TASKS as GATEWAY
from tests.support.erring_redis import ERRORS, SOME_ERRORS, ErringRedis
from tests.support.extent import some_or_all
from tests.support.gateway import until
from tests.support.passwords import QUICK
from tests.support.relay import append_event
from tests.support.sabotage import SOME_STATES, STATES, Sabotage, sabotaged
from tests.support.spawned import spawned
from tests.support.stores import Database
from worker.jobs.every import JOBS

pytestmark = [
    pytest.mark.timeout(300),
    # redis-py drops the stream of a connection that it leaves without closing it.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ERROR_S: Final = 20.0  # that an error is met, or gone, within this

# Tasks that ask no store once they run, and why they need none.
WITHOUT: Final = {
    "http": "answers; what it asks is tested by its requests",
    "hurry": "waits for a signal",
    "board": "copies figures in memory",
    "load": "a batch of one request: what it raises is told to all who wait for it",
    "root:*": "a field of one request: what it raises is told",
    "postgres_connect": "ends when the first connections are there; test_postgres_pool.py",
    "postgres connect": "the same",
    "replica_connect": "the same",
    "slow_statements": "asks only about what was slow; test_slow_statements.py",
    "api": "the process",
    "worker": "the process",
    "rt": "the process",
    "*": "Lifetime.spawn itself",
    "rt/channels/bus.py": "two waits for an event, in `_first`",
    "argon2": "one hash",
    "mail": "one mail, in a thread",
    "argon2 leaving": "waits for one client",
}


class Alone(Lifetime):
    """The life of a process in which one task runs."""

    def __init__(self, *names: str) -> None:
        super().__init__("test")
        self.names = names

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs `work` if it is the one."""
        if name in self.names:
            return super().spawn(name, work)
        work.close()
        return super().spawn("nothing", asyncio.sleep(0))


@dataclass
class Running:
    """A task with stores of its own; `dead` = it has ended."""

    pool: asyncpg.Pool
    client: redis.RedisClient
    settings: Settings
    lifetime: Alone
    owner: asyncpg.Connection
    feeds: FeedStore
    poke: Callable[[], None] = lambda: None
    events: int = 0
    apis: list[Api] = field(default_factory=list)

    @property
    def dead(self) -> bool:
        return self.lifetime.exit_code != 0


async def of_api(running: Running) -> None:
    """Starts the API's background; `Alone` lets one task of it through."""
    made = Api(running.settings)
    running.apis.append(made)
    made.start(running.lifetime)
    limit = Limit("requests", 1_000_000, 60)

    def poke() -> None:
        made._wake.soon()
        made._limiter._ask(["limits:{nobody}:requests"], [Claim(limit)])
        made._persisted.register("{ a }", "a" * 64, values=False)

    running.poke = poke


async def of_worker(running: Running) -> None:
    """The worker's, as worker/__main__.py spawns them."""
    relay = worker.relay.Relay(running.pool, running.client)
    running.lifetime.spawn("postgres connect", postgres.connect(running.pool))
    running.lifetime.spawn("redis metrics", config.metrics.watch_redis(running.client))
    running.lifetime.spawn("relay listen", relay.listen())
    running.lifetime.spawn("relay measure", relay.measure())
    running.lifetime.spawn("audits", worker.audit.watch_audits(running.pool))
    jobs = worker.jobs.runner.Runner(running.pool, running.settings, JOBS)
    running.lifetime.spawn("jobs", jobs.run())
    running.lifetime.spawn("relay", relay.run(running.lifetime.stopping))


async def recorded(running: Running) -> None:
    """An event that waits."""
    running.events += 1
    async with running.owner.transaction(isolation="serializable"):
        await append_event(running.owner, running.events, uuid.UUID(int=running.events))


async def asked(running: Running) -> None:
    """More mails than leave meanwhile."""
    await running.owner.execute(
        "INSERT INTO proofs (id, kind, email, created_at, expires_at, send_at)"
        " SELECT gen_random_uuid(), 'known', 'e@example.com', now(), now() + interval '1 hour', now()"
        " FROM generate_series(1, 20000)"
    )


async def deleted(running: Running) -> None:
    """A user who is gone, and whom Redis may still know."""
    await running.owner.execute("INSERT INTO erasures (user_id, at, told) VALUES ($1, now(), '{}')", uuid.uuid4())


async def published(running: Running) -> None:
    """An event that is recorded now is numbered, and reaches Redis."""
    await recorded(running)

    async def there() -> bool:
        head = await running.feeds.head(COMMUNITY)
        return isinstance(head, Position) and head.offset == running.events

    await until(there, ERROR_S)


Well = Callable[[Running], Awaitable[None]]


@dataclass(frozen=True)
class Task:
    """Where it is started, which stores it asks, and what it does when it is well, if it is not enough that it asks.

    `victims`: sets of tables; on each of them each SQLSTATE is tried, empty = on all. `inside`: tasks of its own.
    """

    start: Callable[[Running], Awaitable[None]]
    redis: bool = False
    victims: Sequence[tuple[str, ...]] = ()
    before: Callable[[Running], Awaitable[None]] | None = None
    well: Well | None = None
    inside: tuple[str, ...] = ()


TASKS: Final[Mapping[str, Task]] = {
    "reference": Task(of_api, victims=[()]),
    "publish": Task(of_api, redis=True),
    "relay_wake": Task(of_api, redis=True),
    "limits": Task(of_api, redis=True),
    "revocations": Task(of_api, redis=True, victims=[()]),
    "revocations_heard": Task(of_api, redis=True),
    "flags": Task(of_api, redis=True, victims=[()]),
    "apps": Task(of_api, redis=True, victims=[()]),
    "flags_heard": Task(of_api, redis=True),
    "drops": Task(of_api, redis=True),
    "drops_heard": Task(of_api, redis=True),
    "persisted": Task(of_api, redis=True),
    "mails": Task(of_api, victims=[()], before=asked),
    "erasures": Task(of_api, redis=True, victims=[()], before=deleted),
    "redis_metrics": Task(of_api, redis=True),
    "replica": Task(of_api, redis=True),
    "redis metrics": Task(of_worker, redis=True),
    "relay listen": Task(of_worker, redis=True),
    "relay measure": Task(of_worker, victims=[()], before=recorded),
    "audits": Task(of_worker, victims=[()]),
    "jobs": Task(of_worker, victims=[(), ("job_runs",)], inside=("job *",)),
    "relay": Task(
        of_worker,
        redis=True,
        victims=[(), ("leases",), ("feed_channels",)],
        well=published,
        inside=("relay renew", "relay publish", "relay look"),
    ),
}


_HOUSE: Final = ("RELAY_LOOK_S", "RELAY_MARK_S")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers of some milliseconds, so that each error is met soon."""
    short = {
        api.app: ("REFERENCE_RETRY_S", "REFERENCE_LOOK_S", "PUBLISH_TO_REDIS_S"),
        api.accounts.mailer: ("MAIL_EVERY_S",),
        api.accounts.revocations: ("REVOCATIONS_EVERY_S",),
        api.flags.service: ("FLAGS_EVERY_S",),
        api.graphql.drops: ("DROPS_EVERY_S", "DROPS_RETRY_S"),
        api.graphql.persisted: ("PERSISTED_AGAIN_S", "PERSISTED_RETRY_S"),
        api.apps.service: ("APPS_EVERY_S",),
        api.privacy.erasures: ("ERASURES_EVERY_S",),
        config.db.replica: ("REPLICA_LOOK_S",),
        config.metrics: ("REDIS_LOOK_S",),
        config.rates.limiter: ("LIMITS_PAUSE_S",),
        worker.audit: ("AUDITS_LOOK_S", "_RETRY_S"),
        worker.relay: ("MEASURE_EVERY_S", "LISTEN_S", "RELAY_RETRY_S", "RELAY_TAKE_S", "RELAY_RENEW_S", *_HOUSE),
        worker.jobs.runner: ("JOBS_LOOK_S",),
        worker.publisher: ("RELAY_RETRY_S", "RELAY_IDLE_POLL_S"),
    }
    for module, names in short.items():
        for name in names:
            monkeypatch.setattr(module, name, 0.02)
    monkeypatch.setattr(config.metrics, "observe_pool", lambda *_: None)  # one a process
    monkeypatch.setattr("api.accounts.passwords._hasher", QUICK)


def role_of(store: Database | Sabotage, name: str) -> str:
    """The address of the store for the role that the task has."""
    return store.worker_url if TASKS[name].start is of_worker else store.url


@asynccontextmanager
async def alone(
    name: str, database: Database, database_url: str, redis_url: str, feeds: FeedStore, folder: Path
) -> AsyncIterator[Running]:
    """The task, running over the stores of these addresses."""
    replica = database_url if name == "replica" else ""  # the same server, which is no standby
    settings = Settings(
        database_url=SecretStr(database_url),
        database_replica_url=SecretStr(replica),
        redis_url=SecretStr(redis_url),
        data_dir=folder,
    )
    async with AsyncExitStack() as stack:
        pool = postgres.make_pool(settings)
        stack.push_async_callback(postgres.close, pool, 1)
        client = await stack.enter_async_context(redis.connect(redis_url))
        owner = await asyncpg.connect(database.superuser_url)
        stack.push_async_callback(owner.close)
        lifetime = Alone(name, "postgres connect", "postgres_connect", "replica_connect")
        running = Running(pool, client, settings, lifetime, owner, feeds)
        stack.push_async_callback(lifetime.cancel_tasks)
        before = TASKS[name].before
        if before is not None:
            await before(running)
        await TASKS[name].start(running)
        for made in running.apis:
            stack.push_async_callback(made.close)
        yield running


async def met(running: Running, count: Callable[[], int]) -> None:
    """It has met the error twice, or is dead."""
    before = count()

    async def again() -> bool:
        running.poke()
        return count() > before + 1 or running.dead

    await until(again, ERROR_S)


async def goes_on(
    running: Running, served: Callable[[], int], well: Callable[[Running], Awaitable[None]] | None
) -> None:
    """It asks its store again, and is answered; or does what it is for."""
    before = served()

    async def asks() -> bool:
        running.poke()
        assert not running.dead
        return served() > before + 1

    await until(asks, ERROR_S)
    if well is not None:
        await well(running)
    assert not running.dead


@some_or_all("words", SOME_ERRORS, tuple(ERRORS))
@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.redis])
async def test_errors_of_redis(
    name: str,
    words: Sequence[str],
    database: Database,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Seen failing with figures of Redis that survive a timeout alone. Failed before: the API's listener said nothing
    to its server, which could be yesterday's for good."""
    feeds = redis.connect(redis_url)
    monkeypatch.setattr(config.redis, "COMMAND_TIMEOUT_S", 0.3)  # of the task's; ours is patient
    async with (
        feeds,
        ErringRedis(redis_url).running() as store,
        alone(name, database, role_of(database, name), store.url, FeedStore(feeds), tmp_path) as running,
    ):
        well = TASKS[name].well
        await goes_on(running, lambda: store.served, well)
        for word in words:
            store.error = ERRORS[word]
            await met(running, lambda: store.met)
            store.error = None
            assert not running.dead, word
            await goes_on(running, lambda: store.served, well)


@some_or_all("states", SOME_STATES, STATES)
@pytest.mark.parametrize(
    ("name", "victims"),
    [pytest.param(n, v, id="-".join((n, *v))) for n, task in TASKS.items() for v in task.victims],
)
async def test_states_of_postgresql(
    name: str, victims: tuple[str, ...], states: Sequence[str], database: Database, redis_url: str, tmp_path: Path
) -> None:
    """Failed before: the comparison of revocations ended the API at the first state."""
    async with (
        redis.connect(redis_url) as feeds,
        sabotaged(database) as store,
        alone(name, database, role_of(store, name), redis_url, FeedStore(feeds), tmp_path) as running,
    ):
        well = TASKS[name].well
        await goes_on(running, lambda: store.served, well)
        for state in states:
            await store.begin(state, victims)
            if "feed_channels" in victims:
                await recorded(running)  # a relay that has nothing to number does not ask for it
            await met(running, lambda: store.met)
            await store.end()
            assert not running.dead, state
            await goes_on(running, lambda: store.served, well)


def test_no_task_is_forgotten() -> None:
    """Seen failing with a task of another name in api/app.py."""
    tried = {*TASKS, *(one for task in TASKS.values() for one in task.inside), *GATEWAY}
    assert spawned() == tried | set(WITHOUT)
