"""High fives as clients of the API meet them: sent, refused by the contract's codes, counted on pages."""

import asyncio
import uuid
from typing import Any

import httpx2
import pytest

from config.db.postgres import connect, make_pool
from config.settings import Settings
from tests.integration.api.conftest import Account, Running
from tests.integration.test_relay_backlog import lead
from tests.support.community import EVENTS, PUBLIC, record
from tests.support.ledger import connection
from worker.relay import renditions_of
from worker.store import RelayStore

SEND = """
mutation Send($event: ID!, $key: String!) {
  sendHighFive(eventId: $event, idempotencyKey: $key) { eventId highFives existing }
}
"""
PAGE = "{ edges { node { id actor { id } highFives highFived } } }"


def happen(api: Running, *users: str) -> list[str]:
    """Public workouts of these people, numbered: their ids."""

    async def work() -> list[str]:
        pool = make_pool(Settings(database_url=api.database.worker_url))
        await connect(pool)
        try:
            async with connection(api.database.superuser_url) as app:
                data = EVENTS["workout_completed"][0][1]
                ids = [await record(app, uuid.UUID(user), "workout_completed", PUBLIC, data) for user in users]
            relay, lease = RelayStore(pool), await lead(pool)
            while (await relay.number(lease, {}, renditions_of)).events:
                pass
            return [str(one) for one in ids]
        finally:
            await pool.close()

    return asyncio.run(work())


def send(who: Account, event: str, key: str = "k") -> Any:
    """What was answered, or the error's code and status."""
    answer = who.graphql(SEND, event=event, key=key)
    if "errors" in answer:
        shown = answer["errors"][0]["extensions"]
        return shown["code"], shown["statusCode"]
    return answer["data"]["sendHighFive"]


def statements(api: Running, name: str) -> int:
    """How often the process has run one."""
    text = httpx2.get(api.service.http("/metrics")).text
    counted = [line for line in text.splitlines() if line.startswith("pg_query_duration_seconds_count")]
    found = [line for line in counted if f'"{name}"' in line]
    return int(float(found[0].rpartition(" ")[2])) if found else 0


def test_sent_counted_and_refused(api: Running, client: httpx2.Client) -> None:
    """Seen failing with `highFived` for whoever is not signed in, and with a repeat that counts."""
    ann, bob = api.account(), api.account()
    own, _ = happen(api, ann.id, ann.id)
    newest = client.post("/api/graphql", json={"query": f"{{ communityFeed(first: 1) {PAGE} }}"}).json()
    (edge,) = newest["data"]["communityFeed"]["edges"]
    event = edge["node"]["id"]
    assert edge["node"] == {"id": event, "actor": None, "highFives": 0, "highFived": False}
    assert send(bob, event) == {"eventId": event, "highFives": 1, "existing": False}
    assert send(bob, event, "another") == {"eventId": event, "highFives": 1, "existing": True}
    assert send(ann, event) == send(ann, own) == ("CONFLICT", 409)
    for unknown in (own, str(uuid.uuid4()), "none", ""):
        assert send(bob, unknown) == ("NOT_FOUND", 404)
    for key in ("", "k" * 201, "a\nb", "é"):
        assert send(bob, event, key) == ("BAD_INPUT", 400)
    refused = client.post("/api/graphql", json={"query": SEND, "variables": {"event": event, "key": "k"}}).json()
    assert refused["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    query = f"{{ communityFeed(first: 1) {PAGE} }}"
    shown = {
        "ann": ann.graphql(query)["data"]["communityFeed"],
        "bob": bob.graphql(query)["data"]["communityFeed"],
        "nobody": client.post("/api/graphql", json={"query": query}).json()["data"]["communityFeed"],
    }
    seen = {name: one["edges"][0]["node"] for name, one in shown.items()}
    assert {name: (one["highFives"], one["highFived"]) for name, one in seen.items()} == {
        "ann": (1, False),
        "bob": (1, True),
        "nobody": (1, False),
    }


@pytest.mark.parametrize("field", ["communityFeed", "dashboard"])
def test_those_of_a_page_are_counted_by_one_statement(api: Running, field: str) -> None:
    """Whatever its length. Seen failing with a statement for each event (40)."""
    ann = api.account()
    happen(api, *[ann.id] * 20)
    before = statements(api, "highfives.tallies"), statements(api, "feed.page")
    page = ann.graphql(f"{{ {field}(first: 20) {PAGE} }}")["data"][field]["edges"]
    assert len(page) == 20
    assert (statements(api, "highfives.tallies"), statements(api, "feed.page")) == (before[0] + 1, before[1] + 1)
