"""What a page may say of how fast it was, and in which units that is kept. Pure."""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from config.errors import BadInput, PayloadTooLarge
from config.limits import VITALS_BYTES_MAX

DURATION_MS_MAX: Final = 600_000.0  # a page that took longer was asleep
SHIFT_MAX: Final = 100.0

Duration = Annotated[float, Meta(ge=0, le=DURATION_MS_MAX)]
Shift = Annotated[float, Meta(ge=0, le=SHIFT_MAX)]


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One view of the page: milliseconds as web.dev/articles/vitals defines them, `cls` without a unit, `live` from the
    start of the navigation to the gateway's `welcome`. What did not happen is left out. It names nobody and no page."""

    lcp: Duration | None = None
    inp: Duration | None = None
    fcp: Duration | None = None
    ttfb: Duration | None = None
    live: Duration | None = None
    cls: Shift | None = None

    @property
    def seconds(self) -> Mapping[str, float]:
        """What was told of time, by its name."""
        told = {"lcp": self.lcp, "inp": self.inp, "fcp": self.fcp, "ttfb": self.ttfb, "live": self.live}
        return {name: ms / 1_000 for name, ms in told.items() if ms is not None}


_decode: Final = msgspec.json.Decoder(Report).decode


def report_of(body: bytes) -> Report:
    """Raises ApiError 413, 400."""
    if len(body) > VITALS_BYTES_MAX:
        raise PayloadTooLarge
    try:
        report = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        known = ", ".join(Report.__struct_fields__)
        raise BadInput(f"A report is a JSON object of {known}, each a number that is not negative") from None
    if report == Report():
        raise BadInput("A report says something")
    return report
