"""OpenTelemetry behind config/tracing.py: imported only where it is asked for.

Spans have names of ours, numbers and routes: nothing that a client said, and nobody's id.
"""

import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from typing import Final

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

log = structlog.get_logger()

_PROPAGATOR: Final = TraceContextTextMapPropagator()
_HEADER: Final = "traceparent"
_EXPORT_S: Final = 1.0  # one request to the collector; at the end of the process there are two of them at most
_QUEUE: Final = 1_024  # spans that wait; then they are dropped
_BATCH: Final = 512
_EVERY_MS: Final = 1_000.0
_SAID_EVERY_S: Final = 60.0


class Span:
    """One that is under way."""

    __slots__ = ("_span", "place")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self.place = _place(span)

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        """What runs inside is below it."""
        with trace.use_span(self._span, record_exception=False, set_status_on_exception=False):
            yield

    def end(self, *, name: str = "", failed: bool = False, **figures: int | str) -> None:
        """It is over, perhaps under a better name."""
        if name:
            self._span.update_name(name)
        if failed:
            self._span.set_status(trace.StatusCode.ERROR)
        self._span.set_attributes(figures)
        self._span.end()


class Tracer:
    """The spans of one process, sent in batches by a thread."""

    def __init__(self, role: str, endpoint: str, ratio: float, *, trusting: bool) -> None:
        by_id = TraceIdRatioBased(ratio)
        remote = ALWAYS_ON if trusting else by_id  # a client's word that it is sampled counts for nothing
        sampler = ParentBased(by_id, remote_parent_sampled=remote, remote_parent_not_sampled=by_id)
        self._provider = TracerProvider(
            sampler=sampler, resource=Resource.create({"service.name": f"musclemap-{role}"}), shutdown_on_exit=False
        )
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # it says each try of a collector that is away
        exporter = _Exporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_S)
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter, max_queue_size=_QUEUE, max_export_batch_size=_BATCH, schedule_delay_millis=_EVERY_MS
            )
        )
        self._tracer = self._provider.get_tracer("musclemap")

    def here(self) -> str:
        """See config/tracing.py."""
        return _place(trace.get_current_span())

    def begin(self, name: str, parent: str | None) -> Span:
        """See config/tracing.py."""
        return Span(self._tracer.start_span(name, _context(parent)))

    def past(self, name: str, took_s: float, parent: str | None) -> str:
        """See config/tracing.py."""
        now = time.time_ns()
        span = self._tracer.start_span(name, _context(parent), start_time=now - int(took_s * 1e9))
        span.end(now)
        return _place(span)

    def stop(self) -> None:
        """See config/tracing.py."""
        self._provider.shutdown()


class _Exporter(OTLPSpanExporter):
    """Says once a minute that the collector takes nothing."""

    _said_at = -_SAID_EVERY_S

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """What it could not send is lost."""
        result = super().export(spans)
        if result is SpanExportResult.FAILURE and time.monotonic() - self._said_at >= _SAID_EVERY_S:
            self._said_at = time.monotonic()
            log.warning("traces_not_sent")
        return result


def _context(parent: str | None) -> Context | None:
    """None means below what runs now; what is no place begins a trace."""
    return None if parent is None else _PROPAGATOR.extract({_HEADER: parent}, Context())


def _place(span: trace.Span) -> str:
    context = span.get_span_context()
    if not (context.is_valid and context.trace_flags.sampled):
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"
