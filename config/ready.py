"""What /ready says in every role: whether the process can serve, and, by name, what is against it. Pure."""

from collections.abc import Mapping
from typing import Any

__all__ = ["answer"]


def answer(
    role: str, reasons: Mapping[str, str], degraded: Mapping[str, str] | None = None, **more: Any
) -> tuple[int, dict[str, Any]]:
    """The status, 200 or 503, and the body.

    `reasons`: why it cannot serve: `postgres`, `redis`, `process` … → a word or two. `degraded`: the same of what it
    serves without.
    """
    shown = {"role": role, "ready": not reasons, "reasons": dict(reasons), "degraded": dict(degraded or {}), **more}
    return 503 if reasons else 200, shown
