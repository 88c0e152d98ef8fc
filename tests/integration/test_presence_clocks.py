"""Nobody is called offline because a clock is wrong by two minutes: gateways that are early and late, and Redis."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from config.embedded.account import home, unprivileged
from config.embedded.ports import HOST, free_port
from config.embedded.valkey import ValkeyServer
from config.limits import PRESENCE_OUTAGE_HOLD_S, PRESENCE_TTL_S
from config.redis import RedisClient, connect
from config.settings import Settings
from rt.presence.keeper import Keeper
from rt.presence.members import Member
from rt.presence.store import PresenceStore, partition_keys
from tests.support.clocks import WrongClock, wrong_by
from tests.support.gateway import MINT, Gateway, Talk, make_fleet, prepared, until
from tests.support.presence_view import Heard, hear
from tests.support.processes import Fleet
from tests.support.proxy import Proxy

WRONG_S = 120
PARTITIONS = Settings().presence_partitions
PEOPLE = 20  # on each gateway
ANNOUNCED = "rt:{musclemap:profile:*"
CELL = "871f1d489ffffff"
PASSWORD = secrets.token_hex(16)  # one for all: clients know no other when Redis is replaced

# redis-py drops the stream of a connection that was cut without closing it.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Server(ValkeyServer):
    """A Valkey whose clock can be set."""

    def __init__(self, place: Path, name: str, seconds: int) -> None:
        super().__init__(place / name, port=free_port(), password=PASSWORD, account=unprivileged())
        self.clock = WrongClock(place / f"{name}.clock", seconds)

    def start(self) -> None:
        with self.clock.of_stores():
            super().start()


@pytest.fixture
def servers(stores_folder: Path, tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    """The Redis that is there, and the one that takes its place."""
    place = home(stores_folder / f"clocks-{tmp_path.name}", unprivileged())
    pair = Server(place, "a", 0), Server(place, "b", 0)
    try:
        for server in pair:
            server.start()
        yield pair
    finally:
        for server in pair:
            server.stop()


async def offline(heard: Heard) -> list[str]:
    """Whom the bus called offline so far."""
    return [text.split()[1].decode() for _, text in await heard(0) if text.split()[2] == b"offline"]


async def wrong_s(redis: RedisClient) -> float:
    return float((await redis.time())[0]) - time.time()


@asynccontextmanager
async def two_gateways(url: str, folder: Path) -> AsyncIterator[list[Gateway]]:
    """Of their own supervisors and keepers, one two minutes ahead, one as much behind."""
    async with prepared(url) as feeds, AsyncExitStack() as stack:
        fleets: list[Fleet] = []
        for name, seconds in (("ahead", WRONG_S), ("behind", -WRONG_S)):
            fleet = make_fleet(url, folder / name, wrong_by(seconds))
            stack.callback(fleet.clean_up)
            fleet.rt.launch()
            fleets.append(fleet)
        for fleet in fleets:
            await fleet.rt.wait_ready()
        yield [Gateway(fleet, feeds, MINT) for fleet in fleets]


async def people(gates: list[Gateway], stack: AsyncExitStack) -> list[Talk]:
    """PEOPLE on each gateway, training at a place."""
    talks: list[Talk] = []
    for gate in gates:
        for _ in range(PEOPLE):
            talk = await stack.enter_async_context(gate.socket())
            answer = await talk.ask("connect", token=gate.mint.access(f"user-{len(talks)}"))
            assert answer["type"] == "welcome", answer
            talks.append(talk)
    await beat(talks)
    return talks


async def beat(talks: list[Talk]) -> None:
    """A heartbeat of everybody."""
    for talk in talks:
        assert (await talk.ask("heartbeat", lat=48.1, lng=11.5, status="training"))["type"] == "ack"


async def all_live(redis: Any, talks: list[Talk], heard: Heard, seconds: float, every_s: float = 1.0) -> None:
    """Heartbeats for so long: everybody is counted at its end, and nobody was announced."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await beat(talks)
        await asyncio.sleep(min(every_s, max(0.0, end - time.monotonic())))

    async def counted() -> bool:
        counts = [await redis.hget(partition_keys(number)[5], "training") for number in range(PARTITIONS)]
        return sum(int(count or 0) for count in counts) == len(talks)

    await until(counted, 15)
    assert await offline(heard) == []


