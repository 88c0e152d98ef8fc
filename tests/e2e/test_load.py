"""`make load` on ports that are not the default ones: people come, hear events, and what fails is said."""

import asyncio
import sys
from pathlib import Path

import httpx2

from tests.support.people import Person, exercise_ids
from tests.support.processes import Fleet
from tests.support.stores import ROOT, Database, environment

RUN_S = 6
LIMIT_S = 90.0
PROMISES = """
[[promise]]
what = "an event is soon on the screen"
of = "user: event"
measure = "p99_ms"
at_most = 60000
[[promise]]
what = "nobody is fast enough for this"
measure = "max_ms"
at_most = 0
"""


async def locust(host: str) -> tuple[int, str]:
    """A short run against a host; its exit code and what it printed."""
    command = [str(Path(sys.executable).with_name("locust")), "--locustfile", "loadtest/locustfile.py", "--headless"]
    words = ["--users", "8", "--spawn-rate", "8", "--run-time", f"{RUN_S}s", "--only-summary", "--host", host]
    process = await asyncio.create_subprocess_exec(
        *command, *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(process.communicate(), LIMIT_S)
    assert process.returncode is not None
    return process.returncode, said.decode()


async def log_workouts(address: str) -> None:
    """Somebody gives the others something to hear, until cancelled."""
    async with httpx2.AsyncClient() as client:
        person = await Person(address, client).sign_up()
        exercise = (await exercise_ids(address, client))[0]
        while True:
            await person.log_workout(exercise)
            await asyncio.sleep(0.2)


async def test_people_load_a_product_on_any_ports(database: Database, redis_url: str, tmp_path: Path) -> None:
    """Failed before: every user crashed on the default port, and the run reported 0 failures and exit code 0."""
    urls = environment(**database.urls, REDIS_URL=redis_url)
    async with Fleet(urls, tmp_path) as fleet:
        address = fleet.api.http("").rstrip("/")
        logging = asyncio.create_task(log_workouts(address))
        code, said = await locust(address)
        logging.cancel()
        assert code == 0, said
        assert "Traceback" not in said, said
        assert "events " in said.rpartition("Live connections: ")[2], said
        await fleet.rt.stop()
        code, said = await locust(address)
        assert code == 1, said
        assert "refused connects" in said, said
