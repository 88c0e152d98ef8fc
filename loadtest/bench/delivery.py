"""From the answer of `logWorkout` to the screens: over the real rt, api and worker, through HTTP and WebSockets.

Each person watches too: their own feed, which tells when a workout reached a screen, and the community's, which names
nobody and is counted. The server's processes share one core; the stores, the people and the watchers the other.
"""

import asyncio
import contextlib
import json
import sys
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from config.embedded.ports import free_port
from loadtest.bench import host

PEOPLE: Final = 20
SETTLE_S: Final = 1.0
LATE_S: Final = 10.0  # an event that a watcher has not heard by then is missing
ANSWER_S: Final = 30.0
# What is measured: workouts a second (0 = each person logs the next one as soon as the last is answered), seconds.
LOADS: Final = ((100 / 60, 60.0), (50.0, 20.0), (0.0, 10.0))

_WORKOUT: Final = "workout_completed"
_LOG: Final = (
    "mutation L($input: LogWorkoutInput!, $key: String!) {"
    " logWorkout(input: $input, idempotencyKey: $key) { existing workout { id } } }"
)


class _Http:
    """One kept connection of HTTP/1.1 that asks one thing at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: Mapping[str, Any], token: str = "") -> dict[str, Any]:
        """The JSON of the answer; raises RuntimeError where it is no success."""
        content = json.dumps(body).encode()
        bearer = f"Authorization: Bearer {token}\r\n" if token else ""
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nContent-Type: application/json\r\n{bearer}"
        request = f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content
        async with asyncio.timeout(ANSWER_S):
            if self._streams is None or self._streams[0].at_eof():  # the server closes connections that are idle
                self.close()
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            writer.write(request)
            status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            size = next(int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:"))
            answer: dict[str, Any] = json.loads(await reader.readexactly(size))
        if status.split()[1] not in ("200", "201") or answer.get("errors"):
            raise RuntimeError(f"{path}: {status} {str(answer)[:200]}")
        return answer

    def close(self) -> None:
        """Lets go of the connection."""
        if self._streams is not None:
            self._streams[1].close()


@dataclass(slots=True)
class _Person:
    http: _Http
    token: str
    user: str
    exercise: str
    asked: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)

    async def log(self) -> None:
        """One workout, and when it was asked for and answered."""
        sets = [{"reps": 10, "weightKg": 60.5}] * 3
        exercises = [{"exerciseId": self.exercise, "sets": sets}]
        workout = {"performedAt": datetime.now(UTC).isoformat(), "exercises": exercises}
        body = {"query": _LOG, "variables": {"input": workout, "key": str(uuid.uuid4())}}
        self.asked.append(time.perf_counter())
        await self.http.post("/api/graphql", body, self.token)
        self.answered.append(time.perf_counter())


@dataclass(slots=True)
class _Watcher:
    """One person's screen: when each own workout was there, and how many of the community's."""

    person: _Person
    heard: list[float] = field(default_factory=list)
    count: int = 0
    offsets: dict[str, int] = field(default_factory=dict)

    async def watch(self, port: int, joined: asyncio.Event) -> None:
        async with connect(
            f"ws://127.0.0.1:{port}/ws", subprotocols=[Subprotocol("musclemap.v1")], proxy=None, compression=None
        ) as socket:
            own = f"user:{self.person.user}"
            await socket.send(json.dumps({"type": "connect", "token": self.person.token}))
            for channel in ("community", own):
                await socket.send(json.dumps({"type": "subscribe", "channel": channel}))
            async for text in socket:
                now = time.perf_counter()
                message = json.loads(text)
                if message["type"] == "subscribed":
                    self.offsets[message["channel"]] = message["offset"]
                    if len(self.offsets) == 2:
                        joined.set()
                elif message["type"] == "event":
                    channel = message["channel"]
                    if message["offset"] != self.offsets[channel] + 1:
                        raise RuntimeError(f"a hole: {message['offset']} after {self.offsets[channel]}")
                    self.offsets[channel] = message["offset"]
                    if message["event"]["type"] != _WORKOUT:  # a level, a milestone: what it earned
                        continue
                    if channel == own:
                        self.heard.append(now)
                    else:
                        self.count += 1

    async def until(self, count: int) -> None:
        """Returns when it has heard that many."""
        while True:
            if self.count >= count:
                return
            await asyncio.sleep(0.02)


async def run(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row for each of LOADS. `environment` names migrated stores: DATABASE_URL, REDIS_URL."""
    ports = {role: free_port() for role in ("rt", "api", "worker")}
    settings = {**environment, **{f"{role.upper()}_PORT": str(port) for role, port in ports.items()}}
    settings |= {"RT_PROCESSES": "1", "RT_DRAIN_S": "1", "LOG_LEVEL": "warning", "TRIAL_DAYS": "30"}
    settings["FEED_RATE"] = ""  # every event one by one: each is waited for
    async with contextlib.AsyncExitStack() as stack:
        for role, port in ports.items():
            await stack.enter_async_context(host.process((sys.executable, "-m", role), host.SERVER_CORE, settings))
            await host.listening(port)
        for port in ports.values():
            await _ready(port)
        await asyncio.sleep(SETTLE_S)
        people = await _people(ports["api"])
        try:
            rows = []
            for rate, seconds in LOADS:
                async with _watching(ports["rt"], people) as watchers:
                    rows.append(await _measure(people, watchers, rate, seconds))
            return rows
        finally:
            for person in people:
                person.http.close()


