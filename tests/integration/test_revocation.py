"""Signing out, over real processes: it reaches open sockets of every gateway, also when Redis was away meanwhile."""

import asyncio
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from websockets.exceptions import ConnectionClosed

from config.limits import FACTS_EVERY_S, REVOCATIONS_EVERY_S
from config.redis import connect as connect_redis
from tests.support.cluster import Cluster, make_cluster, socket
from tests.support.gateway import until
from tests.support.processes import Service
from tests.support.stores import Database


@pytest.fixture
async def cluster(database: Database, redis_url: str, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with make_cluster(database, redis_url, tmp_path) as made:
        yield made


async def test_signing_out_reaches_every_gateway_whatever_happens_to_redis(
    cluster: Cluster, database: Database
) -> None:
    """Seen failing with a comparison that looks back no further than now (where Redis was away)."""
    first, second = cluster.gateways

    # At once, on both gateways.
    ann = await cluster.person()
    async with socket(first) as one, socket(second) as other:
        assert (await one.ask("connect", token=ann.token))["user"] == ann.id
        assert (await other.ask("connect", token=ann.token))["user"] == ann.id
        began = time.monotonic()
        await cluster.sign_out(ann)
        assert {await one.closed(), await other.closed()} == {4503}
        assert time.monotonic() - began < 2

    # Redis is away at that moment, and comes back without having heard of it.
    bob, eve, dan = await cluster.person(), await cluster.person(), await cluster.person()
    async with socket(first) as one, socket(second) as other, socket(first) as stranger:
        await one.ask("connect", token=bob.token)
        await other.ask("connect", token=bob.token)
        await stranger.ask("connect", token=dan.token)
        await cluster.lose_redis()
        assert await cluster.sign_out(bob) < 2  # nobody waits for Redis
        assert (await one.ask("ping"))["type"] == "pong"
        cluster.proxy.refuse = False
        began = time.monotonic()
        assert {await one.closed(), await other.closed()} == {4503}
        took_s = time.monotonic() - began
        assert took_s < REVOCATIONS_EVERY_S + FACTS_EVERY_S[1] + 3  # how long the API waits before it tries again
        print(f"signed out while Redis was away: closed {took_s:.2f} s after its return")
        assert (await stranger.ask("ping"))["type"] == "pong"

    # Whatever ends a session in PostgreSQL: a password change, an administrator.
    async with socket(second) as talk:
        await talk.ask("connect", token=eve.token)
        connection = await asyncpg.connect(database.superuser_url)
        ended = "UPDATE sessions SET revoked_at = now(), revoked_reason = 'password' WHERE user_id = $1"
        await connection.execute(ended, uuid.UUID(eve.id))
        await connection.close()
        began = time.monotonic()
        assert await talk.closed() == 4503
        assert time.monotonic() - began < REVOCATIONS_EVERY_S + 3


@pytest.mark.chaos
async def test_no_ticket_of_a_signed_out_session_outlives_a_wiped_redis(cluster: Cluster, redis_url: str) -> None:
    """Seen failing with a gateway that trusts tickets before it knows who was signed out."""
    first, _ = cluster.gateways
    bob, dan = await cluster.person(), await cluster.person()
    async with socket(first) as one, socket(first) as stranger:
        ticket = (await one.ask("connect", token=bob.token))["resume"]
        kept = (await stranger.ask("connect", token=dan.token))["resume"]
        await cluster.sign_out(bob)
        assert await one.closed() == 4503

    # Everything in Redis is lost and the gateway, which remembered, starts anew: the ticket ended with the session.
    await first.stop()
    os.kill(cluster.fleet.api.pid, signal.SIGSTOP)
    redis = connect_redis(redis_url)
    await redis.flushall()
    await first.start()
    await asyncio.sleep(FACTS_EVERY_S[0])  # it has read what there is
    async with socket(first) as one:
        await one.say("connect", resume=ticket)
        assert await one.closed() == 4001  # it may come back with a token
    os.kill(cluster.fleet.api.pid, signal.SIGCONT)
    await until(lambda: welcome(first, kept))  # anybody else's is good again, soon
    async with socket(first) as one:
        await one.say("connect", resume=ticket)
        assert await one.closed() == 4503
    await redis.aclose()


async def welcome(gateway: Service, ticket: str) -> bool:
    """Whether the gateway takes the ticket; else it must ask for a token."""
    async with socket(gateway) as talk:
        await talk.say("connect", resume=ticket)
        with suppress(ConnectionClosed):
            return bool((await talk.hear())["type"] == "welcome")
        assert talk.socket.close_code == 4001
        return False
