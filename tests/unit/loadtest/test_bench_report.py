"""What the benchmarks print beside each other."""

from typing import Any
from xml.etree import ElementTree

from loadtest.bench import report

ROWS: list[dict[str, Any]] = [
    {"server": "ours", "p50_ms": 3.0, "p99_ms": 9.0},
    {"server": "Bun", "p50_ms": 2.0, "p99_ms": 10.0},
    {"server": "ws", "failed": "TimeoutError"},
    {"server": "idle", "p50_ms": 0.0, "p99_ms": 1.0},
]
COLUMNS = {"p50_ms": "p50", "p99_ms": "p99"}


def test_a_peer_has_our_figures_through_its_own() -> None:
    """Seen failing with the peer's figure through ours. What failed, and what is zero, has no ratio."""
    ours, bun, ws, idle = report.beside(ROWS, COLUMNS)
    assert ours == ROWS[0]
    assert bun == {**ROWS[1], "p50": 1.5, "p99": 0.9}
    assert ws == ROWS[2]
    assert idle == {**ROWS[3], "p99": 9.0}


def test_where_we_failed_no_peer_is_compared() -> None:
    """Seen failing with `ours[of]`: a KeyError would have ended the whole run."""
    rows = [{"server": "ours", "failed": "TimeoutError"}, *ROWS[1:]]
    assert report.beside(rows, COLUMNS) == rows


def test_an_aim_stands_in_our_row_beside_the_peers() -> None:
    """Seen failing with the peer's row found by its server alone: the first row of that server was taken."""
    rows = [
        {"what": "a heartbeat", "server": "ours", "cpu_us": 9.0},
        {"what": "connect", "server": "ours", "cpu_us": 200.0},
        {"what": "replaced", "times": 5},
        {"what": "a bare handshake", "server": "Bun", "cpu_us": 50.0},
        {"what": "a message, dropped", "server": "Bun", "cpu_us": 7.5},
    ]
    aims = (("a heartbeat", "Bun", "a message, dropped", 1.2), ("connect", "absent", "connect", 2.0))
    first, *others = report.against(rows, aims, "cpu_us")
    assert first == {**rows[0], "beside": "Bun: a message, dropped", "ours/its": 1.2, "aim": "≤ 1.2"}
    assert others == rows[1:]


def test_lines_stand_on_whole_decades() -> None:
    """Seen failing with the natural logarithm for the height: 10 ms stood off the grid."""
    drawn = report.lines(
        "A & B", "ms", {"p50": {"ours": [(10, 1.0), (95, 10.0)]}, "p99": {"ours": [(10, 10.0), (95, 100.0)]}}
    )
    root = ElementTree.fromstring(drawn)  # noqa: S314 - drawn above
    space = "{http://www.w3.org/2000/svg}"
    p50, p99 = root.findall(f"{space}polyline")
    low, middle, high = "360.0", "200.0", "40.0"
    assert p50.get("points") == f"116.0,{low} 592.0,{middle}"
    assert p99.get("points") == f"116.0,{middle} 592.0,{high}"
    assert (p50.get("stroke-dasharray"), p99.get("stroke-dasharray")) == ("5 4", None)
    texts = [node.text for node in root.iter(f"{space}text")]
    assert {"A & B", "1", "10", "100", "ours, p50", "ours, p99"} <= set(texts)


def test_nothing_that_was_measured_is_a_picture_too() -> None:
    """Seen failing with min() of nothing."""
    assert report.lines("none", "ms", {"p50": {}}).endswith("</svg>\n")
