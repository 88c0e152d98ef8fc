"""Traces: one from a request over its transaction, the relay and the bus to the sockets, if OTEL_EXPORTER_OTLP_ENDPOINT
is set.

`traces.on` is asked before anything else, so that without it a trace costs that question, and nothing is imported. What
travels with an event, in its row of the outbox and in the bus's envelope, is W3C's `traceparent` of those that are
sampled; who is asked is decided once, where a request comes in.
"""

import re
import sys
from typing import TYPE_CHECKING, Final

from config.settings import Settings

if TYPE_CHECKING:
    from config.otel import Span, Tracer

SAMPLED: Final = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01")


class Traces:
    """Those of this process. Places are `traceparent`s; an empty one is none."""

    def __init__(self) -> None:
        self._tracer: Tracer | None = None
        self.on = False

    def start(self, role: str, settings: Settings, *, trusting: bool = True) -> None:
        """Begins to trace where the setting says so; in a process that forks no more. `trusting`: parents come from
        our own processes, which have decided about sampling."""
        endpoint = settings.otel_exporter_otlp_endpoint
        if not endpoint:
            return
        try:
            from config.otel import Tracer
        except ImportError:
            sys.exit("OTEL_EXPORTER_OTLP_ENDPOINT needs the packages of requirements-extras.lock")
        self._tracer = Tracer(role, endpoint, settings.otel_traces_sampler_arg, trusting=trusting)
        self.on = True

    def stop(self) -> None:
        """Sends what is left, within some seconds."""
        self.on = False
        if self._tracer is not None:
            self._tracer.stop()
            self._tracer = None

    @property
    def here(self) -> str:
        """The place of what runs now, where it is sampled."""
        return self._tracer.here() if self._tracer is not None else ""

    def begin(self, name: str, parent: str | None = None) -> "Span":
        """A span that is ended by its `end`; below `parent`, a place or what a client sent as one. Only while on."""
        return self._running.begin(name, parent)

    def past(self, name: str, took_s: float, parent: str | None = None) -> str:
        """A span that took so long and ends now, below `parent`, or what runs now; its place. Only while on."""
        return self._running.past(name, took_s, parent)

    @property
    def _running(self) -> "Tracer":
        if self._tracer is None:
            raise RuntimeError("nothing is traced")
        return self._tracer


traces: Final = Traces()