async def replaced(
    servers: tuple[Server, Server], tmp_path: Path, seconds: int, *, before_s: float, after_s: float, every_s: float
) -> None:
    """People on gateways with wrong clocks; then a replica whose clock is wrong by `seconds` becomes their Redis."""
    first, second = servers
    second.clock.move(seconds)
    proxy = Proxy(HOST, first.port)
    async with proxy.running(), AsyncExitStack() as stack:
        one: Any = await stack.enter_async_context(connect(first.url))
        two: Any = await stack.enter_async_context(connect(second.url))
        gates = await stack.enter_async_context(two_gateways(proxy.url(first.url), tmp_path))
        heard = await stack.enter_async_context(hear(one, ANNOUNCED, pattern=True))
        talks = await people(gates, stack)
        await all_live(one, talks, heard, before_s)

        await one.config_set("repl-diskless-sync-delay", "0")
        await two.config_set("masterauth", PASSWORD)
        await two.execute_command("REPLICAOF", HOST, str(first.port))

        async def synced() -> bool:
            return bool((await two.info("replication")).get("master_link_status") == "up")

        await until(synced, 20)
        await two.execute_command("REPLICAOF", "NO", "ONE")
        assert abs(await wrong_s(two) - seconds) < 5
        heard = await stack.enter_async_context(hear(two, ANNOUNCED, pattern=True))
        proxy.move(HOST, second.port)
        await proxy.cut()
        await all_live(two, talks, heard, after_s, every_s)


async def test_gateways_and_a_new_redis_with_wrong_clocks(servers: tuple[Server, Server], tmp_path: Path) -> None:
    """Gateways two minutes ahead and behind; then Redis is replaced by one that is two minutes ahead, where every
    score and every gateway's last word seems long past. Seen failing with a guard that looks once a second only."""
    await replaced(servers, tmp_path, WRONG_S, before_s=1.0, after_s=3.0, every_s=1.0)


@pytest.mark.chaos
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seconds", [WRONG_S, -WRONG_S])
async def test_a_new_redis_with_a_wrong_clock_until_its_scores_are_believed(
    servers: tuple[Server, Server], tmp_path: Path, seconds: int
) -> None:
    """The same in both directions for as long as the keeper holds back, and then some."""
    await replaced(servers, tmp_path, seconds, before_s=10, after_s=PRESENCE_TTL_S + PRESENCE_OUTAGE_HOLD_S, every_s=25)
    print(f"{2 * PEOPLE} people, gateways {WRONG_S} s ahead and behind, a new Redis {seconds:+d} s: 0 called offline")


class Clock:
    """The keeper's own, moved by hand."""

    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


async def test_redis_clock_is_set_between_two_looks_of_the_keeper(servers: tuple[Server, Server]) -> None:
    """Nobody is taken by a time that the keeper does not expect, and the guard then holds. Seen failing without the
    expected time in late.lua, and without it in reap.lua where late.lua was not asked."""
    server, clock = servers[0], Clock()
    async with connect(server.url) as redis:
        gateway = PresenceStore(redis, "gw", PARTITIONS)
        keeper = Keeper(redis, Settings(), monotonic=clock)
        await keeper.turn()
        await gateway.renew_lease()
        await gateway.apply([Member("c1", "user-1", CELL, 1, "online", "everyone", True, PRESENCE_TTL_S)])
        server.clock.move(PRESENCE_TTL_S + 10)

        async def moved() -> bool:
            return await wrong_s(redis) > PRESENCE_TTL_S

        await until(moved)
        keeper._lead_at_s = 1e9  # until it doubts
        for seconds in (1.5, 1.5, PRESENCE_OUTAGE_HOLD_S - 2):
            clock.now_s += seconds
            await keeper.turn()
            assert (keeper.stats["reaped"], keeper.stats["swept"]) == (0, 0)
        assert keeper._reap_from_s > clock.now_s
