"""What is off costs a question, and imports nothing: what redis-py does with OpenTelemetry where it is there, aside."""

import subprocess
import sys
import time

from structlog.testing import capture_logs

from config.otel import Tracer
from config.tracing import traces
from tests.support.stores import ROOT

LOADS = """
import sys
import api.app, worker.relay, rt.process.server
extras = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "sentry_sdk", "google.protobuf", "requests")
print([name for name in extras if name in sys.modules])
"""


def test_without_the_settings_nothing_is_imported() -> None:
    """Seen failing with an import of config.otel at the top of config/tracing.py."""
    done = subprocess.run([sys.executable, "-c", LOADS], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_off_there_is_no_place() -> None:
    assert traces.here == ""
    assert not traces.on


def test_a_collector_that_is_away_holds_nobody_up_and_is_said_once() -> None:
    """More spans than wait; the end of the process is not put off by more than the requests that are left. Seen failing
    with the library's own ten seconds a request."""
    with capture_logs() as lines:
        tracer = Tracer("api", "http://127.0.0.1:9", 1.0, trusting=False)
        for _ in range(3_000):
            tracer.begin("request", "").end()
        began = time.monotonic()
        tracer.stop()
    assert time.monotonic() - began < 8
    assert [line["event"] for line in lines] == ["traces_not_sent"]


def test_a_client_decides_about_nothing_and_our_own_processes_do() -> None:
    """Seen failing with one sampler for both."""
    sampled = "00-ffffffffffffffffffffffffffffffff-00f067aa0ba902b7-01"
    for trusting in (False, True):
        tracer = Tracer("api", "http://127.0.0.1:9", 0.0, trusting=trusting)
        span = tracer.begin("request", sampled)
        assert bool(span.place) is trusting
        tracer.stop()
