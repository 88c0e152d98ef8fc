"""Subscriptions of GraphQL beside `/ws` on the same gateway: CPU a delivery, for one selection and for ten.

Everybody is anonymous and hears the community, on both: what differs is the protocol alone.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any, Final

from config.redis import connect
from loadtest.bench import fanout, host, report
from loadtest.bench.fanout import SUBPROTOCOL, Load, Server

LOADS: Final = (Load(1_000, 1_500, 100), Load(1_000, 5_000, 500))
SELECTIONS: Final = 10
ENVIRONMENT: Final = {"RT_PROCESSES": "1", "RT_DRAIN_S": "1", "LOG_LEVEL": "warning", "FEED_RATE": ""}
_FIELDS: Final = "id type createdAt actor { id name } data cursor"


async def run(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """A row for each way of hearing and load."""
    redis_url = environment["REDIS_URL"]
    rows: list[dict[str, Any]] = []
    redis = connect(redis_url)
    try:
        with host.moved((0, await host.redis_pid(redis)), host.CROWD_CORE):
            for load in LOADS:
                servers = (_plain(), _graphql("GraphQL, one selection", 1), _graphql("GraphQL, ten", SELECTIONS))
                plain, *others = [await fanout.run(server, load, redis_url) for server in servers]
                rows += report.beside([plain, *others], {"cpu_us_per_delivery": "cpu, /ws through its"})
    finally:
        await redis.aclose()
    return rows


def _plain() -> Server:
    messages = [{"type": "connect"}, {"type": "subscribe", "channel": "community"}]
    return _server("/ws", "/ws", SUBPROTOCOL, '"type":"subscribed"', [_texts(messages)])


def _graphql(name: str, selections: int) -> Server:
    queries = [f"subscription {{ f{number}: communityFeed {{ {_FIELDS} }} }}" for number in range(selections)]
    firsts = [
        _texts(
            [
                {"type": "connection_init"},
                {"id": "0199a1c2-7d00-7000-8000-00000000abcd", "type": "subscribe", "payload": {"query": query}},
                {"type": "ping"},
            ]
        )
        for query in queries
    ]
    return _server(name, "/api/graphql/ws", "graphql-transport-ws", '"type":"pong"', firsts)


def _server(name: str, path: str, subprotocol: str, ready: str, firsts: list[str]) -> Server:
    publish = (sys.executable, "-m", "loadtest.publish")
    return Server(
        name=name,
        command=(sys.executable, "-m", "rt"),
        publish=(*publish, "{events}", "{rate}", "{size}", "{port}", "community"),
        prepare=(*publish, "0", "1", "1", "{port}", "community"),
        path=path,
        subprotocol=subprotocol,
        ready=ready,
        environment=ENVIRONMENT,
        firsts=firsts,
    )


def _texts(messages: list[dict[str, Any]]) -> str:
    return json.dumps([json.dumps(message) for message in messages])
