"""Ties one process of Locust to what a run is: its targets, its mix, its counts, its end."""

import gevent
from locust import LoadTestShape, events
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadtest.run import lag
from loadtest.run.counts import add_up
from loadtest.run.mixes import length_s, people_at
from loadtest.run.options import LAG_MS, add_options, owned, word
from loadtest.run.outcome import say_at_the_end
from loadtest.run.targets import NotYours, allowed
from loadtest.run.web import fit_page


class Shape(LoadTestShape):
    """The form that `--mix` names."""

    abstract = True  # Locust would take it for every run; `--mix` does
    use_common_options = True

    def __init__(self, environment: Environment) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.environment = environment
        self.runner = environment.runner

    def tick(self) -> tuple[int, float] | None:
        """How many people there are now, and how fast they come."""
        mix, people = word(self.environment, "mix"), word(self.environment, "num_users") or 1
        run_s = length_s(mix, word(self.environment, "run_time"))
        rate = float(word(self.environment, "spawn_rate") or 1)
        at_s: float = self.get_run_time()  # type: ignore[no-untyped-call]
        return people_at(mix, at_s, people, rate, run_s)


def set_up() -> None:
    """What a locustfile calls once."""
    add_options()
    events.init.add_listener(_on_init)


def _on_init(environment: Environment, **_: object) -> None:
    """Once per process of Locust."""
    if environment.host and not isinstance(environment.runner, WorkerRunner):
        try:
            allowed(environment.host, owned(environment))
        except NotYours as error:
            raise SystemExit(str(error)) from None
    if (word(environment, "mix") or "steady") != "steady":
        environment.shape_class = Shape(environment)
    add_up(environment)
    say_at_the_end(environment)
    fit_page(environment)
    if not isinstance(environment.runner, MasterRunner):  # a master loads nothing
        gevent.spawn(lag.watch, (word(environment, "lag_ms") or LAG_MS) / 1000)
    gevent.get_hub().loop.update_now()  # else the seconds of our imports are taken from --run-time
