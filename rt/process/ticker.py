"""What a gateway process does every TICK_S: clocks, deadlines, whether Redis is here, garbage, its report."""

import asyncio
import gc
import time
from typing import Final

import structlog

from config.limits import FLUSH_WRITES_PER_TURN, FULL_COLLECTION_CLIENTS_MAX
from rt.channels.bus import Bus
from rt.clients.gateway import Gateway
from rt.process.report import Report
from rt.sockets.wheel import TICK_S

log = structlog.get_logger()

__all__ = ["Ticker"]

FULL_COLLECTION_EVERY_S: Final = 60  # of a gateway process with at most FULL_COLLECTION_CLIENTS_MAX sockets: some 5 ms
REPORT_EVERY_S: Final = 1  # a process's figures reach the board this often

_NO_FULL_COLLECTION: Final = 1 << 30  # of itself: a collection of all generations would stop the loop


class Ticker:
    """See the module."""

    def __init__(self, gateway: Gateway, bus: Bus, report: Report) -> None:
        self._gateway = gateway
        self._bus = bus
        self._report = report
        self._collect_at = 0.0
        self._report_at = 0.0

    async def run(self) -> None:
        """For as long as the process lives."""
        loop = asyncio.get_running_loop()
        gc.set_threshold(*gc.get_threshold()[:2], _NO_FULL_COLLECTION)
        while True:
            await asyncio.sleep(TICK_S)
            now = loop.time()
            self._gateway.facts.unix_offset = time.time() - now
            degraded = not self._bus.connected or self._gateway.presence.degraded
            await self._gateway.turn()
            if degraded != self._gateway.facts.degraded:
                self._gateway.facts.degraded = degraded
                log.warning("degraded" if degraded else "healed")
                await self._tell_everybody(degraded)
            self._collect(now)
            if now >= self._report_at:
                self._report_at = now + REPORT_EVERY_S
                self._report.write()
                if self._gateway.presence.degraded:
                    self._gateway.map.tell_online(*self._gateway.presence.totals())

    def _collect(self, now: float) -> None:
        if now >= self._collect_at and len(self._gateway.clients) <= FULL_COLLECTION_CLIENTS_MAX:
            self._collect_at = now + FULL_COLLECTION_EVERY_S
            gc.collect()  # no object of ours is ever in a cycle; libraries may leave one where they fail

    async def _tell_everybody(self, degraded: bool) -> None:
        for number, client in enumerate(list(self._gateway.clients), 1):
            if client.session is not None and client.session.was_welcomed:
                client.tell_degraded(degraded)
            if number % FLUSH_WRITES_PER_TURN == 0:
                await asyncio.sleep(0)
