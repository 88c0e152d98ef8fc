"""People whom a gateway has to bear: those who all come back at once, and those who do not read."""

import time

from locust import between, task

from loadtest.run.outcome import EVENT
from loadtest.users.live import ToLocust
from loadtest.users.person import WELCOME_S, Person

STORM_EVERY_S = 20.0  # by the clock, so that all of them, on all workers, are cut at once
RECEIVE_BYTES = 4_096


class ReconnectStorm(Person):
    """Follows the community; every STORM_EVERY_S all of them lose the network at the same moment."""

    weight = 1

    def wait_time(self) -> float:
        """Until the next storm."""
        return STORM_EVERY_S - time.time() % STORM_EVERY_S

    def on_start(self) -> None:
        """Where it cannot catch up that is counted (not recovered)."""
        super().on_start()
        self.cut_at = 0.0
        live = self.come()
        live.subscribe("community", joined=lambda _at: self._back(), lost=lambda _at: self._back())
        live.start(WELCOME_S)

    @task
    def storm(self) -> None:
        """The network is gone."""
        if self.live is not None and time.time() % STORM_EVERY_S < 1:
            self.cut_at = time.perf_counter()
            self.live.cut()

    def _back(self) -> None:
        if self.cut_at:
            took_s, self.cut_at = time.perf_counter() - self.cut_at, 0.0
            ToLocust(self.environment).report(EVENT, "storm: cut to caught up", took_s, 0, None)


class SlowReader(Person):
    """Follows the community with a small buffer, and reads nothing for most of the time. A close 4002 is its due."""

    weight = 1
    wait_time = between(30, 60)

    def on_start(self) -> None:
        """Comes as anybody does."""
        super().on_start()
        live = self.come(receive_buffer=RECEIVE_BYTES)
        live.subscribe("community")
        live.set_viewport({"west": -180, "south": -60, "east": 180, "north": 75, "zoom": 2})
        live.start(WELCOME_S)

    @task
    def sleep(self) -> None:
        """Is deaf."""
        if self.live is not None:
            self.live.be_deaf(25)
