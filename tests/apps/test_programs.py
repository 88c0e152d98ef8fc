"""Three programs on this server, each a backend of its own and the clients of its users."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.apps.diary import Diary
from tests.apps.poll import Poll
from tests.apps.wishes import Wishes
from tests.support.app_server import AppServer, hears, serving
from tests.support.gateway import Talk, until

pytestmark = pytest.mark.timeout(120)

VOTERS = 30


async def test_votes_of_a_poll_are_seen_by_whoever_looks(server: AppServer) -> None:
    """By those who watch, and by whoever comes in the middle. Each client ends with the totals that the backend has."""
    backend = await server.make("poll", "--open")
    async with serving(Poll(backend, "lunch", ("soup", "salad")).app) as http:
        channel = (await http.get("/poll")).json()["channel"]

        async def vote(number: int) -> None:
            said = {"voter": f"v{number}", "choice": "soup" if number % 3 else "salad"}
            assert (await http.post("/votes", json=said)).status_code == 201

        async with server.client() as early, server.client() as late:
            joined = await server.joins(early, channel)
            await asyncio.gather(*map(vote, range(VOTERS // 2)))
            since = {"epoch": joined["epoch"], "offset": 0}
            caught_up = await server.joins(late, channel, since=since)
            assert caught_up["recovered"]
            await asyncio.gather(*map(vote, range(VOTERS // 2, VOTERS)))
            seen = await hears(early, VOTERS)
            rest = await hears(late, VOTERS - len(caught_up["events"]))
        final = (await http.get("/poll")).json()["totals"]
        assert final == {"soup": 20, "salad": 10}
        for told in (seen, [*caught_up["events"], *rest]):
            assert [one["offset"] for one in told] == list(range(1, VOTERS + 1))
            assert len({one["event"]["id"] for one in told}) == VOTERS
            assert final in [one["event"]["data"]["totals"] for one in told]
        assert (await http.post("/votes", json={"voter": "v", "choice": "steak"})).status_code == 400


async def test_meals_of_a_diary_reach_each_device_of_a_person(server: AppServer, tmp_path: Path) -> None:
    """One that was away is told what it missed; a meal that is sent twice counts once; nobody else reads the diary."""
    backend = await server.make("diary")
    await server.command("set", "diary", "--jwks", backend.jwks(tmp_path))
    async with serving(Diary(backend).app) as http:
        ann, bob = [(await http.post("/sign-in", json={"person": who})).json() for who in ("ann", "bob")]

        async def log(number: int, kcal: int) -> Any:
            meal = {"person": "ann", "date": "2026-11-28", "id": str(number), "name": f"meal {number}", "kcal": kcal}
            return (await http.post("/meals", json=meal | {"protein_g": 10})).json()

        reads = {"channel": ann["channel"], "token": ann["channelToken"]}
        async with server.client(bob["token"]) as other:
            for token in (bob["channelToken"], ann["channelToken"], ann["token"]):
                assert (await other.subscribe(ann["channel"], token=token))["code"] == "FORBIDDEN"
        async with server.client(ann["token"]) as phone:
            place = await server.joins(phone, **reads)
            assert (await log(1, 400))["existing"] is False
            (told,) = await hears(phone, 1)
            assert told["event"]["data"] == {
                "date": "2026-11-28", "meal": "meal 1", "totals": {"kcal": 400, "protein_g": 10},
            }  # fmt: skip
        since = {"epoch": place["epoch"], "offset": told["offset"]}
        await log(2, 300)
        assert (await log(2, 300))["existing"] is True
        async with server.client(ann["token"]) as phone:
            back = await server.joins(phone, since=since, **reads)
            assert back["recovered"]
            events = back["events"] or await hears(phone, 1)
            assert [one["event"]["data"]["totals"]["kcal"] for one in events] == [700]
            await log(3, 100)
            (told,) = await hears(phone, 1)
        assert told["event"]["data"]["totals"] == (await http.get("/days/ann/2026-11-28")).json()
        assert told["event"]["data"]["totals"] == {"kcal": 800, "protein_g": 30}


async def test_a_wish_is_taken_once_and_all_see_it(server: AppServer, tmp_path: Path) -> None:
    """And who looks at the list."""
    backend = await server.make("wishes", "--users", "--presence")
    await server.command("set", "wishes", "--jwks", backend.jwks(tmp_path))
    async with serving(Wishes(backend, "birthday", ("book", "ball", "bike")).app) as http:
        channel = (await http.get("/list")).json()["channel"]
        tokens = {who: (await http.post("/sign-in", json={"person": who})).json()["token"] for who in ("ann", "bob")}
        async with server.client(tokens["ann"]) as ann:
            await server.joins(ann, channel)
            async with server.client(tokens["bob"]) as bob:
                await server.joins(bob, channel)
                while (await ann.hear("presence"))["user"] != "wishes:bob":
                    pass

                async def both() -> bool:
                    return bool((await http.get("/looking")).json()["count"] == 2)

                await until(both)
                wanted = [("book", "ann"), ("book", "bob"), ("ball", "bob"), ("bike", "ann"), ("bike", "bob")]
                answers = await asyncio.gather(*(taken(http, wish, who) for wish, who in wanted))
                assert sorted(answers) == [201, 201, 201, 409, 409]
                final = (await http.get("/list")).json()["wishes"]
                for talk in (ann, bob):
                    assert await seen_by(talk) == final
                await bob.say("leave")
            while (gone := await ann.hear("presence"))["state"] != "offline":
                pass
            assert gone["user"] == "wishes:bob"


async def taken(http: httpx2.AsyncClient, wish: str, who: str) -> int:
    """The status of trying to take a wish."""
    return (await http.post("/taken", json={"wish": wish, "person": who})).status_code


async def seen_by(talk: Talk) -> dict[str, str]:
    """The list as a client sees it."""
    return {one["event"]["data"]["wish"]: one["event"]["data"]["by"] for one in await hears(talk, 3)}
