"""Load testers on ports that are not the default ones: people come, hear events, promises are judged, and what fails is
said; the client that they are built on loses nothing; and the scenario in the docs runs as it stands there."""

import asyncio
import re
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from loadtest.client import LiveClient, Observer
from tests.support.people import Person, exercise_ids
from tests.support.processes import Fleet
from tests.support.stores import ROOT, Database, environment

RUN_S = 6
LIMIT_S = 120.0
HEARD_S = 40.0
LOCUST = "loadtest/locustfile.py"
PROMISES = """
[[promise]]
what = "a channel is joined"
of = "subscribe"
measure = "p99_ms"
at_most = 60000
[[promise]]
what = "nobody is so fast"
measure = "max_ms"
at_most = 0
"""


async def locust(host: str, *words: str, file: str = LOCUST, run_s: int = RUN_S) -> tuple[int, str]:
    """A short run against a host; its exit code and what it printed. A busy machine is no reason to call it void."""
    command = [str(Path(sys.executable).with_name("locust")), "--locustfile", file, "--headless", "--only-summary"]
    people = ["--users", "8", "--spawn-rate", "8", "--run-time", f"{run_s}s", "--host", host, "--lag-ms", "60000"]
    process = await asyncio.create_subprocess_exec(
        *command, *people, *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(process.communicate(), LIMIT_S)
    assert process.returncode is not None
    return process.returncode, said.decode()


@asynccontextmanager
async def workouts(address: str) -> AsyncIterator[None]:
    """Somebody gives the others something to hear."""

    async def log() -> None:
        async with httpx2.AsyncClient() as client:
            person = await Person(address, client).sign_up()
            exercise = (await exercise_ids(address, client))[0]
            while True:
                await person.log_workout(exercise)
                await asyncio.sleep(0.2)

    logging = asyncio.create_task(log())
    try:
        yield
    finally:
        logging.cancel()


class Met(Observer):
    """What one client met."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.wrong: list[str] = []

    def counted(self, what: str, amount: int = 1) -> None:
        """Adds up."""
        self.counts[what] = self.counts.get(what, 0) + amount

    def misled(self, what: str) -> None:
        """Must not be."""
        self.wrong.append(what)


class Listener:
    """A client of the community; `page` is its app's way to a position."""

    def __init__(self, url: str, page: Callable[[Any], dict[str, Any]]) -> None:
        self.met = Met()
        self.offsets: list[int] = []
        self.states: list[Any] = []
        self.changed = threading.Condition()
        self.live = LiveClient(url, observer=self.met)
        self.live.on("map", lambda _map: self.note(self.met.counted, "maps"))
        self.live.on("online", lambda _online: self.note(self.met.counted, "online"))
        self.live.set_viewport({"west": -180, "south": -60, "east": 180, "north": 75, "zoom": 2})

        def state(lost: Any) -> dict[str, Any]:
            self.note(self.states.append, lost)
            return page(lost)

        self.channel = self.live.subscribe(
            "community", event=lambda _event, offset: self.note(self.offsets.append, offset), state=state
        )

    def note(self, what: Callable[[Any], object], value: Any) -> None:
        with self.changed:
            what(value)
            self.changed.notify_all()

    def until(self, so: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(so, HEARD_S), (self.met.counts, self.met.wrong, self.offsets[-5:], self.states)


def listen(url: str, place: dict[str, Any]) -> Listener:
    """Hears some, is cut, catches up; then its place is from another installation, and its app loads its state anew."""
    one = Listener(url, lambda _lost: dict(place))
    with one.live.running():
        one.until(lambda: len(one.offsets) >= 3 and one.met.counts.get("maps", 0) > 0)
        one.live.cut()
        before = len(one.offsets)
        one.until(lambda: len(one.offsets) >= before + 3)
        one.channel.follower.epoch = "of another installation"
        one.live.cut()
        one.until(lambda: len(one.states) > 1)
        before = len(one.offsets)
        one.until(lambda: len(one.offsets) >= before + 3)
    return one


async def newest(address: str) -> dict[str, Any]:
    """The position of the newest page."""
    async with httpx2.AsyncClient() as client:
        body = {"query": "{ communityFeed(first: 1) { position { epoch offset } } }"}
        position: dict[str, Any] = (await client.post(f"{address}/api/graphql", json=body)).json()["data"][
            "communityFeed"
        ]
    return dict(position["position"])


@pytest.mark.alone
async def test_people_load_a_product_on_any_ports(database: Database, redis_url: str, tmp_path: Path) -> None:
    """Failed before: every user crashed on the default port, and the run reported 0 failures and exit code 0."""
    urls = environment(**database.urls, REDIS_URL=redis_url)
    scenario = tmp_path / "scenario.py"
    text = (ROOT / "api/web/docs/load.md").read_text("utf-8")
    scenario.write_text(re.findall(r"```python\n(from locust.*?)```", text, re.DOTALL)[0], "utf-8")
    (tmp_path / "promises.toml").write_text(PROMISES, "utf-8")
    check = ["--check", str(tmp_path / "promises.toml"), "--html", str(tmp_path / "report.html")]
    async with Fleet(urls, tmp_path) as fleet:
        address = fleet.api.http("").rstrip("/")
        async with workouts(address):
            place = await newest(address)
            heard, *ran = await asyncio.gather(
                asyncio.to_thread(listen, fleet.ws_url, place),
                locust(address, *check), locust(address, "--mix", "ramp", file=str(scenario)),
                locust("http://live.example"),
            )  # fmt: skip
        await fleet.rt.stop()
        down = await locust(address, run_s=2)

    cut = heard.offsets.index(place["offset"] + 1, 1)  # where its state is from again
    assert heard.offsets[:cut] == list(range(place["offset"] + 1, place["offset"] + 1 + cut))
    assert heard.offsets[cut:] == list(range(place["offset"] + 1, place["offset"] + 1 + len(heard.offsets) - cut))
    assert (heard.met.wrong, heard.states[0], heard.met.counts["closed 1006"]) == ([], None, 2)

    code, said = ran[0]
    assert code == 1, said
    assert "Traceback" not in said, said
    assert "events " in said.rpartition("Live connections: ")[2], said
    assert re.search(r"a channel is joined +p99_ms at most 60000 +[\d,.]+ +kept", said), said
    assert re.search(r"nobody is so fast .+ BROKEN", said), said
    report = (tmp_path / "report.html").read_text("utf-8")
    assert "<h2>Promises</h2>" in report
    assert "BROKEN" in report.rpartition("<h2>Live connections</h2>")[0]
    assert ran[1][0] == 0, ran[1][1]
    assert "my progress" in ran[1][1], ran[1][1]
    assert (ran[2][0], "--i-own live.example" in ran[2][1]) == (1, True), ran[2][1]
    assert down[0] == 1, down[1]
    assert "refused connects" in down[1], down[1]
