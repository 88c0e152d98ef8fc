"""A workout, paid and stored, is seen by everybody: counted over the real processes."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.scene import scene, watching
from tests.support.extent import some_or_all
from tests.support.node import ws_module
from tests.support.stores import Database
from tests.support.watcher import Watcher, faults

PEOPLE = 10
HEARD_S = 60.0


@pytest.mark.timeout(300)
@some_or_all("size", (20, 60), (200, 500))
async def test_every_watcher_has_every_workout_once_and_in_order(
    size: tuple[int, int], database: Database, redis_url: str, tmp_path: Path
) -> None:
    """Workouts of 10 people (60, in `make chaos` 500); as many clients of `websockets` and of Node's `ws` hear them
    (200 of each); one client of the former is away meanwhile and resumes.

    Has failed against: a relay that skipped one row of a batch; a gateway that dropped the last frame of a batch;
    a gateway that wrote text frames of 126 bytes and more with a wrong length (the clients of `ws`).
    """
    watching_each, workouts = size
    async with scene(database, redis_url, tmp_path, PEOPLE) as stage, others(stage.fleet.ws_url, *size) as crowd:
        watchers = [Watcher(stage.fleet.ws_url) for _ in range(watching_each)]
        away = Watcher(stage.fleet.ws_url)
        async with watching([away]):
            pass
        async with watching(watchers):
            opened = json.loads(await asyncio.wait_for(crowd.readline(), HEARD_S))
            assert opened == {"open": watching_each}
            await stage.log_workouts(workouts)
            await asyncio.gather(*(watcher.until(workouts, HEARD_S) for watcher in watchers))
            records = json.loads(await asyncio.wait_for(crowd.readline(), HEARD_S))["records"]
        async with watching([away]):
            await away.until(workouts, HEARD_S)
        assert faults([*watchers, away], workouts) == []
        assert away.recovered == [None, True]
        assert {value for watcher in watchers for value in watcher.recovered} == {None}
        heard = [event["id"] for _, event in away.events]
        assert [record["wrong"] for record in records] == [[]] * watching_each
        assert {tuple(record["ids"]) for record in records} == {tuple(heard)}
        assert await stage.books(workouts) == []


@contextlib.asynccontextmanager
async def others(url: str, clients: int, workouts: int) -> AsyncIterator[asyncio.StreamReader]:
    """The crowd written with Node's `ws`, by what it prints: a line when all have joined, a line of what they heard."""
    program = Path(__file__).with_name("crowd.mjs")
    crowd = await asyncio.create_subprocess_exec(
        *("node", str(program), str(ws_module()), url, str(clients), str(workouts)),
        stdout=asyncio.subprocess.PIPE,
        limit=64 * 1024 * 1024,
    )
    try:
        assert crowd.stdout is not None
        yield crowd.stdout
    finally:
        if crowd.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                crowd.kill()
        await crowd.wait()
