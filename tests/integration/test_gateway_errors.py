"""The gateway's tasks and the keeper under every error of Redis in turn: none ends, and all go on, each time."""

import asyncio
import gc
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from pydantic import SecretStr
from websockets.asyncio.client import connect

import config.redis
import rt.channels.bus
import rt.channels.loader
import rt.clients.facts_refresh
import rt.presence.keeper
import rt.presence.local
from config.embedded.ports import HOST
from config.process import Lifetime
from config.redis import connect as connect_redis
from config.settings import Settings
from rt.metrics import Board
from rt.operators.ask import ask
from rt.presence.keeper import keep
from rt.presence.rooms import present
from rt.process.server import Server
from rt.process.supervisor import listener
from rt.wire.bus import EXERCISES_KEY, REFILL_LIST
from rt.wire.channels import app_channel, tag
from rt.wire.inquiry import Inquiry, encode
from tests.support.erring_redis import ERRORS, SOME_ERRORS, ErringRedis
from tests.support.extent import some_or_all
from tests.support.gateway import EPOCH, MINT, Feeds, Talk, prepared, until

pytestmark = [
    pytest.mark.timeout(300),
    # redis-py drops the stream of a connection that it leaves without closing it.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

# What each task does when it is well is in `Running.well`; those without a store run beside it.
TASKS: Final = {
    "bus": "an event that is published is heard",
    "facts": "a word that is new in Redis is known",
    "loader_*": "what was missed is told",
    "loader_refill": "what Redis lacks is asked of the relay",
    "loader_deadlines": "whoever waits in vain is told so",
    "map": "a viewport is answered",
    "presence": "nothing is degraded: the lease was renewed and members written",
    "rooms": "who comes into a channel of an app is written",
    "tick": "asks no store; the report is fresh",
    "gaps": "asks no store",
    "inquiries": "an operator is answered",
    "keeper": "leads, and works",
}


class Running:
    """A gateway and a keeper in this process, each before a Redis that errs."""

    def __init__(self, server: Server, board: Board, lifetime: Lifetime, port: int, feeds: Feeds) -> None:
        self.server = server
        self.lifetime = lifetime
        self.board = board
        self._url = f"ws://{HOST}:{port}/ws"
        self._feeds = feeds

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Talk]:
        async with connect(self._url, proxy=None) as socket:
            talk = Talk(socket)
            assert (await talk.ask("connect", token=MINT.access(f"u-{secrets.token_hex(4)}")))["type"] == "welcome"
            yield talk

    def reasons(self) -> dict[str, str]:
        assert self.lifetime.exit_code == 0, "a task died"
        condition = self.board.conditions()[0]
        return {"process": "not told"} if condition is None else condition.reasons()

    async def suffers(self) -> None:
        """Everything is asked that needs Redis, until all of it has heard the error."""
        async with self.client() as talk:
            await talk.say("subscribe", id="a", channel=_new().wire, since={"epoch": EPOCH, "offset": 0})
            await talk.say("viewport", west=0, south=0, east=9, north=9, zoom=3)
            await talk.say("heartbeat", cell="871f1d48bffffff", status="training")
            server = self.server
            server._inquiries.on_message(encode(Inquiry("a1")))
            await until(lambda: server._presence.degraded and server._refresh.away and "redis" in self.reasons())

    async def well(self) -> None:
        """All that TASKS says."""
        await until(lambda: self.reasons() == {}, 30)
        word = secrets.token_hex(4)
        await self._feeds.redis.sadd(EXERCISES_KEY, word)
        await until(lambda: word in self.server._gateway.facts.exercises)
        channel, lacking = _new(), _new()
        await self._feeds.make(channel)
        await self._feeds.publish(channel, 2)
        async with self.client() as talk:
            told = await talk.ask("subscribe", channel=channel.wire, since={"epoch": EPOCH, "offset": 0})
            assert (told["recovered"], len(told["events"])) == (True, 2)
            await self._feeds.publish(channel)
            assert (await talk.hear("event"))["offset"] == 3
            await talk.say("viewport", west=0, south=0, east=9, north=9, zoom=3)
            await talk.hear("map")
            await talk.say("subscribe", id="l", channel=lacking.wire)

            async def asked() -> bool:
                names: Any = await self._feeds.redis.rpop(REFILL_LIST, 100)
                return tag(lacking).encode() in (names or ())

            await until(asked)
        self.server._rooms.enter(lacking, word, "open:ann")

        async def answered() -> bool:
            return bool((await ask(self._feeds.redis, Inquiry(secrets.token_hex(4)))).answers)

        await until(answered)

        async def there() -> bool:
            return (await present(self._feeds.redis, lacking)).users == ["open:ann"]

        await until(there)


