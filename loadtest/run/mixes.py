"""How many people there are at each time of a run. Pure."""

from typing import Final

SPIKE_SHARE: Final = 0.2  # of the people are always there; the others all come in the middle third
RAMP_STEPS: Final = 10
MIXES: Final = ("steady", "ramp", "spike", "soak")
SOAK_S: Final = 3_600.0  # where no --run-time is given
OTHER_S: Final = 300.0


def length_s(mix: str, run_time_s: float | None) -> float | None:
    """How long a run takes; None = until it is stopped."""
    if run_time_s:
        return run_time_s
    return {"steady": None, "soak": SOAK_S}.get(mix, OTHER_S)


def people_at(mix: str, at_s: float, people: int, spawn_rate: float, run_s: float | None) -> tuple[int, float] | None:
    """How many there are `at_s` seconds after the beginning, and how many of them may come a second; None at the end.

    ramp: to all of them in RAMP_STEPS equal steps. spike: SPIKE_SHARE of them, all of them at once in the middle third.
    soak and steady: all of them, soak for long.
    """
    if run_s is not None and at_s >= run_s:
        return None
    if mix == "ramp" and run_s is not None:
        step = min(RAMP_STEPS, int(at_s / run_s * RAMP_STEPS) + 1)
        return max(1, round(people * step / RAMP_STEPS)), spawn_rate
    if mix == "spike" and run_s is not None:
        if run_s / 3 <= at_s < run_s * 2 / 3:
            return people, float(people)
        return max(1, round(people * SPIKE_SHARE)), spawn_rate
    return people, spawn_rate
