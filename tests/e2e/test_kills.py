"""kill -9 of any process under load, and counting: no acknowledged workout lost, no event lost, nothing twice."""

import asyncio
import random
from pathlib import Path

import pytest

from tests.e2e.scene import Scene, scene, watching
from tests.support.stores import Database
from tests.support.watcher import Watcher, faults

HEARD_S = 60.0


async def run_kills(
    database: Database, redis_url: str, folder: Path, *, kills: int, watchers: int, workouts: int, seed: int
) -> None:
    """Kills worker, gateway and API in turn, shuffled, at random moments while workouts are logged."""
    chance = random.Random(seed)
    print(f"seed {seed}")
    async with scene(database, redis_url, folder, 20) as stage:
        crowd = [Watcher(stage.fleet.ws_url) for _ in range(watchers)]
        async with watching(crowd):
            load = asyncio.create_task(stage.log_workouts(workouts, pause_s=0.05))
            await kill_in_turn(stage, chance, kills)
            await load
            await asyncio.gather(*(watcher.until(workouts, HEARD_S) for watcher in crowd))
        assert faults(crowd, workouts) == []
        assert {value for watcher in crowd for value in watcher.recovered} <= {None, True}
        assert await stage.books(workouts) == []
        tries = sum(person.tries for person in stage.people)
        print(f"{kills} kills, {workouts} workouts in {tries} tries, {watchers} watchers: lost 0, double 0")


async def kill_in_turn(stage: Scene, chance: random.Random, kills: int) -> None:
    """Each role equally often; a killed process is started again at once, as a supervisor would."""
    roles = ["worker", "rt", "api"] * -(-kills // 3)
    chance.shuffle(roles)
    for role in roles[:kills]:
        await asyncio.sleep(chance.uniform(0.05, 0.5))  # a random moment is the point here
        service = stage.fleet.services[role]
        service.kill()
        await service.start()


@pytest.mark.timeout(180)
async def test_kills_lose_and_double_nothing(database: Database, redis_url: str, tmp_path: Path) -> None:
    """Six kills of the twenty that `make chaos` does.

    Has failed against: a relay that advanced `published_through` before it published; an API that made a new key for
    each try.
    """
    await run_kills(database, redis_url, tmp_path, kills=6, watchers=50, workouts=200, seed=random.randrange(10**6))


@pytest.mark.chaos
@pytest.mark.timeout(600)
async def test_twenty_kills_under_the_whole_load(database: Database, redis_url: str, tmp_path: Path) -> None:
    """Twenty kills while 20 people log 500 workouts before 200 watchers."""
    await run_kills(database, redis_url, tmp_path, kills=20, watchers=200, workouts=500, seed=random.randrange(10**6))
