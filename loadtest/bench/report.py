"""Tables of the benchmarks, as text and as Markdown for loadtest/results/, and pictures: bars, and lines."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

_BAR_WIDTH: Final = 420
_ROW: Final = 26
_LABEL: Final = 190
_WIDTH: Final = 560  # of the area of lines
_HEIGHT: Final = 320
_LEFT: Final = 60
_TOP: Final = 40
_COLOURS: Final = ("#e4572e", "#7a8699", "#17bebb", "#8b5fbf")


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """One Markdown table; the columns are those of all rows, in order of appearance."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(str(row.get(column, "")) for column in columns) + " |" for row in rows]
    return "\n".join(lines)


def beside(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rows, all but the first with the first one's figures through their own, each column under its new name."""
    ours, *theirs = rows
    return [dict(ours), *({**row, **_shares(ours, row, columns)} for row in theirs)]


def _shares(ours: Mapping[str, Any], row: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, float]:
    return {name: round(ours[of] / row[of], 2) for of, name in columns.items() if ours.get(of) and row.get(of)}


def against(
    rows: Sequence[Mapping[str, Any]], aims: Sequence[tuple[str, str, str, float]], figure: str
) -> list[dict[str, Any]]:
    """The rows, those of the aims with what stands beside them, ours through theirs, and how much it may be.

    An aim: what our row is of (the first one's server is ours), the peer, what its row is of, and the most. Without the
    peer's row there is nothing beside ours.
    """
    found = {(row.get("server"), row["what"]): row for row in rows}
    ours = rows[0]["server"]
    aimed = {}
    for what, peer, theirs, most in aims:
        row, other = found.get((ours, what)), found.get((peer, theirs))
        if row and other and other[figure] > 0:
            ratio = round(row[figure] / other[figure], 2)
            aimed[ours, what] = {"beside": f"{peer}: {theirs}", "ours/its": ratio, "aim": f"≤ {most:g}"}
    return [{**row, **aimed.get((row.get("server"), row["what"]), {})} for row in rows]


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
    parts = _head(title, _LABEL + _BAR_WIDTH + 120, height)
    for number, (name, value) in enumerate(values):
        y = 40 + number * _ROW
        colour = "#e4572e" if number == 0 else "#7a8699"
        width = max(1, value / top * _BAR_WIDTH)
        parts.append(f'<text x="8" y="{y + 14}">{escape(name)}</text>')
        parts.append(f'<rect x="{_LABEL}" y="{y}" width="{width:.1f}" height="18" rx="3" fill="{colour}"/>')
        parts.append(f'<text x="{_LABEL + width + 6:.1f}" y="{y + 14}">{value:g} {escape(unit)}</text>')
    return "\n".join([*parts, "</svg>", ""])


Points = Sequence[tuple[float, float]]


def lines(title: str, unit: str, figures: Mapping[str, Mapping[str, Points]]) -> str:
    """One colour per server; the lines of the first figure are dashed, those of others are not.

    `figures`: name → server → points of percent (0 to 100, along) and a value in `unit` (up, each decade as high).
    """
    scale = _Scale([value for of in figures.values() for points in of.values() for _, value in points])
    servers = list(dict.fromkeys(server for of in figures.values() for server in of))
    parts = [*_head(title, _LEFT + _WIDTH + 220, _TOP + _HEIGHT + 50), *_grid(scale, unit)]
    for number, (figure, of) in enumerate(figures.items()):
        dash = "" if number else ' stroke-dasharray="5 4"'
        for server, points in of.items():
            at = servers.index(server)
            stroke = f'stroke="{_COLOURS[at % len(_COLOURS)]}" stroke-width="2"{dash}'
            path = " ".join(f"{scale.x(percent):.1f},{scale.y(value):.1f}" for percent, value in points)
            parts.append(f'<polyline points="{path}" fill="none" {stroke}/>')
            x, y = _LEFT + _WIDTH + 16, _TOP + 12 + 18 * (number * len(servers) + at)
            parts.append(f'<line x1="{x}" y1="{y - 4}" x2="{x + 24}" y2="{y - 4}" {stroke}/>')
            parts.append(f'<text x="{x + 30}" y="{y}">{escape(server)}, {escape(figure)}</text>')
    return "\n".join([*parts, "</svg>", ""])


class _Scale:
    """Where percents and values stand: values by their logarithm, between whole decades."""

    def __init__(self, values: Sequence[float]) -> None:
        above = [value for value in values if value > 0] or [1.0]
        self.low = math.floor(math.log10(min(above)))
        self.high = max(self.low + 1, math.ceil(math.log10(max(above))))

    def x(self, percent: float) -> float:
        return _LEFT + percent / 100 * _WIDTH

    def y(self, value: float) -> float:
        up = math.log10(max(value, 10.0**self.low)) - self.low
        return _TOP + (1 - up / (self.high - self.low)) * _HEIGHT


def _grid(scale: _Scale, unit: str) -> list[str]:
    parts = []
    for value in (10.0**decade for decade in range(scale.low, scale.high + 1)):
        y = scale.y(value)
        parts.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_LEFT + _WIDTH}" y2="{y:.1f}" stroke="#d5dae1"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    foot = _TOP + _HEIGHT + 18
    parts += [
        f'<text x="{scale.x(percent):.1f}" y="{foot}" text-anchor="middle">{percent} %</text>'
        for percent in range(0, 101, 20)
    ]
    return [*parts, f'<text x="{_LEFT}" y="{foot + 20}">{escape(unit)}, by the share of one core that it took</text>']


def _head(title: str, width: int, height: int) -> list[str]:
    return [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            'font-family="system-ui, sans-serif" font-size="13">'
        ),
        f'<text x="8" y="22" font-size="15" font-weight="600">{escape(title)}</text>',
    ]
