"""How the benchmark finds the rate at which a server takes a share of its core."""

from collections.abc import Callable

from loadtest.bench.latency import NEAR, RATE_FIRST, RATE_MAX, SHARES, TRIES, Seen, nearest, next_rate, series


def linear(rate: float) -> float:
    return 0.006 * rate


def merging(rate: float) -> float:
    """Writes less often while it is busy, and so takes 90 % at most."""
    return min(linear(rate), 0.5 + 0.4 * (1 - 80 / max(80.0, rate)))


def climb(takes: Callable[[float], float]) -> dict[float, list[Seen]]:
    """What was tried for each share, as the benchmark tries it."""
    seen: list[Seen] = []
    tried = {}
    for wanted in SHARES:
        began = len(seen)
        for _ in range(TRIES):
            rate = next_rate(seen, wanted)
            seen.append((rate, takes(rate)))
            if abs(seen[-1][1] - wanted) <= NEAR:
                break
        tried[wanted] = seen[began:]
    return tried


def test_a_server_of_even_price_is_found_at_once() -> None:
    """Seen failing without the line through what was seen (always STEPS[1] times the highest rate)."""
    tried = climb(linear)
    assert tried[0.10][0] == (RATE_FIRST, linear(RATE_FIRST))
    assert all(len(tries) <= 2 for tries in tried.values())
    assert all(abs(tries[-1][1] - wanted) <= NEAR for wanted, tries in tried.items())


def test_a_server_that_merges_is_followed_up_and_given_up() -> None:
    """Seen failing with the price of the highest rate instead of the slope: it crept up by a twentieth each time."""
    tried = climb(merging)
    assert abs(tried[0.80][-1][1] - 0.80) <= NEAR
    assert tried[0.95][-1][0] > 1_000
    assert all(rate <= RATE_MAX for tries in tried.values() for rate, _ in tries)


def test_between_two_it_is_on_the_line() -> None:
    """Seen failing with the middle of the two rates."""
    assert next_rate([(100, 0.4), (200, 0.8)], 0.5) == 125.0


def test_noise_never_sends_it_back_or_away() -> None:
    """Seen failing without the bounds of a step: a flat or falling line through noise gave a rate below zero."""
    assert next_rate([(100, 0.50), (110, 0.49)], 0.8) == 330.0
    assert next_rate([(100, 0.50), (110, 0.79)], 0.8) == 115.5
    assert next_rate([(2_900, 0.5)], 0.95) == RATE_MAX


def test_what_did_not_keep_up_is_taken_last() -> None:
    """Seen failing with the nearest of all rows: 3,000 a second that were not delivered stood for 80 %."""
    lost = {"core_pct": 80, "kept_up": False}
    kept = {"core_pct": 60, "kept_up": True}
    assert nearest([lost, kept], 0.8) == kept
    assert nearest([lost], 0.8) == lost


def test_the_picture_has_each_measured_point_once() -> None:
    """Seen failing without the set: what came nearest to two shares stood twice."""
    row = {"server": "ours", "core_pct": 88, "p99_ms": 20.0}
    rows = [row, row, {**row, "core_pct": 10, "p99_ms": 2.0}, {**row, "server": "Bun"}]
    assert series(rows, "p99_ms") == {"ours": [(10, 2.0), (88, 20.0)], "Bun": [(88, 20.0)]}
