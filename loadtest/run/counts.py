"""What the live connections of a run met that has no time of its own, added up over Locust's workers."""

from collections import Counter
from typing import Any, Final

from locust.env import Environment
from locust.runners import LocalRunner, MasterRunner, WorkerRunner

counted: Final[Counter[str]] = Counter()
worst: Final[dict[str, float]] = {}  # the largest of its kind
_KEY: Final = "live"


def at_worst(what: str, value: float) -> None:
    """Keeps the largest value."""
    worst[what] = max(worst.get(what, 0.0), value)


def add_up(environment: Environment) -> None:
    """Workers send what they have counted to their master; a new run begins at nothing."""

    def report(data: dict[str, Any], **_: object) -> None:
        data[_KEY] = {"counted": dict(counted), "worst": dict(worst)}
        counted.clear()
        worst.clear()

    def receive(data: dict[str, Any], **_: object) -> None:
        told = data.get(_KEY, {})
        counted.update(told.get("counted", {}))
        for what, value in told.get("worst", {}).items():
            at_worst(what, value)

    def begin(**_: object) -> None:
        counted.clear()
        worst.clear()

    if isinstance(environment.runner, WorkerRunner):
        environment.events.report_to_master.add_listener(report)
    if isinstance(environment.runner, MasterRunner):
        environment.events.worker_report.add_listener(receive)
    if isinstance(environment.runner, (MasterRunner, LocalRunner)):
        environment.events.test_start.add_listener(begin)


def in_words() -> str:
    """All counts on one line."""
    return ", ".join(f"{what} {n:,}" for what, n in sorted(counted.items())) or "nothing heard"
