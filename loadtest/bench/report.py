"""Tables of the benchmarks: as text, as Markdown for loadtest/results/ and the README, and as one SVG of bars."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

_BAR_WIDTH: Final = 420
_ROW: Final = 26
_LABEL: Final = 190


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """One Markdown table; the columns are those of all rows, in order of appearance."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(str(row.get(column, "")) for column in columns) + " |" for row in rows]
    return "\n".join(lines)


def text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The same table with aligned columns, for a terminal."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [columns] + [[str(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(len(line[n]) for line in cells) for n in range(len(columns))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


def svg(title: str, values: Sequence[tuple[str, float]], unit: str) -> str:
    """Horizontal bars, one per server, the value written beside its bar."""
    top = max((value for _, value in values), default=1) or 1
    height = 48 + _ROW * len(values)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LABEL + _BAR_WIDTH + 120}" height="{height}" '
            'font-family="system-ui, sans-serif" font-size="13">'
        ),
        f'<text x="8" y="22" font-size="15" font-weight="600">{escape(title)}</text>',
    ]
    for number, (name, value) in enumerate(values):
        y = 40 + number * _ROW
        colour = "#e4572e" if number == 0 else "#7a8699"
        width = max(1, value / top * _BAR_WIDTH)
        parts.append(f'<text x="8" y="{y + 14}">{escape(name)}</text>')
        parts.append(f'<rect x="{_LABEL}" y="{y}" width="{width:.1f}" height="18" rx="3" fill="{colour}"/>')
        parts.append(f'<text x="{_LABEL + width + 6:.1f}" y="{y + 14}">{value:g} {escape(unit)}</text>')
    return "\n".join([*parts, "</svg>", ""])
