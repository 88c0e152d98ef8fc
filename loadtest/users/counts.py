"""What the live connections of a run met that has no time of its own: counted, and printed at its end."""

from collections import Counter
from typing import Final

from locust.env import Environment

counted: Final[Counter[str]] = Counter()


def print_at_the_end(environment: Environment) -> None:
    """Prints the counts below Locust's statistics when the run is over."""

    def show(**_: object) -> None:
        print(
            "Live connections: "
            + (", ".join(f"{what} {n:,}" for what, n in sorted(counted.items())) or "nothing heard")
        )

    environment.events.quit.add_listener(show)
