"""The counts of presence are exact: the real Lua against a model in plain Python, through random histories."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.presence_model import CELLS, GATEWAYS, Driver, Step, member, random_step

CONNECTIONS = 9

_members = st.builds(
    lambda number, cell, placed, state, audience, settled, gateway: (
        member(number, cell, placed, state, audience, settled=settled),
        gateway,
    ),
    st.integers(0, CONNECTIONS - 1),
    st.sampled_from(CELLS),
    st.integers(0, 4),
    st.sampled_from("ot"),
    st.sampled_from("efn"),
    st.booleans(),
    st.sampled_from(GATEWAYS),
)
_names = st.lists(st.integers(0, CONNECTIONS).map("c{}".format), min_size=1, max_size=6).map(tuple)
_kinds = st.sampled_from(("touch", "close", "expire", "leave"))
_steps = st.one_of(
    st.lists(_members, min_size=1, max_size=6).map(lambda members: Step("apply", tuple(members))),
    st.builds(
        lambda kind, names: Step(kind, (), names), st.sampled_from(("touch", "close", "expire", "leave")), _names
    ),
    st.builds(
        lambda gateway: Step("sweep", (), tuple(f"c{n}" for n in range(CONNECTIONS)), gateway),
        st.sampled_from(GATEWAYS),
    ),
    st.sampled_from((Step("reap"), Step("take"), Step("wipe"))),
)


@pytest.fixture
def driver(redis_url: str) -> Iterator[Driver]:
    made = Driver(redis_url)
    yield made
    made.close()


def test_any_history_leaves_the_counts_that_its_members_make(driver: Driver) -> None:
    """Seen failing with a removal that does not derive the user again from the connections that are left, with a cell
    left at zero, with ties of places decided by order, and with two values of one connection in a call where the
    first one held.
    """

    @settings(
        max_examples=150,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(st.lists(_steps, min_size=1, max_size=40))
    def holds(steps: list[Step]) -> None:
        driver.clear()
        for at in range(0, len(steps), 10):
            batch = steps[at : at + 10]
            driver.run(batch)
            driver.run([step for step in batch if step.kind != "wipe"])  # a replay of everything changes nothing wrong

    holds()
    assert driver.steps > 500


def test_thousands_of_steps_in_a_larger_world(driver: Driver) -> None:
    """As above, with 60 connections, so that scripts carry several users and cells at once."""
    _walk(driver, seed=11, steps=4_000)


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_a_hundred_thousand_steps(driver: Driver) -> None:
    """The long walk of `make chaos`; prints the seed and the count."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"presence model: seed {seed}, 100,000 steps")
    _walk(driver, seed=seed, steps=100_000)


def _walk(driver: Driver, *, seed: int, steps: int) -> None:
    rng = random.Random(seed)
    driver.clear()
    history: list[Step] = []
    while driver.steps < steps:
        batch = [random_step(rng, 60) for _ in range(40)]
        if history and rng.random() < 0.3:
            batch += rng.choices(history, k=5)  # late repeats of old calls
        history = (history + batch)[-200:]
        driver.run(batch)
