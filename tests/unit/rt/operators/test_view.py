"""What `python -m rt top` shows."""

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rt.operators.ask import Look
from rt.operators.beside import Beside, figures_of
from rt.operators.view import screen
from rt.wire.inquiry import Answer, Hot

FIGURES = st.dictionaries(
    st.sampled_from(["rt_connections", "rt_messages_total", "rt_deliveries_total", "rt_slow", "rt_loop_gap_max_ms"]),
    st.integers(0, 10**12),
)


def answer(gateway: str, figures: dict[str, int], **changes: Any) -> Answer:
    values: dict[str, Any] = {"pid": 1, "condition": {}, "channels": [], "slow": [], "closes": {}, "seats": []}
    return Answer(gateway=gateway, figures=figures, ended=[], **values | changes)


def test_a_row_for_each_process_one_for_all_and_the_channels_by_traffic() -> None:
    """Seen failing with readers of the last process alone, with the sum of how late loops are, and with a rate of all
    that was ever counted."""
    before = Look(100.0, 2, [answer("m-7-aa", {"rt_messages_total": 50}), answer("m-8-bb", {"rt_messages_total": 5})])
    hot = [Hot("user:ann", 1, 4, 9.0), Hot("community", 3, 90, 5.0)]
    look = Look(
        102.0,
        3,
        [
            answer("m-8-bb", {"rt_messages_total": 25, "rt_loop_gap_max_ms": 40}, channels=hot, closes={"left": 2}),
            answer(
                "m-7-aa",
                {"rt_messages_total": 150, "rt_connections": 12, "rt_loop_gap_max_ms": 9},
                channels=[Hot("community", 4, 91, 5.0)],
                condition={"redis": "full"},
                closes={"left": 1, "4002 too slow": 1},
            ),
        ],
    )
    title, _, head, first, second, both, _, hots, *channels, _, ended = screen(look, before, 200, 50)
    assert title == "MuscleMap Live: 2 of 3 gateway processes answer"
    assert head.split()[:2] == ["process", "sockets"]
    assert first.split() == ["m-7", "12", "0", "0", "50", "0", "0", "0", "9", "0", "redis", "full"]
    assert second.split() == ["m-8", "0", "0", "0", "10", "0", "0", "0", "40", "0", "well"]
    assert both.split() == ["all", "12", "0", "0", "60", "0", "0", "0", "40", "0"]
    assert hots.split() == ["channel", "out/s", "events/s", "readers", "newest"]
    assert [line.split() for line in channels] == [
        ["community", "35", "5.0", "7", "91"],
        ["user:ann", "9", "9.0", "1", "4"],
    ]
    assert ended == "ended in 15 minutes: left 3, 4002 too slow 1"


def test_a_first_look_has_no_rates_and_nobody_is_said_so() -> None:
    assert screen(Look(1.0, 1, [answer("m-7-aa", {"rt_messages_total": 9})]), None, 200, 50)[3].split()[4:6] == [
        "-",
        "-",
    ]
    assert screen(Look(1.0, 0, []), None, 200, 50)[0] == "MuscleMap Live: 0 of 0 gateway processes answer"


EXPOSITION = """# TYPE http_requests_total counter
http_requests_total{route="/api/graphql",status="200"} 30.0
http_requests_total{route="/config.json",status="200"} 12.0
http_requests_total{route="/ready",status="200"} 500.0
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 4.5
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 1.2e+08
# TYPE pg_pool_waiting_clients gauge
pg_pool_waiting_clients 3.0
"""


def test_what_runs_beside_is_shown_by_what_it_tells() -> None:
    """Seen failing with operators' own requests counted, and with a CPU that is not a share."""
    before = [Beside("api", 100.0, figures_of("# TYPE x gauge\nx 1\n"), ""), Beside("worker", 100.0, {}, "")]
    before[0].figures.update(http_requests_total=22, process_cpu_seconds_total=4.0)  # type: ignore[attr-defined]
    now = [Beside("api", 102.0, figures_of(EXPOSITION), ""), Beside("worker", 102.0, {}, "does not answer at h:1")]
    lines = screen(Look(102.0, 0, []), None, 200, 50, now, before)
    at = next(n for n, line in enumerate(lines) if line.startswith("beside"))
    assert [line.split() for line in lines[at + 1 : at + 3]] == [
        ["api", "10", "25", "3", "-", "-", "120", "well"],
        ["worker", "-", "-", "-", "-", "-", "-", "does", "not", "answer", "at", "h:1"],
    ]


@given(st.lists(FIGURES, max_size=6), st.lists(FIGURES, max_size=6), st.integers(1, 300), st.integers(1, 60))
def test_it_fits_the_terminal(now: list[dict[str, int]], then: list[dict[str, int]], columns: int, rows: int) -> None:
    """Whatever was counted, by processes that come and go. Seen failing without the cut of a line, and with a counter
    that fell where a process was replaced: a rate below zero."""
    hot = [Hot("c" * 150, 1, 1, 1.0)]
    looks = [
        Look(float(at), 9, [answer(f"m-{n}-aa", figures, channels=hot) for n, figures in enumerate(some)])
        for at, some in ((1, then), (3, now))
    ]
    lines = screen(looks[1], looks[0], columns, rows)
    assert len(lines) <= rows
    assert all(len(line) <= columns and line.isprintable() for line in lines)
    assert not any(re.search(r" -\d", line) for line in lines)
