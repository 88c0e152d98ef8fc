"""Memory of the whole backend on one machine: PostgreSQL, Redis, API, gateway and worker, as `make run` starts them.

Rows: at rest; with CLIENTS people of which each is signed in, heartbeats, looks at the whole map, hears the community
and has read a page of its feed; and what the papers expect. Proportional set size in MB: each shared page is divided
among those who share it, so that the figures of a row add up.
"""

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from config.embedded.ports import HOST, free_port
from config.embedded.run import DEVELOPMENT
from loadtest.bench import host
from loadtest.bench.apps import stores_of
from loadtest.bench.asking import CONNECTIONS, request, size_of
from loadtest.bench.fanout import SUBPROTOCOL
from loadtest.bench.identity import Identity

CLIENTS: Final = 1_000
SETTLE_S: Final = 20.0  # what starts takes, then gives back
BEAT_S: Final = 30
_ROLES: Final = ("rt", "api", "worker")
_PAGE: Final = "{ communityFeed(first: 20) { position { epoch offset } edges { node { id type createdAt data } } } }"
_KB: Final = 1_000_000 / 1_024  # of a MB


async def run(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rows."""
    identity = Identity()
    async with contextlib.AsyncExitStack() as stack:
        ports, started = await start(stack, {**environment, "JWT_PUBLIC_KEYS": identity.jwks})
        pids = started | await stores_of(environment)
        await asyncio.sleep(SETTLE_S)
        rest = _row("at rest", pids)
        await _read_pages(ports["api"])
        await _come(stack, identity, ports["rt"])
        await asyncio.sleep(SETTLE_S)
        crowded = _row(f"{CLIENTS:,} clients", pids)
    return [rest, crowded, {"state": "the papers", "all": "400 to 600"}]


async def start(
    stack: contextlib.AsyncExitStack, environment: Mapping[str, str]
) -> tuple[dict[str, int], dict[str, int]]:
    """The three roles, by name their ports and their processes, until the stack ends."""
    ports = {role: free_port() for role in _ROLES}
    env = {**environment, **DEVELOPMENT, **{f"{role.upper()}_PORT": str(port) for role, port in ports.items()}}
    env |= {"LOG_LEVEL": "error"}
    commands = {role: host.process((sys.executable, "-m", role), None, env) for role in _ROLES}
    running = {role: await stack.enter_async_context(command) for role, command in commands.items()}
    await asyncio.gather(*(host.listening(port, 90) for port in ports.values()))
    return ports, {role: process.pid for role, process in running.items()}


def _row(state: str, pids: Mapping[str, int]) -> dict[str, Any]:
    used = {name: host.pss_kib(pid) / _KB for name, pid in pids.items()}
    return {"state": state, **{name: round(mb, 1) for name, mb in used.items()}, "all": round(sum(used.values()), 1)}


async def _read_pages(port: int) -> None:
    """As many readers of the first page as there are clients, over some connections."""
    asked = request(port, orjson.dumps({"query": _PAGE}))

    async def read(times: int) -> None:
        reader, writer = await asyncio.open_connection(HOST, port)
        for _ in range(times):
            writer.write(asked)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(size_of(head) - len(head))
        writer.close()

    await asyncio.gather(*(read(CLIENTS // CONNECTIONS) for _ in range(CONNECTIONS)))


async def _come(stack: contextlib.AsyncExitStack, identity: Identity, port: int) -> None:
    """Everybody is there, and stays until the end."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="whole-")))
    firsts = folder / "firsts"
    firsts.write_text("".join(f"{json.dumps(_says(identity, number))}\n" for number in range(CLIENTS)), "utf-8")
    command = (sys.executable, "-m", "loadtest.crowd", str(port), str(CLIENTS), "1", "--path", "/ws")
    words = ("--subprotocol", SUBPROTOCOL, "--ready", '"type":"subscribed"', "--first", str(firsts))
    paces = ("--beat-s", str(BEAT_S), "--open-s", "120", "--wait-s", str(10 * SETTLE_S))
    crowd = await stack.enter_async_context(
        host.process((*command, *words, *paces), None, output=asyncio.subprocess.PIPE)
    )
    line = await crowd.stdout.readline() if crowd.stdout is not None else b""
    if not line or json.loads(line)["open"] != CLIENTS:
        raise ValueError("not everybody could come")


def _says(identity: Identity, number: int) -> list[str]:
    messages: list[dict[str, Any]] = [
        {"type": "connect", "token": identity.access_token(number, 7_200)},
        {"type": "viewport", "west": -180, "south": -85, "east": 180, "north": 85, "zoom": 2},
        {"type": "subscribe", "channel": "community"},
    ]
    return [json.dumps(message) for message in messages]
