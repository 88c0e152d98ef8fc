"""What operators and balancers ask of a gateway: /health, /ready, /metrics, answered for all its processes."""

from collections.abc import Callable, Mapping
from typing import Final

import orjson

from config import ready
from config.addresses import names_us
from config.errors import BadInput
from rt.metrics import Board, exposition
from rt.presence import metrics as presence_metrics
from rt.sockets.handshake import Page, refusal_page

__all__ = ["Pages"]

_JSON: Final = "application/json"
_METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"


class Pages:
    """See the module. `report` brings this process's row of the board up to date."""

    def __init__(
        self,
        board: Board,
        hosts: frozenset[str],
        report: Callable[[], None],
        keeper_stats: Callable[[], Mapping[str, float]],
    ) -> None:
        self._board = board
        self._hosts = hosts
        self._report = report
        self._keeper_stats = keeper_stats

    def page(self, path: str, host: str) -> Page | None:
        """The answer to a request for this path with this Host, or None: there is no such page."""
        match path:
            case "/health":
                return Page(200, b'{"status":"alive"}', _JSON)
            case "/ready":
                return self._ready()
            case "/metrics" if not names_us(host, self._hosts):
                return refusal_page(BadInput("This host is not served here; ALLOWED_ORIGINS names those that are"))
            case "/metrics":
                self._report()
                return Page(200, exposition(self._board) + presence_metrics.exposition(self._keeper_stats()), _METRICS)
            case _:
                return None

    def _ready(self) -> Page:
        self._report()
        conditions = self._board.conditions()
        reasons = {name: word for one in conditions if one is not None for name, word in one.reasons().items()}
        missing = sum(one is None for one in conditions)
        if missing:
            reasons["processes"] = f"{missing} of {len(conditions)} missing"
        status, body = ready.answer("rt", reasons, processes=len(conditions) - missing)
        return Page(status, orjson.dumps(body), _JSON)
