"""What counts in Redis: by the rule of config/rates/rules.py, for all processes together, and without Redis alone."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config import redis
from config.errors import RateLimited
from config.rates import limiter
from config.rates.gate import Gate
from config.rates.limiter import Limiter
from config.rates.rules import SLOTS, Claim, Limit, Verdict, counting, judged, slot_at
from config.redis import RedisClient
from config.settings import Settings
from tests.support.erring_redis import SILENCE, ErringRedis
from tests.support.gateway import until

NARROW, WIDE = Limit("narrow", 10, 60), Limit("wide", 100, 3600)


@asynccontextmanager
async def counting_in(url: str) -> AsyncIterator[Limiter]:
    """A process's limiter."""
    async with redis.connect(url) as client:
        made = Limiter(client)
        running = asyncio.get_running_loop().create_task(made.run())
        await asyncio.sleep(0)
        try:
            yield made
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def now_ms(client: RedisClient) -> int:
    seconds, micros = await client.time()
    return int(seconds) * 1000 + int(micros) // 1000


# By the age of a slot what was taken in it, and what is asked for now.
histories = st.dictionaries(st.integers(0, SLOTS + 3), st.integers(1, 12), max_size=6)
cases = st.lists(st.tuples(histories, histories, st.integers(1, 12), st.integers(1, 120)), min_size=40, max_size=40)


@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases)
def test_redis_counts_by_the_same_rule(
    redis_url: str, drawn: list[tuple[dict[int, int], dict[int, int], int, int]]
) -> None:
    """Seen failing with slots counted one shorter, and with the wait of the newest slot in place of the oldest's."""
    asyncio.run(_compared(redis_url, drawn))


async def _compared(url: str, drawn: list[tuple[dict[int, int], dict[int, int], int, int]]) -> None:
    async with redis.connect(url) as client:
        for narrow, wide, few, many in drawn:
            began = await now_ms(client)
            keys, claims, model = [], (Claim(NARROW, few), Claim(WIDE, many)), []
            for limit, history in ((NARROW, narrow), (WIDE, wide)):
                slots = {slot_at(limit, began) - age: count for age, count in history.items()}
                keys.append(f"limits:{{x}}:{limit.name}")
                await client.delete(keys[-1])
                if slots:
                    await client.hset(keys[-1], mapping={str(slot): count for slot, count in slots.items()})
                model.append(slots)
            args = [SLOTS]
            for limit, amount in claims:
                args += (limit.most, limit.slot_ms, amount)
            found = limiter._verdict(await limiter._TAKE(client, keys, args), claims)
            ended = await now_ms(client)
            expected = [
                judged([counting(slots, one.limit, at) for slots, one in zip(model, claims, strict=True)], claims, at)
                for at in (began, ended)
            ]
            if expected[0].slots == expected[1].slots:  # else a slot ended meanwhile
                _same(found, *expected)


def _same(found: Verdict, early: Verdict, late: Verdict) -> None:
    assert (found.taken, found.slots) == (early.taken, early.slots)
    for one, first, last in zip(found.standings, early.standings, late.standings, strict=True):
        assert one[:2] == first[:2]
        assert last.wait_ms <= one.wait_ms <= first.wait_ms


async def test_processes_count_together(redis_url: str) -> None:
    """200 at once through two of them, most of them in one trip. Seen failing with each counting by itself: 20."""
    async with counting_in(redis_url) as one, counting_in(redis_url) as other:
        asked = [limit.take("somebody", (Claim(NARROW),)) for limit in (one, other) for _ in range(100)]
        verdicts = [verdict for verdict, _ in await asyncio.gather(*asked)]
        assert sum(verdict.taken for verdict in verdicts) == NARROW.most
        assert (await other.take("somebody else", (Claim(NARROW),)))[0].taken


