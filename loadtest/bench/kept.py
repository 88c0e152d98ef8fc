"""What keeping answers gives: CPU of the API for a request, made anew and kept, in turns on one process.

A request is made anew where its variables were never seen: one that the document does not declare differs each time.
Everything else is the same, what is looked for and put aside for it included.
"""

import asyncio
import contextlib
import json
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

from config.embedded.ports import free_port
from loadtest.bench import host

ROUNDS: Final = 5
REQUESTS: Final = 100  # of each kind, in each round
EVENTS: Final = 20
ANSWER_S: Final = 30.0

_LOG: Final = (
    "mutation L($input: LogWorkoutInput!, $key: String!) {"
    " logWorkout(input: $input, idempotencyKey: $key) { existing } }"
)
_EVENT: Final = "cursor node { id type createdAt data highFives }"
# What is asked, and whether by somebody who is signed in.
DOCUMENTS: Final = {
    "20 events of the community": (f"{{ communityFeed(first: {EVENTS}) {{ edges {{ {_EVENT} }} }} }}", False),
    "all exercises": ("{ exercises { id slug name equipment { name } } }", False),
    "all muscles": ("{ muscles { id slug name biasWeight } }", False),
    "one's own name and level": ("{ me { id name level xp } }", True),
    "one's own balance": ("{ creditBalance { credits } }", True),
}


class Asker:
    """One kept connection of HTTP/1.1 that asks one thing at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.token = ""

    async def ask(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON of the answer. Raises RuntimeError where it is no success."""
        answer: dict[str, Any] = json.loads(await self.ask_raw(path, json.dumps(body).encode()))
        if answer.get("errors"):
            raise RuntimeError(str(answer["errors"])[:300])
        return answer

    async def ask_raw(self, path: str, content: bytes) -> bytes:
        bearer = f"Authorization: Bearer {self.token}\r\n" if self.token else ""
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{bearer}"
        self._writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        async with asyncio.timeout(ANSWER_S):
            status, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            size = next(int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:"))
            answer = await self._reader.readexactly(size)
        if status.split()[1] not in ("200", "201"):
            raise RuntimeError(f"{path}: {status}")
        return answer

    def close(self) -> None:
        """Lets go of the connection."""
        self._writer.close()


async def run(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """A row for each of DOCUMENTS. `environment` names migrated stores: DATABASE_URL, REDIS_URL."""
    ports = {role: free_port() for role in ("api", "worker")}
    settings = {**environment, **{f"{role.upper()}_PORT": str(port) for role, port in ports.items()}}
    settings |= {"LOG_LEVEL": "warning", "TRIAL_DAYS": "30"}
    async with contextlib.AsyncExitStack() as stack:
        pids = {}
        for role, port in ports.items():
            command = (sys.executable, "-m", role)
            started = await stack.enter_async_context(host.process(command, host.SERVER_CORE, settings))
            pids[role] = started.pid
            await host.listening(port)
        asker = Asker(*await asyncio.open_connection("127.0.0.1", ports["api"]))
        stack.callback(asker.close)
        await _events(asker)
        token, rows = asker.token, []
        for what, (document, signed_in) in DOCUMENTS.items():
            asker.token = token if signed_in else ""
            rows.append(await _row(asker, pids["api"], what, document))
        return rows


async def _events(asker: Asker) -> None:
    """Somebody's workouts, as the community hears of them."""
    account = {"email": f"{uuid.uuid4().hex}@example.org", "password": uuid.uuid4().hex, "name": "Runner"}
    async with asyncio.timeout(ANSWER_S):
        while True:  # until it is ready
            with contextlib.suppress(RuntimeError):
                await asker.ask("/api/v1/auth/register", account)
                break
            await asyncio.sleep(0.1)
    asker.token = (await asker.ask("/api/v1/auth/login", account))["accessToken"]
    exercises = (await asker.ask("/api/graphql", {"query": "{ exercises { id } }"}))["data"]["exercises"]
    for n in range(EVENTS):
        exercise = {"exerciseId": exercises[n]["id"], "sets": [{"reps": 10, "weightKg": 60.5}] * 3}
        workout = {"performedAt": datetime.now(UTC).isoformat(), "exercises": [exercise]}
        await asker.ask("/api/graphql", {"query": _LOG, "variables": {"input": workout, "key": str(uuid.uuid4())}})
    page = {"query": f"{{ communityFeed(first: {EVENTS}) {{ edges {{ cursor }} }} }}"}
    async with asyncio.timeout(ANSWER_S):
        while True:
            if len((await asker.ask("/api/graphql", page))["data"]["communityFeed"]["edges"]) >= EVENTS:
                return
            await asyncio.sleep(0.1)


async def _row(asker: Asker, pid: int, what: str, document: str) -> dict[str, Any]:
    numbers = count()
    kinds: dict[str, Callable[[], dict[str, Any]]] = {
        "anew": lambda: {"query": document, "variables": {"nobody_reads_this": next(numbers)}},
        "kept": lambda: {"query": document},
    }
    size = len(await asker.ask_raw("/api/graphql", json.dumps(kinds["kept"]()).encode()))
    cpu: dict[str, list[float]] = {kind: [] for kind in kinds}
    wall: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(ROUNDS):
        for kind, body in kinds.items():
            before, begun = host.cpu_s(pid), time.perf_counter()
            for _ in range(REQUESTS):
                await asker.ask_raw("/api/graphql", json.dumps(body()).encode())
            cpu[kind].append((host.cpu_s(pid) - before) / REQUESTS * 1e6)
            wall[kind].append((time.perf_counter() - begun) / REQUESTS * 1e6)
    anew, kept = (statistics.median(cpu[kind]) for kind in ("anew", "kept"))
    return {
        "what": what,
        "bytes": size,
        "anew: CPU µs": round(anew),
        "kept: CPU µs": round(kept),
        "anew/kept": round(anew / kept, 1),
        "anew: ms": round(statistics.median(wall["anew"]) / 1000, 2),
        "kept: ms": round(statistics.median(wall["kept"]) / 1000, 2),
    }
