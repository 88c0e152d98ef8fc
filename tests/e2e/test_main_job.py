"""A workout, paid and stored, is seen by everybody: counted over the real processes."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.e2e.scene import scene, watching
from tests.support.node import ws_module
from tests.support.stores import Database
from tests.support.watcher import Watcher, faults

WATCHERS = 200
PEOPLE = 20
WORKOUTS = 500
HEARD_S = 30.0


@pytest.mark.timeout(180)
async def test_every_watcher_has_every_workout_once_and_in_order(
    database: Database, redis_url: str, tmp_path: Path
) -> None:
    """500 workouts of 20 people, 200 clients of `websockets`; one client is away meanwhile and resumes.

    Has failed against: a relay that skipped one row of a batch; a gateway that dropped the last frame of a batch.
    """
    async with scene(database, redis_url, tmp_path, PEOPLE) as stage:
        watchers = [Watcher(stage.fleet.ws_url) for _ in range(WATCHERS)]
        away = Watcher(stage.fleet.ws_url)
        async with watching([away]):
            pass
        async with watching(watchers):
            await stage.log_workouts(WORKOUTS)
            await asyncio.gather(*(watcher.until(WORKOUTS, HEARD_S) for watcher in watchers))
        async with watching([away]):
            await away.until(WORKOUTS, HEARD_S)
        assert faults([*watchers, away], WORKOUTS) == []
        assert away.recovered == [None, True]
        assert {value for watcher in watchers for value in watcher.recovered} == {None}
        assert await stage.books(WORKOUTS) == []


@pytest.mark.timeout(180)
async def test_clients_of_another_maker_hear_the_same(database: Database, redis_url: str, tmp_path: Path) -> None:
    """The same with 200 clients written with Node's `ws`.

    Has failed against: a gateway that wrote text frames of 126 bytes and more with a wrong length.
    """
    module = ws_module()
    async with scene(database, redis_url, tmp_path, PEOPLE) as stage:
        program = Path(__file__).with_name("crowd.mjs")
        crowd = await asyncio.create_subprocess_exec(
            *("node", str(program), str(module), stage.fleet.ws_url, str(WATCHERS), str(WORKOUTS)),
            stdout=asyncio.subprocess.PIPE,
            limit=64 * 1024 * 1024,
        )
        try:
            assert crowd.stdout is not None
            opened = json.loads(await asyncio.wait_for(crowd.stdout.readline(), HEARD_S))
            assert opened == {"open": WATCHERS}
            await stage.log_workouts(WORKOUTS)
            records = json.loads(await asyncio.wait_for(crowd.stdout.readline(), HEARD_S))["records"]
            await crowd.wait()
        finally:
            if crowd.returncode is None:
                crowd.kill()
        assert [record["wrong"] for record in records] == [[]] * WATCHERS
        assert {tuple(record["ids"]) for record in records} == {tuple(records[0]["ids"])}
        assert len(set(records[0]["ids"])) == WORKOUTS
        assert await stage.books(WORKOUTS) == []