async def test_what_is_given_back_is_free_for_all(redis_url: str) -> None:
    async with counting_in(redis_url) as one, counting_in(redis_url) as other:
        _, (first,) = await one.take("x", (Claim(NARROW, 10),))
        await one.give_back(first._replace(amount=3))
        assert not (await other.take("x", (Claim(NARROW, 4),)))[0].taken
        assert (await other.take("x", (Claim(NARROW, 3),)))[0].taken
        await one.give_back(first._replace(amount=50))  # of what others took meanwhile nothing is left: it was one slot
        assert (await one.take("x", (Claim(NARROW, 10),)))[0].taken


async def test_nothing_is_kept_longer_than_it_counts(redis_url: str) -> None:
    """Seen failing without the term."""
    async with counting_in(redis_url) as one, redis.connect(redis_url) as client:
        await one.take("x", (Claim(NARROW), Claim(WIDE)))
        found = sorted([await client.pttl(key) async for key in client.scan_iter(match="limits:*")])
        assert [
            NARROW.kept_ms - 5_000 < found[0] <= NARROW.kept_ms,
            WIDE.kept_ms - 5_000 < found[1] <= WIDE.kept_ms,
        ] == [
            True,
            True,
        ]


@pytest.mark.parametrize("error", [b"-OOM command not allowed\r\n", SILENCE], ids=["full", "silent"])
async def test_without_redis_a_process_counts_alone(
    redis_url: str, error: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On top of what it has let through; nobody waits long, one in a while finds out, and it counts in Redis again when
    that is back. Seen failing with nothing known of before."""
    monkeypatch.setattr(limiter, "LIMITS_PAUSE_S", 2)
    async with ErringRedis(redis_url).running() as store, counting_in(store.url) as one:
        before = [(await one.take("x", (Claim(NARROW),)))[1] for _ in range(5)]
        await one.give_back(before[0][0])
        store.error = error
        began = time.monotonic()
        taken = [(await one.take("x", (Claim(NARROW),)))[0].taken for _ in range(1000)]
        assert sum(taken) == NARROW.most - 4
        assert time.monotonic() - began < 60  # a second each that asks Redis
        store.error = None

        async def heard() -> bool:
            return (await one.take("x", (Claim(NARROW),)))[0].taken  # in Redis, which knows of none of them

        await until(heard)


async def test_who_waits_while_it_ends_is_answered(redis_url: str) -> None:
    """Seen failing with who is on the way to Redis left out: a request that was being drained waited for ever."""
    async with ErringRedis(redis_url).running() as store:
        async with counting_in(store.url) as one:
            await one.take("x", (Claim(NARROW),))
            store.error = SILENCE
            on_its_way = asyncio.ensure_future(one.take("x", (Claim(NARROW),)))
            await until(lambda: store.met > 0)
            queued = asyncio.ensure_future(one.take("x", (Claim(NARROW),)))
            await asyncio.sleep(0)
        async with asyncio.timeout(30):
            assert (await on_its_way)[0].taken
            assert (await queued)[0].taken
        assert (await one.take("x", (Claim(NARROW, 7),)))[0].taken


async def test_whoever_was_refused_costs_redis_nothing_until_the_wait_is_over(redis_url: str) -> None:
    """Seen failing without the memory of refusals: each of 50 asked Redis."""
    now = [100.0]
    async with ErringRedis(redis_url).running() as store, counting_in(store.url) as one:
        gate = Gate(one, Settings(limit_anonymous=3), clock=lambda: now[0])
        state: dict[str, Any] = {"holder": "192.0.2.7"}
        await gate.request(state, operations=3)
        with pytest.raises(RateLimited) as first:
            await gate.request(state)
        served = store.served
        for _ in range(50):
            with pytest.raises(RateLimited):
                gate.known(state)
            with pytest.raises(RateLimited):
                await gate.request(state)
        assert store.served == served
        assert first.value.retry_after_s is not None
        now[0] += first.value.retry_after_s + 1
        gate.known(state)
        await gate.request({"holder": "192.0.2.8"})
        assert store.served > served
