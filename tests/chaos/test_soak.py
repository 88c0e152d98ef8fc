"""The client, as npm packs it, through reconnects, drains and tokens that end: no event is lost, none comes twice."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.app_server import AppServer, Backend, event
from tests.support.bundles import packed
from tests.support.extent import some_or_all
from tests.support.gateway import until
from tests.support.node import node_with_packages
from tests.support.processes import Fleet
from tests.support.stores import Database

pytestmark = pytest.mark.timeout(1_500)

SCRIPT: Final = Path(__file__).parent / "soak.mjs"
WAIT_S: Final = 60.0
LIFE_S: Final = 600
SHORT_S: Final = 3
NAME: Final = "soak"
SOME: Final = {"drop": 3, "expire": 1, "renew": 1, "drain": 1}
EVERY: Final = {"drop": 60, "expire": 20, "renew": 10, "drain": 10}


class Follower:
    """The process of Node, and what it said."""

    def __init__(self, process: asyncio.subprocess.Process, token: Callable[[str, bool], str]) -> None:
        self._process = process
        self._token = token
        self.events: list[list[Any]] = []
        self.wrong: list[Any] = []
        self.counts = Counter[str]()

    def do(self, deed: str) -> None:
        self._say({"do": deed})

    async def listen(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            said = json.loads(line)
            if "ask" in said:
                self._say({"answer": said["ask"], "value": self._token(said["what"], said["expired"])})
            elif "event" in said:
                self.events.append(said["event"])
            elif "wrong" in said:
                self.wrong.append(said["wrong"])
            elif "told" in said:
                self.counts[f"{said['told']} {said.get('reason')}"] += 1
            else:
                self.counts[next(iter(said)) if "joined" in said else f"closed {said['closed']}"] += 1

    def _say(self, line: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line).encode() + b"\n")


class Soak:
    """An app that publishes all the time, and one user who follows it."""

    def __init__(self, server: AppServer, app: Backend) -> None:
        self._server = server
        self._app = app
        self._access_s = self._channel_s = LIFE_S
        self.published = 0

    def token(self, what: str, expired: bool) -> str:
        """Good for as long as the round says; of the user for long, where the last one was refused."""
        now = int(time.time())
        if what == "access":
            return self._app.token("u", iat=now - 1_000, exp=now + (LIFE_S if expired else self._access_s))
        return self._app.channel_token("u", NAME, exp=now + self._channel_s)

    async def publish(self) -> None:
        """A few at a time, without an end."""
        while True:
            batch = [event(NAME, str(self.published + number)) for number in range(3)]
            await self._app.publish(*batch)
            self.published += len(batch)
            await asyncio.sleep(0.02)

    @asynccontextmanager
    async def follower(self, folder: Path) -> AsyncIterator[Follower]:
        """Joined, before the first event."""
        node, _ = node_with_packages()
        words = (str(SCRIPT), str(packed(folder)), self._server.fleet.ws_url, f"app:{self._app.namespace}:{NAME}")
        pipes = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(node, *words, stdin=pipes, stdout=pipes)
        follower = Follower(process, self.token)
        listening = asyncio.create_task(follower.listen())
        try:
            await until(lambda: follower.counts["joined"], WAIT_S)
            yield follower
        finally:
            process.kill()
            await listening
            await process.wait()

    async def happens(self, deed: str, follower: Follower) -> None:
        """One round, until its end was seen: joined again, or, of a token of the channel, left."""
        self._channel_s = SHORT_S if deed == "expire" else LIFE_S
        self._access_s = -SHORT_S if deed == "renew" else LIFE_S
        joined, left = follower.counts["joined"], follower.counts["unsubscribed token_expired"]
        if deed in ("expire", "drop"):
            follower.do("drop")
        elif deed == "renew":
            follower.do("renew")  # its token is refused, and asked for again as expired
        else:
            await self._server.fleet.rt.stop()
            await self._server.fleet.rt.start()

        async def is_back() -> bool:
            follower.do("hurry")
            await asyncio.sleep(0.1)
            if deed == "expire":
                return follower.counts["unsubscribed token_expired"] > left
            return follower.counts["joined"] > joined

        await until(is_back, WAIT_S)


@some_or_all("rounds", SOME, EVERY)
async def test_a_soak_loses_nothing_and_repeats_nothing(
    rounds: dict[str, int], fleet: Fleet, database: Database, tmp_path: Path
) -> None:
    """Seen failing with no `since` after a reconnect, and with a `since` that is one event behind, where repeats are
    handed on."""
    server = AppServer(fleet, database)
    app = await server.make("soak")
    app.signer()
    await server.command("set", "soak", "--jwks", app.jwks(tmp_path))
    soak = Soak(server, app)
    deeds = [deed for deed, times in rounds.items() for _ in range(times)]
    random.Random(7).shuffle(deeds)  # an order, and the same each time
    deeds.append("drop")  # after the last expiry too it is joined again
    async with soak.follower(tmp_path) as follower:
        publishing = asyncio.create_task(soak.publish())
        for deed in deeds:
            await soak.happens(deed, follower)
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        last = str(soak.published + 5)
        await app.publish(*(event(NAME, str(number)) for number in range(soak.published, soak.published + 6)))
        await until(lambda: follower.events and follower.events[-1][1] == last, WAIT_S)
    counts = follower.counts
    print(f"{len(follower.events):,} events through {len(deeds)} rounds {rounds}: {dict(counts)}")
    assert follower.wrong == []
    assert [name for _, name in follower.events] == [str(number) for number in range(int(last) + 1)]
    offsets = [offset for offset, _ in follower.events]
    assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))
    assert counts["unsubscribed token_expired"] >= rounds["expire"]
    assert counts["closed 4001"] >= rounds["renew"]
    assert counts["reconnect restart"] + counts["closed 1012"] >= rounds["drain"]
