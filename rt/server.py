"""One gateway process: wires everything, listens, ticks, answers /health /ready /metrics, drains, ends."""

import asyncio
import gc
import os
import random
import socket
import time
from typing import Final

import orjson
import structlog

from config.addresses import names_us
from config.awake import AwakeClock
from config.limits import (
    CLOSE_WAIT_S,
    DRAIN_BATCHES_PER_S,
    DRAIN_CLIENTS_PER_S_MIN,
    DRAIN_RETURN_MS,
    FLUSH_WRITES_PER_TURN,
    FULL_COLLECTION_CLIENTS_MAX,
    FULL_COLLECTION_EVERY_S,
    LOOP_LATE_S,
    LOOP_LOOK_S,
    REHEARSAL_S,
    REPORT_EVERY_S,
)
from config.process import Lifetime, set_within
from config.redis import AWAY, REFUSES_WRITES, RedisClient, connect
from config.settings import Settings
from rt.bus import Bus
from rt.client import Client
from rt.closes import Closing
from rt.facts import Facts
from rt.feed.store import FeedStore
from rt.gateway import Gateway
from rt.handshake import Page, Rules
from rt.hub import Hub
from rt.knowledge import Knowledge
from rt.loader import Loader
from rt.metrics import Board, Condition, Counters, exposition, resident_bytes
from rt.presence import metrics as presence_metrics
from rt.presence.local import LocalPresence
from rt.presence.map import MapView
from rt.presence.now import NowStore
from rt.presence.store import PresenceStore
from rt.wheel import TICK_S
from rt.wire import outbound
from rt.wire.bus import CONTROL_CHANNEL

log = structlog.get_logger()

_JSON: Final = "application/json"
_METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
_GAP_WINDOW_S: Final = 60.0
_NO_FULL_COLLECTION: Final = 1 << 30  # of itself: a collection of all generations would stop the loop


