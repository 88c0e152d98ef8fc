"""Instants as text: ISO 8601 in UTC with Z, the one way in which this product writes them. Pure."""

from datetime import UTC, datetime


def iso_z(moment: datetime, timespec: str = "auto") -> str:
    """`2026-11-20T18:05:09.250Z`; `timespec` as `datetime.isoformat` has it: `milliseconds`, or what there is."""
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def iso_of(unix: float) -> str:
    """The second of a Unix time, as `iso_z` says it."""
    return iso_z(datetime.fromtimestamp(int(unix), UTC))
