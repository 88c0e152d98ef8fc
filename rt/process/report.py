"""What one gateway process says about itself, on the board that all of them share."""

import os

from config.redis import REFUSES_WRITES
from rt.channels.bus import Bus
from rt.clients.facts_refresh import FactsRefresh
from rt.clients.gateway import Gateway
from rt.metrics import Board, Condition, resident_bytes
from rt.process.lateness import Lateness

__all__ = ["Report"]


class Report:
    """See the module. `row` is this process's on the board."""

    def __init__(
        self, gateway: Gateway, bus: Bus, refresh: FactsRefresh, lateness: Lateness, board: Board, row: int
    ) -> None:
        self.started = False
        self._gateway = gateway
        self._bus = bus
        self._refresh = refresh
        self._lateness = lateness
        self._board = board
        self._row = row

    def write(self) -> None:
        """The figures and the condition of this moment."""
        condition, figures = self.look()
        self._board.write(self._row, condition, figures, os.getpid())

    def look(self) -> tuple[Condition, dict[str, int]]:
        """The condition and the figures of this moment."""
        gateway = self._gateway
        condition = Condition(
            starting=not self.started,
            draining=gateway.draining,
            redis_away=gateway.facts.degraded,
            deaf=self._bus.deaf,
            redis=self._refresh.fault,
        )
        return condition, self._figures()

    def _figures(self) -> dict[str, int]:
        gateway = self._gateway
        counters, presence = gateway.counters, gateway.presence
        counters.presence_written = presence.written
        counters.presence_touched = presence.touched
        counters.presence_missing = presence.missing
        counters.presence_false_offline = presence.false_offline
        counters.shed = gateway.lobby.shed
        figures = counters.figures()
        figures["rt_failures_total"] += presence.failures
        return figures | {
            "rt_connections": len(gateway.clients),
            "rt_identified": gateway.identified,
            "rt_users": len(gateway.facts.sockets_by_user),
            "rt_channels": len(gateway.hub.topics),
            "rt_joins_waiting": gateway.hub.under_way.total,
            "rt_admission_waiting": len(gateway.admission),
            "rt_slow": len(gateway.slow),
            "rt_degraded": int(gateway.facts.degraded),
            "rt_loop_gap_max_ms": int(self._lateness.max_s * 1000),
            "redis_connected": int(self._bus.connected),
            "process_resident_memory_bytes": resident_bytes(),
            "redis_writes_refused": int(self._refresh.fault in REFUSES_WRITES),
        }