async def _ready(port: int) -> None:
    """Waits until the process says that it can serve; raises TimeoutError."""
    async with asyncio.timeout(ANSWER_S):
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET /ready HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
            status = await reader.readline()
            writer.close()
            if b" 200 " in status:
                return
            await asyncio.sleep(0.1)


async def _people(port: int) -> list[_Person]:
    http = _Http(port)
    exercises = (await http.post("/api/graphql", {"query": "{ exercises { id } }"}))["data"]["exercises"]
    http.close()
    people = []
    for number in range(PEOPLE):
        http = _Http(port)
        account = {"email": f"{uuid.uuid4().hex}@example.org", "password": uuid.uuid4().hex, "name": f"Runner {number}"}
        await http.post("/api/v1/auth/register", account)
        signed_in = await http.post("/api/v1/auth/login", account)
        people.append(_Person(http, signed_in["accessToken"], signed_in["user"]["id"], exercises[number]["id"]))
    return people


@contextlib.asynccontextmanager
async def _watching(port: int, people: list[_Person]) -> AsyncIterator[list[_Watcher]]:
    watchers = [_Watcher(person) for person in people]
    joined = [asyncio.Event() for _ in watchers]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(w.watch(port, e)) for w, e in zip(watchers, joined, strict=True)]
        async with asyncio.timeout(ANSWER_S):
            await asyncio.gather(*(event.wait() for event in joined))
        yield watchers
        for task in tasks:
            task.cancel()


async def _measure(people: list[_Person], watchers: list[_Watcher], rate: float, seconds: float) -> dict[str, Any]:
    for person in people:
        person.asked.clear()
        person.answered.clear()
    began = time.perf_counter()

    async def live(number: int) -> None:
        turn = 0
        while True:
            due = began + (turn * len(people) + number) / rate if rate else time.perf_counter()
            if due - began >= seconds:
                return
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await people[number].log()
            turn += 1

    await asyncio.gather(*(live(number) for number in range(len(people))))
    took_s = time.perf_counter() - began
    workouts = sum(len(person.answered) for person in people)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LATE_S):
            await asyncio.gather(*(watcher.until(workouts) for watcher in watchers))
    answers, from_answer, from_request = [], [], []
    for person, watcher in zip(people, watchers, strict=True):
        answers += [b - a for a, b in zip(person.asked, person.answered, strict=True)]
        from_answer += [h - a for h, a in zip(watcher.heard, person.answered, strict=False)]
        from_request += [h - a for h, a in zip(watcher.heard, person.asked, strict=False)]
    return {
        "load": _name(rate),
        "workouts/s": round(workouts / took_s, 1),
        "missing": workouts * len(watchers) - sum(watcher.count for watcher in watchers),
        "request → answer p50 ms": _ms(answers, 0.5),
        "its p99 ms": _ms(answers, 0.99),
        "answer → delivery p50 ms": _ms(from_answer, 0.5),
        "delivery's p99 ms": _ms(from_answer, 0.99),
        "request → delivery p50 ms": _ms(from_request, 0.5),
        "p99 ms of both": _ms(from_request, 0.99),
    }


def _name(rate: float) -> str:
    if not rate:
        return f"{PEOPLE} people without a pause"
    return f"{rate:g}/s" if rate >= 10 else f"{rate * 60:.0f}/min"


def _ms(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 1) if ordered else 0.0
