"""How fast the page was for those who opened it, counted for operators."""

from typing import Final

from api.vitals.rules import Report
from config.metrics import VITALS_SECONDS, VITALS_SHIFT

_SECONDS: Final = {name: VITALS_SECONDS.labels(name) for name in ("lcp", "inp", "fcp", "ttfb", "live")}


class Vitals:
    """Keeps numbers alone: who told them is counted nowhere."""

    def tell(self, report: Report) -> None:
        """Counts one view of the page."""
        for name, seconds in report.seconds.items():
            _SECONDS[name].observe(seconds)
        if report.cls is not None:
            VITALS_SHIFT.observe(report.cls)
