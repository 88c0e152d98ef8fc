"""What runs beside the gateways on this machine: API and worker, by what they tell whoever operates them."""

import asyncio
import http.client
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from config.addresses import from_here
from config.settings import Settings

__all__ = ["Beside", "beside", "figures_of"]

ASK_S: Final = 2.0
_OPERATORS: Final = frozenset({"/metrics", "/ready", "/health"})  # who asks is no load


class _Ready(msgspec.Struct):
    reasons: dict[str, str] = {}
    degraded: dict[str, str] = {}


class Beside(NamedTuple):
    """A role, all processes of it together; `at` by the steady clock. `state` is empty where all is well."""

    role: str
    at: float
    figures: Mapping[str, float]
    state: str


async def beside(settings: Settings) -> list[Beside]:
    """Both, whatever answers within ASK_S."""
    roles = {"api": (settings.api_host, settings.api_port), "worker": (settings.worker_host, settings.worker_port)}
    asked = [asyncio.to_thread(_look, role, from_here(host), port) for role, (host, port) in roles.items()]
    return await asyncio.gather(*asked)


def figures_of(exposition: str) -> Mapping[str, float]:
    """Each metric of an exposition in Prometheus' text, its labels added up; of requests, those of no operator."""
    found = defaultdict[str, float](float)  # what is not told is 0
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            if sample.labels.get("route") not in _OPERATORS:
                found[sample.name] += sample.value
    return found


def _look(role: str, host: str, port: int) -> Beside:
    try:
        ready = msgspec.json.decode(_get(host, port, "/ready"), type=_Ready)
        figures = figures_of(_get(host, port, "/metrics").decode())
    except (OSError, http.client.HTTPException, ValueError):
        return Beside(role, time.monotonic(), {}, f"does not answer at {host}:{port}")
    state = ", ".join(f"{name} {word}" for name, word in (ready.reasons | ready.degraded).items())
    return Beside(role, time.monotonic(), figures, state)


def _get(host: str, port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection(host, port, timeout=ASK_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()
