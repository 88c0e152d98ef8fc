"""The stores restart under load: Redis comes back empty, PostgreSQL is killed; clients see a pause and nothing else."""

import asyncio
from pathlib import Path

import pytest

from tests.e2e.scene import scene, watching
from tests.support.stores import Database, TestStores
from tests.support.watcher import Watcher, faults

WATCHERS = 30
PEOPLE = 10
WORKOUTS = 150
HEARD_S = 60.0


@pytest.mark.chaos
@pytest.mark.timeout(180)
async def test_restarted_stores_cost_nobody_an_event(own_stores: TestStores, tmp_path: Path) -> None:
    """Redis is killed and returns empty twice, PostgreSQL is killed once, while 10 people log 150 workouts.

    Same epoch before and after, and no watcher was told `recovered: false`.
    Has failed against: a relay that made a new epoch when Redis had none; an API that made a new key for
    each try.
    """
    database = Database(own_stores.postgres, "musclemap")
    async with scene(database, own_stores.redis_url, tmp_path, PEOPLE) as stage:
        crowd = [Watcher(stage.fleet.ws_url) for _ in range(WATCHERS)]
        async with watching(crowd):
            epochs = {watcher.epoch for watcher in crowd}
            load = asyncio.create_task(stage.log_workouts(WORKOUTS, pause_s=0.2))
            for store in (own_stores.valkey, own_stores.postgres, own_stores.valkey):
                await crowd[0].until(len(crowd[0].events) + 10, HEARD_S)
                store.kill()
                await asyncio.to_thread(store.start)
            await load
            await asyncio.gather(*(watcher.until(WORKOUTS, HEARD_S) for watcher in crowd))
        assert faults(crowd, WORKOUTS) == []
        assert {watcher.epoch for watcher in crowd} == epochs
        assert {value for watcher in crowd for value in watcher.recovered} <= {None, True}
        assert await stage.books(WORKOUTS) == []