def _new() -> Any:
    return app_channel("open", secrets.token_hex(6))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers of some milliseconds, so that each error is met soon."""
    monkeypatch.setattr(rt.channels.bus, "CANARY_EVERY_S", 0.1)
    monkeypatch.setattr(rt.channels.bus, "CANARY_WAIT_S", 0.5)
    monkeypatch.setattr(rt.channels.bus, "BUS_RECONNECT_S", (0.05, 0.1))
    monkeypatch.setattr(rt.clients.facts_refresh, "FACTS_EVERY_S", (0.05, 0.1))
    monkeypatch.setattr(rt.presence.local, "GATEWAY_LEASE_RENEW_S", 0.1)
    monkeypatch.setattr(rt.presence.keeper, "RENEW_S", 0.1)
    monkeypatch.setattr(config.redis, "COMMAND_TIMEOUT_S", 0.5)


@asynccontextmanager
async def running(store: ErringRedis, redis_url: str) -> AsyncIterator[Running]:
    """Until the end of the block; then it drains as a process does."""
    settings = Settings(
        redis_url=SecretStr(store.url), rt_open_namespaces=("open",), map_k=(1, 1, 1), map_settled_s=0, rt_drain_s=0
    )
    lifetime = Lifetime("test")
    thresholds = gc.get_threshold()
    made = listener(HOST, 0)
    client = connect_redis(store.url)
    try:
        async with prepared(redis_url) as feeds:
            board = Board(1)
            server = Server(settings, made, board, 0)
            port = made.getsockname()[1]
            lifetime.spawn("keeper", keep(client, settings, lifetime.stopping))
            serving = asyncio.ensure_future(server.run(lifetime))
            yield Running(server, board, lifetime, port, feeds)
            lifetime.stop()
            await serving
            assert lifetime.exit_code == 0
    finally:
        await lifetime.cancel_tasks()
        await client.aclose()
        made.close()
        gc.set_threshold(*thresholds)


@some_or_all("words", SOME_ERRORS, tuple(ERRORS))
async def test_errors_of_redis(words: Sequence[str], redis_url: str) -> None:
    """Seen failing with a map that survives a timeout alone."""
    async with ErringRedis(redis_url).running() as store, running(store, redis_url) as gateway:
        await gateway.well()
        for word in words:
            store.error = ERRORS[word]
            await gateway.suffers()
            store.error = None
            await gateway.well()


async def test_a_channel_whose_subscription_was_refused_is_heard_in_the_end(redis_url: str) -> None:
    """Redis is busy with a script at just that moment. Failed before: nobody looked at the refusal, and the channel was
    deaf until the process lost its connection for another reason."""
    async with ErringRedis(redis_url).running() as store, running(store, redis_url) as gateway:
        await gateway.well()
        channel = _new()
        await gateway._feeds.make(channel)
        store.only, store.error = frozenset({b"SUBSCRIBE"}), ERRORS["BUSY"]
        async with gateway.client() as talk:
            await talk.say("subscribe", id="q", channel=channel.wire)
            await until(lambda: store.met > 0)
            store.error = None
            async with asyncio.timeout(30):
                while (told := await talk.hear("subscribed", "error"))["type"] == "error":
                    await talk.say("subscribe", id="q", channel=channel.wire)
            assert told["offset"] == 0
            await gateway._feeds.publish(channel)
            assert (await talk.hear("event"))["offset"] == 1
