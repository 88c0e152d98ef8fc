"""One gateway process: what it is made of, and its life from the first task to the last."""

import asyncio
import os
import socket
import time
from functools import partial
from typing import Final

import structlog

from config.awake import AwakeClock
from config.crashes import crashes
from config.process import Lifetime
from config.redis import AWAY, RedisClient, connect
from config.settings import Settings
from config.tracing import traces
from rt.channels.bus import Bus
from rt.channels.hub import Hub
from rt.channels.loader import Loader
from rt.clients.client import Client
from rt.clients.events import EventStream
from rt.clients.facts import Facts
from rt.clients.facts_refresh import FactsRefresh
from rt.clients.gateway import Gateway
from rt.clients.graphql_client import GraphqlClient
from rt.feed.store import FeedStore
from rt.graphql.projection import Projections
from rt.graphql.subscriptions import subscriptions
from rt.map.tiles import MapView
from rt.metrics import Board, Counters
from rt.presence.local import LocalPresence
from rt.presence.rooms import Rooms
from rt.presence.store import PresenceStore
from rt.presence.training import TrainingStore
from rt.process.drain import drain
from rt.process.inquiries import Inquiries
from rt.process.lateness import Lateness
from rt.process.pages import Pages
from rt.process.report import Report
from rt.process.ticker import Ticker
from rt.sockets.handshake import STREAM_PATH, Rules
from rt.sockets.wheel import TICK_S
from rt.wire.bus import CONTROL_CHANNEL
from rt.wire.graphql import GRAPHQL_SUBPROTOCOL, GRAPHQL_WS_PATH
from rt.wire.inquiry import INQUIRY_CHANNEL

log = structlog.get_logger()

WARM_UP_S: Final = 1  # how long a supervisor tries to reach Redis before it forks

_BACKLOG: Final = 4096
_PRESENCE_LEAVES_S: Final = 2.0


class Server:
    """See the module. `row` is this process's row on the board."""

    def __init__(self, settings: Settings, listener: socket.socket, board: Board, row: int) -> None:
        self._settings = settings
        self._listener = listener
        url, partitions, counters = settings.redis_url.get_secret_value(), settings.presence_partitions, Counters()
        gateway_id = f"{socket.gethostname()[:40]}-{os.getpid()}-{os.urandom(4).hex()}"
        self._redis: RedisClient = connect(url)
        self._bus = Bus(url, self._redis, gateway_id, counters)
        awake = AwakeClock(TICK_S)
        hub = Hub(self._bus, counters, asyncio.get_running_loop(), awake, settings.feed_rates)
        self._loader = Loader(hub, FeedStore(self._redis), counters)
        self._presence = LocalPresence(
            PresenceStore(self._redis, gateway_id, partitions), TrainingStore(self._redis, partitions)
        )
        self._map = MapView(self._redis, busy=hub.flusher.is_writing)
        pages = Pages(board, settings.hosts, self._write_report, lambda: self._presence.keeper_stats)
        rules = Rules(
            origins=settings.origins,
            pages=pages.page,
            streams=True,
            others={GRAPHQL_WS_PATH: (GRAPHQL_SUBPROTOCOL,)},
        )
        self._rooms = Rooms(self._redis)
        self._gateway = Gateway(
            settings, rules, _facts(settings), hub, self._presence, self._map, counters, awake, self._rooms
        )
        self._gateway.speakers[GRAPHQL_WS_PATH] = partial(GraphqlClient, subscriptions(), Projections())
        self._gateway.speakers[STREAM_PATH] = EventStream
        self._refresh = FactsRefresh(settings, self._redis, self._gateway, self._loader)
        self._lateness = Lateness()
        self._report = Report(self._gateway, self._bus, self._refresh, self._lateness, board, row)
        self._inquiries = Inquiries(self._gateway, self._redis, gateway_id, self._report.look)

    async def run(self, lifetime: Lifetime) -> None:
        """Serves until the process is asked to stop, then drains."""
        ended = asyncio.Event()
        presence = self._start(lifetime, ended)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(partial(Client, self._gateway), sock=self._listener, backlog=_BACKLOG)
        self._report.started = True
        self._report.write()
        log.info("listening", port=self._settings.rt_port, pid=os.getpid())
        await lifetime.stopping.wait()
        self._gateway.draining = True
        self._report.write()
        await drain(self._gateway, server, self._listener, lifetime, self._settings.rt_drain_s)
        ended.set()
        await asyncio.wait(presence, timeout=_PRESENCE_LEAVES_S)
        await lifetime.cancel_tasks()
        await self._redis.aclose()

    async def warm_up(self) -> None:
        """Looks at Redis once and ends; for a supervisor that is about to fork. A Redis that is away is left alone."""
        try:
            async with asyncio.timeout(WARM_UP_S):
                await self._refresh.read_once()
        except AWAY:
            return
        finally:
            await self._redis.aclose()

    def _start(self, lifetime: Lifetime, ended: asyncio.Event) -> list[asyncio.Task[None]]:
        """Everything that runs beside the sockets; returns the tasks that write presence, which end last."""
        self._bus.subscribe(CONTROL_CHANNEL, self._refresh.on_control)
        self._bus.subscribe(INQUIRY_CHANNEL, self._inquiries.on_message)
        for channel in self._map.channels():
            self._bus.subscribe(channel, partial(self._map.on_message, channel), self._map.resync)
        lifetime.spawn("bus", self._bus.run(ended))
        lifetime.spawn("facts", self._refresh.run(ended))
        lifetime.spawn("map", self._map.run(ended))
        lifetime.spawn("tick", Ticker(self._gateway, self._bus, self._report).run())
        lifetime.spawn("gaps", self._lateness.watch())
        lifetime.spawn("inquiries", self._inquiries.run())
        self._loader.start(lifetime)
        rooms = lifetime.spawn("rooms", self._rooms.run(ended))
        return [lifetime.spawn("presence", self._presence.run(ended)), rooms]

    def _write_report(self) -> None:
        self._report.write()


def _facts(settings: Settings) -> Facts:
    facts = Facts(
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        open_namespaces=frozenset(settings.rt_open_namespaces),
        connections_per_user_max=settings.connections_per_user_max,
        settled_s=settings.map_settled_s,
        origins=settings.origins,
    )
    facts.unix_offset = time.time() - asyncio.get_running_loop().time()
    return facts


async def serve(lifetime: Lifetime, settings: Settings, listener: socket.socket, board: Board, row: int) -> None:
    """The life of one gateway process."""
    crashes.start("rt", settings)
    traces.start("rt", settings)
    await Server(settings, listener, board, row).run(lifetime)
