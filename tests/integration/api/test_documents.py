"""What a document, its variables and its answer may cost, over the real process."""

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx2
import orjson

from config.limits import GRAPHQL_ANSWER_BYTES_MAX, VARIABLES_SIGNED_IN_MAX
from tests.integration.api.conftest import Account, Running
from tests.support.gateway import until

GRAPHQL = "/api/graphql"
LOG = "mutation($i: LogWorkoutInput!, $k: String!) { logWorkout(input: $i, idempotencyKey: $k) { charged } }"
PAGES = "{" + " ".join(f"p{n}: communityFeed(first: 20) {{ position {{ offset }} }}" for n in range(10)) + "}"


def ask(client: httpx2.Client, query: str, variables: Any = None, token: str = "") -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    answer = client.post(GRAPHQL, json={"query": query, "variables": variables}, headers=headers)
    return answer.status_code, answer.json()


def codes(answer: Any) -> list[str]:
    return [error["extensions"]["code"] for error in answer["errors"]]


def workout(sets: int) -> dict[str, Any]:
    exercises = [{"exerciseId": "x", "sets": [{"reps": 1}] * sets}]
    return {"i": {"performedAt": datetime.now(UTC).isoformat(), "exercises": exercises}, "k": "k"}


def test_who_must_sign_in_is_told_so_before_variables_are_looked_at(api: Running, client: httpx2.Client) -> None:
    """Failed with variables coerced first: 20,000 sets cost 88 ms, and wrong ones were BAD_INPUT."""
    given: list[Any] = [workout(20_000), {"i": 5}, {}, None]
    for variables in given:
        status, answer = ask(client, LOG, variables)
        assert (status, answer["data"], codes(answer)) == (200, None, ["UNAUTHENTICATED"])
        assert answer["errors"][0]["path"] == ["logWorkout"]
        assert answer["errors"][0]["locations"][0]["line"] == 1
    status, answer = ask(client, "query($id: ID!) { w: workout(id: $id) { id } }", {"id": {}})
    assert (status, answer["data"], codes(answer)) == (200, {"w": None}, ["UNAUTHENTICATED"])
    status, answer = ask(client, "query($id: ID!) { muscles { id } workout(id: $id) { id } }", {"id": "x"})
    assert (status, answer["data"]["workout"], codes(answer)) == (200, None, ["UNAUTHENTICATED"])
    assert answer["data"]["muscles"]
    account = api.account()
    status, answer = ask(client, LOG, workout(10_000), account.token)
    assert (status, codes(answer)) == (400, ["BAD_INPUT"])
    assert f"more than {VARIABLES_SIGNED_IN_MAX} values" in answer["errors"][0]["message"]


def test_reference_lists_cost_by_their_size(client: httpx2.Client) -> None:
    """Failed with each taken for one page: cost 61, 90 ms, 514 KB."""
    fields = " ".join(f"a{n}: exercises {{ ...E }}" for n in range(10))
    text = f"query {{ ...F }} fragment F on Query {{ {fields} }} fragment E on Exercise {{ name muscles {{ ...M }} }}"
    status, answer = ask(client, text + " fragment M on ExerciseMuscle { activation muscle { slug name biasWeight } }")
    assert (status, codes(answer)) == (400, ["BAD_INPUT"])
    assert "100 are allowed" in answer["errors"][0]["message"]


def test_messages_of_the_library_are_short(client: httpx2.Client) -> None:
    """Failed with the whole name repeated: 20 errors of 15 KB each."""
    answer = client.post(GRAPHQL, json={"query": "{ " + "x" * 15_000 + " }"})
    assert answer.status_code == 400
    assert len(answer.content) < 1_500
    assert "Cannot query field" in answer.json()["errors"][0]["message"]


def fill(api: Running, account: Account, events: int, size: int, kind: str = "workout_completed") -> None:
    channel = f"user:{account.id}"
    api.sql("INSERT INTO feed_channels (namespace, channel, last_offset) VALUES ('musclemap', $1, $2)", channel, events)
    event = {"id": str(uuid.uuid4()), "v": 1, "type": kind, "created_at": "2026-11-20T18:05:00Z", "actor": None}
    api.sql(
        "INSERT INTO feed_positions SELECT 'musclemap', $1, n, gen_random_uuid(), now(), $2"
        " FROM generate_series(1, $3::int) AS n",
        *(channel, orjson.dumps(event | {"data": {"note": "n" * size}}).decode(), events),
    )


def test_an_answer_has_at_most_a_mebibyte(api: Running) -> None:
    """Failed with 463 bytes that were answered by 3.8 MB."""
    ada = api.account()
    fill(api, ada, 60, 6_000)
    page = "dashboard(first: 60) { edges { node { data } } }"
    one = ada.graphql(f"{{ {page} }}")
    assert len(one["data"]["dashboard"]["edges"]) == 60
    ten = ada.graphql("{ " + " ".join(f"p{n}: {page}" for n in range(10)) + " }")
    assert (ten["data"], codes(ten)) == (None, ["ANSWER_TOO_LARGE"])
    assert str(GRAPHQL_ANSWER_BYTES_MAX) in ten["errors"][0]["message"]
    assert "path" not in ten["errors"][0]


def test_bytes_count_and_not_characters(api: Running) -> None:
    """While an answer is made its characters are counted. Failed without the second look: 1.2 MB were sent."""
    ada = api.account()
    fill(api, ada, 100, 1, kind="é" * 6_000)
    answer = ada.graphql("{ dashboard(first: 100) { edges { node { type } } } }")
    assert (answer["data"], codes(answer)) == (None, ["ANSWER_TOO_LARGE"])
    assert len(ada.graphql("{ dashboard(first: 80) { edges { node { type } } } }")["data"]["dashboard"]["edges"]) == 80


async def test_strangers_leave_half_of_the_pool(api: Running) -> None:
    """Failed with a connection for each page: two requests held all 20, and `me` waited 5 s for RETRY_LATER."""
    ada = await asyncio.to_thread(api.account)
    owner = await asyncpg.connect(api.database.owner_url)
    lock = owner.transaction()
    await lock.start()
    await owner.execute("LOCK TABLE feed_positions IN ACCESS EXCLUSIVE MODE")
    watcher = await asyncpg.connect(api.database.superuser_url)

    async def stand(backends: int) -> bool:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return int(await watcher.fetchval(query)) == backends

    async with httpx2.AsyncClient(base_url=api.url, timeout=20) as client:
        try:
            asked = [asyncio.create_task(client.post(GRAPHQL, json={"query": PAGES})) for _ in range(2)]
            await until(lambda: stand(2))
            asked += [asyncio.create_task(client.post(GRAPHQL, json={"query": PAGES})) for _ in range(18)]
            await until(lambda: stand(10))
            headers = {"authorization": f"Bearer {ada.token}"}
            mine = await client.post(GRAPHQL, json={"query": "{ me { id } }"}, headers=headers)
            assert mine.json()["data"]["me"]["id"] == ada.id
            assert await stand(10)
        finally:
            await lock.rollback()
            await owner.close()
            await watcher.close()
        answers = await asyncio.gather(*asked)
    assert {answer.status_code for answer in answers} == {200}
    assert all(len(answer.json()["data"]) == 10 for answer in answers)