class Server:
    """See the module. `row` is this process's row on the board."""

    def __init__(self, settings: Settings, listener: socket.socket, board: Board, row: int) -> None:
        self._settings = settings
        self._listener = listener
        self._board = board
        self._row = row
        self._counters = Counters()
        self._gateway_id = f"{socket.gethostname()[:40]}-{os.getpid()}-{os.urandom(4).hex()}"
        self._redis: RedisClient = connect(settings.redis_url.get_secret_value())
        self._bus = Bus(settings.redis_url.get_secret_value(), self._redis, self._gateway_id, self._counters)
        awake = AwakeClock(TICK_S)
        hub = Hub(self._bus, self._counters, asyncio.get_running_loop(), awake, settings.feed_rates)
        self._loader = Loader(hub, FeedStore(self._redis), self._counters)
        partitions = settings.presence_partitions
        self._presence = LocalPresence(
            PresenceStore(self._redis, self._gateway_id, partitions), NowStore(self._redis, partitions)
        )
        self._map = MapView(self._redis, busy=hub.flusher.is_writing)
        facts = Facts(
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            open_namespaces=frozenset(settings.rt_open_namespaces),
            connections_per_user_max=settings.connections_per_user_max,
            settled_s=settings.map_settled_s,
        )
        facts.unix_offset = time.time() - asyncio.get_running_loop().time()
        rules = Rules(origins=settings.origins, pages=self._page)
        self._gateway = Gateway(settings, rules, facts, hub, self._presence, self._map, self._counters, awake)
        self._knowledge = Knowledge(settings, self._redis, self._gateway, self._loader)
        self._started = False
        self._gaps: list[tuple[float, float]] = []  # (when, seconds), longest first, of the last minute

    async def run(self, lifetime: Lifetime) -> None:
        """Serves until the process is asked to stop, then drains."""
        stopping = lifetime.stopping
        self._bus.subscribe(CONTROL_CHANNEL, self._knowledge.on_control)
        for channel in self._map.channels():
            self._bus.subscribe(channel, self._heard_map(channel), self._map.resync)
        ended = asyncio.Event()
        lifetime.spawn("bus", self._bus.run(ended))
        lifetime.spawn("knowledge", self._knowledge.run(ended))
        lifetime.spawn("map", self._map.run(ended))
        lifetime.spawn("tick", self._tick())
        lifetime.spawn("gaps", self._watch_gaps())
        presence = lifetime.spawn("presence", self._presence.run(ended))
        self._loader.start(lifetime)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Client(self._gateway), sock=self._listener, backlog=_BACKLOG)
        self._started = True
        self._report()
        log.info("listening", port=self._settings.rt_port, pid=os.getpid())
        await stopping.wait()
        await self._drain(server, lifetime)
        ended.set()
        await asyncio.wait([presence], timeout=2)
        await lifetime.cancel_tasks()
        await self._redis.aclose()

    async def rehearse(self) -> None:
        """Looks at Redis once and ends; for a supervisor that is about to fork. A Redis that is away is left alone."""
        try:
            async with asyncio.timeout(REHEARSAL_S):
                await self._knowledge.look()
        except AWAY:
            return
        finally:
            await self._redis.aclose()

    # --- time

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        report_at = collect_at = 0.0
        gc.set_threshold(*gc.get_threshold()[:2], _NO_FULL_COLLECTION)
        while True:
            await asyncio.sleep(TICK_S)
            now = loop.time()
            gateway = self._gateway
            gateway.facts.unix_offset = time.time() - now
            degraded = not self._bus.connected or self._presence.degraded
            await gateway.turn()
            if degraded != gateway.facts.degraded:
                gateway.facts.degraded = degraded
                log.warning("degraded" if degraded else "healed")
                await self._tell_everybody(outbound.STATUS[degraded])
            if now >= collect_at and len(gateway.clients) <= FULL_COLLECTION_CLIENTS_MAX:
                collect_at = now + FULL_COLLECTION_EVERY_S
                gc.collect()  # no object of ours is ever in a cycle; libraries may leave one where they fail
            if now >= report_at:
                report_at = now + REPORT_EVERY_S
                self._report()
                if degraded and self._presence.degraded:
                    self._map.tell_online(*self._presence.totals())

    async def _watch_gaps(self) -> None:
        """How late the loop is for an appointment: a turn of the loop that takes long makes it so."""
        loop = asyncio.get_running_loop()
        gap = 0.0
        while True:
            wait_s = LOOP_LOOK_S[gap < LOOP_LATE_S]
            due = loop.time() + wait_s
            await asyncio.sleep(wait_s)
            now = loop.time()
            gap = now - due
            self._gaps = [entry for entry in self._gaps if now - entry[0] < _GAP_WINDOW_S and entry[1] > gap]
            self._gaps.append((now, gap))

    async def _tell_everybody(self, frame: bytes) -> None:
        for number, client in enumerate(list(self._gateway.clients), 1):
            if client.session is not None and client.session.was_welcomed:
                client.send(frame)
            if number % FLUSH_WRITES_PER_TURN == 0:
                await asyncio.sleep(0)

    def _heard_map(self, channel: str) -> "_Heard":
        return _Heard(self._map, channel)

    # --- what it says about itself

    def _report(self) -> None:
        gateway, presence, counters = self._gateway, self._presence, self._counters
        counters.presence_written = presence.written
        counters.presence_touched = presence.touched
        counters.presence_missing = presence.missing
        counters.presence_false_offline = presence.false_offline
        counters.shed = gateway.lobby.shed
        figures = counters.figures()
        figures["rt_failures_total"] += presence.failures
        figures |= {
            "rt_connections": len(gateway.clients),
            "rt_identified": gateway.identified,
            "rt_users": len(gateway.facts.sockets_by_user),
            "rt_channels": len(gateway.hub.topics),
            "rt_joins_waiting": gateway.hub.under_way.total,
            "rt_door_waiting": len(gateway.door),
            "rt_slow": len(gateway.slow),
            "rt_degraded": int(gateway.facts.degraded),
            "rt_loop_gap_max_ms": int(max((gap for _, gap in self._gaps), default=0.0) * 1000),
            "redis_connected": int(self._bus.connected),
            "process_resident_memory_bytes": resident_bytes(),
            "redis_writes_refused": int(self._knowledge.fault in REFUSES_WRITES),
        }
        condition = Condition(
            starting=not self._started,
            draining=gateway.draining,
            redis_away=gateway.facts.degraded,
            deaf=self._bus.deaf,
            redis=self._knowledge.fault,
        )
        self._board.write(self._row, condition, figures, os.getpid())

    def _page(self, path: str, host: str) -> Page | None:
        match path:
            case "/health":
                return Page(200, b'{"status":"alive"}', _JSON)
            case "/ready":
                return self._ready()
            case "/metrics" if not names_us(host, self._settings.hosts):
                return Page(400, b"this host is not served here; ALLOWED_ORIGINS names those that are\n")
            case "/metrics":
                self._report()
                return Page(
                    200, exposition(self._board) + presence_metrics.exposition(self._presence.keeper_stats), _METRICS
                )
            case _:
                return None

    def _ready(self) -> Page:
        self._report()
        conditions = self._board.conditions()
        reasons = sorted({reason for condition in conditions if condition for reason in condition.reasons()})
        missing = sum(condition is None for condition in conditions)
        if missing:
            reasons.append("processes_missing")
        body = {"ready": not reasons, "role": "rt", "reasons": reasons, "processes": len(conditions) - missing}
        return Page(200 if not reasons else 503, orjson.dumps(body), _JSON)

    # --- the end

    async def _drain(self, server: asyncio.Server, lifetime: Lifetime) -> None:
        """Not ready -> nobody new, nobody left in the queue -> everybody is told when to return -> flushed."""
        gateway = self._gateway
        gateway.draining = True
        self._report()
        self._listener.listen(0)
        for _ in range(3):
            await asyncio.sleep(0.01)  # the loop accepts whatever still waits
        server.close()
        clients = list(gateway.clients)
        window_s = min(self._settings.rt_drain_s, len(clients) / DRAIN_CLIENTS_PER_S_MIN)
        batches = max(1, int(window_s * DRAIN_BATCHES_PER_S))
        random.shuffle(clients)
        log.info("draining", clients=len(clients), window_s=round(window_s, 1))
        for number in range(batches):
            for client in clients[number::batches]:
                if client.session is not None:
                    client.send(outbound.reconnect(random.randint(*DRAIN_RETURN_MS), "restart"))  # noqa: S311
                client.close(Closing.RESTART)
            if number < batches - 1 and not lifetime.hurry.is_set():
                await set_within(lifetime.hurry, window_s / batches)
        deadline = time.monotonic() + CLOSE_WAIT_S + 2 * TICK_S
        while gateway.clients and time.monotonic() < deadline:
            if await set_within(lifetime.hurry, 0.05):
                break
        for client in list(gateway.clients):
            client.linger_over()
        await asyncio.sleep(0)


class _Heard:
    """Hands a Pub/Sub channel's messages to the map with the channel's name."""

    __slots__ = ("_channel", "_map")

    def __init__(self, map_view: MapView, channel: str) -> None:
        self._map = map_view
        self._channel = channel

    def __call__(self, payload: bytes) -> None:
        self._map.on_message(self._channel, payload)


_BACKLOG: Final = 4096


async def serve(lifetime: Lifetime, settings: Settings, listener: socket.socket, board: Board, row: int) -> None:
    """The life of one gateway process."""
    await Server(settings, listener, board, row).run(lifetime)
