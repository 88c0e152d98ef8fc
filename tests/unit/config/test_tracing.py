"""What is off costs a question, and imports nothing: what redis-py does with OpenTelemetry where it is there, aside."""

import subprocess
import sys

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
