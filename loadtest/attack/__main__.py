"""python -m loadtest.attack [--trials N] [--seed N]: each attack, what the rule costs, then unique workouts."""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor

from loadtest import fingerprints
from loadtest.attack.cases import CASES, MARGIN, SEED, TRIALS, Outcome
from loadtest.attack.cost import CITIES, PEOPLE, lines
from loadtest.attack.world import K


def play(number: int, trials: int, seed: int) -> Outcome:
    """One case, in a process of its own."""
    return CASES[number].run(trials, seed)


def main() -> int:
    """Exit code 1 where an attack is more than MARGIN over blind guessing, or workouts tell too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    print(f"{'attack':<40} {'hits':>7} {'blind':>7} {'better by':>12} {'trials':>8}   (k = {K})")
    worst = 0.0
    with ProcessPoolExecutor() as pool:
        outcomes = [pool.submit(play, number, options.trials, options.seed) for number in range(len(CASES))]
        for case, future in zip(CASES, outcomes, strict=True):
            outcome = future.result()
            gain = outcome.hits - outcome.blind
            worst = max(worst, gain)
            over = "" if gain <= MARGIN else "   TOO MUCH"
            better = f"{gain * 100:>+6.1f} ± {outcome.error * 100:.1f}"
            print(
                f"{case.name:<40} {outcome.hits:>7.1%} {outcome.blind:>7.1%} {better:>12} {outcome.trials:>8}{over}",
                flush=True,
            )
    print(f"worst: {worst * 100:+.1f} points; at most {MARGIN * 100:g} are allowed\n")
    print(f"what it costs, {PEOPLE:,} people in {CITIES} cities:")
    print("\n".join([*lines(options.seed), ""]))
    alike = fingerprints.run(options.seed)
    print(fingerprints.show(alike))
    return 0 if worst <= MARGIN and alike.holds else 1


if __name__ == "__main__":
    sys.exit(main())
