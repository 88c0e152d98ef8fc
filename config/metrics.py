"""Metrics of the API and the worker; the gateway counts in its own way (rt/metrics.py).

Label values are few and fixed (routes, named queries, error codes), never something a client chose. Whoever
observes in a hot path binds its child once: `labels()` costs three times the observation.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

import asyncpg
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from config.db.postgres import pool_gauges
from config.redis import AWAY, REFUSES_WRITES, RedisClient, fault

log = structlog.get_logger()

REDIS_LOOK_S: Final = 5.0
NO_EVICTION: Final = "noeviction"

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BYTES: Final = (256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576)
_VITALS: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 1.8, 2.5, 4.0, 6.0, 10.0, 30.0)
_SHIFT: Final = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0)
_COST: Final = (1, 5, 10, 25, 50, 100, 250, 500, 1_000)

HTTP_REQUESTS: Final = Counter("http_requests_total", "Answered requests", ["method", "route", "status"])
HTTP_SECONDS: Final = Histogram(
    "http_request_duration_seconds", "From the request's headers to the end of its answer", ["route"], buckets=_SECONDS
)
HTTP_BYTES: Final = Histogram("http_response_size_bytes", "Bytes of an answer's body", ["route"], buckets=_BYTES)

GRAPHQL_COMPLEXITY: Final = Histogram("graphql_query_complexity", "Cost of an accepted document", buckets=_COST)
GRAPHQL_SECONDS: Final = Histogram(
    "graphql_query_duration_seconds", "Execution of one operation", ["operation"], buckets=_SECONDS
)
GRAPHQL_CACHE_HITS: Final = Counter("graphql_cache_hits_total", "Answers from a cache of the API", ["cache"])
GRAPHQL_PLAN_FALLBACKS: Final = Counter(
    "graphql_plan_fallbacks_total", "Operations that graphql-core answered in place of a plan, or completed", ["reason"]
)
GRAPHQL_ERRORS: Final = Counter("graphql_errors_total", "Errors in GraphQL answers", ["code"])

PG_QUERY_SECONDS: Final = Histogram("pg_query_duration_seconds", "One named query", ["query"], buckets=_SECONDS)
SLOW_STATEMENTS: Final = Counter("pg_slow_statements_total", "Executions over SLOW_STATEMENT_MS", ["query"])
REPLICA_LAG_S: Final = Gauge("pg_replica_lag_seconds", "How old at most what the replica says is; +Inf = nobody knows")
REPLICA_READS: Final = Counter("pg_replica_reads_total", "Reads by who answered: replica, or why not it", ["answered"])
PG_TRANSACTION_RETRIES: Final = Counter("pg_transaction_retries_total", "Transactions that ran again", ["reason"])

REDIS_CONNECTED: Final = Gauge("redis_connected", "1 while Redis answers")
REDIS_REFUSES: Final = Gauge("redis_writes_refused", "1 while Redis answers and takes no writes: full, read-only")
REDIS_MEMORY: Final = Gauge("redis_memory_used_bytes", "Memory that Redis says it uses")
REDIS_MEMORY_MAX: Final = Gauge("redis_memory_max_bytes", "Memory that Redis may use (maxmemory); 0 = it has no bound")

VITALS_SECONDS: Final = Histogram(
    "web_vitals_seconds", "How fast the page was, as browsers told", ["vital"], buckets=_VITALS
)
VITALS_SHIFT: Final = Histogram("web_vitals_cls", "Cumulative layout shift of the page", buckets=_SHIFT)

SIGN_INS: Final = Counter("auth_events_total", "Registrations, sign-ins, refreshes, log-outs", ["event"])
RATE_LIMITED: Final = Counter("rate_limited_total", "Requests that were refused by a rate limit", ["limit"])
PAYMENT_EVENTS: Final = Counter("payment_events_total", "Signed events of the payment provider", ["outcome"])
MAILS: Final = Counter("mails_total", "Mails by what became of them", ["result"])
FAILURES: Final = Counter("background_failures_total", "Failed rounds of background work that goes on", ["task"])


class _PoolCollector(Collector):
    """Reads the pool at the scrape, so that nothing is counted on the hot path."""

    def __init__(self, pool: asyncpg.Pool, waiting: Callable[[], int]) -> None:
        self._pool = pool
        self._waiting = waiting

    def collect(self) -> Iterator[Metric]:
        """The pool's gauges now."""
        for name, value in pool_gauges(self._pool).items():
            yield GaugeMetricFamily(name, "Connections to PostgreSQL", value=value)
        yield GaugeMetricFamily("pg_pool_waiting_clients", "Callers that wait for a connection", value=self._waiting())


def observe_pool(pool: asyncpg.Pool, waiting: Callable[[], int]) -> None:
    """Exports the three `pg_pool_*` gauges of this process's pool; `waiting` says how many callers queue for it."""
    REGISTRY.register(_PoolCollector(pool, waiting))


async def watch_redis(redis: RedisClient) -> None:
    """Keeps the `redis_*` gauges fresh, for as long as the process lives; warns of a Redis that throws things away."""
    told = ""
    while True:
        try:
            memory = await redis.info("memory")
        except AWAY:
            REDIS_CONNECTED.set(0)
        else:
            REDIS_CONNECTED.set(1)
            REDIS_MEMORY.set(memory["used_memory"])
            REDIS_MEMORY_MAX.set(memory.get("maxmemory", 0))
            policy = str(memory.get("maxmemory_policy", NO_EVICTION))
            if policy not in (NO_EVICTION, told):
                log.warning("redis_evicts", policy=policy)  # leases and revocations among them: README
            told = policy
        REDIS_REFUSES.set(await fault(redis) in REFUSES_WRITES)
        await asyncio.sleep(REDIS_LOOK_S)


def exposition() -> tuple[bytes, str]:
    """The body and content type of /metrics."""
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
