"""Kept answers: how long, for whom, what ends them, and what a cache on the way may keep."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from graphql import GraphQLObjectType, get_named_type

from api.app import SCHEMA
from config.graphql.hints import read
from config.redis import connect, heard
from rt.wire.bus import DROPS_CHANNEL
from rt.wire.drops import LEADERBOARDS, Drop, decode_drop, encode_drop
from tests.integration.api.conftest import Account, Running
from tests.integration.api.test_high_fives import happen

GRAPHQL = "/api/graphql"
PREFLIGHT = {"apollo-require-preflight": "true"}
BALANCE = "{ creditBalance { credits version } }"
HINTS = read(SCHEMA)


def ask(client: httpx2.Client, query: str, token: str = "") -> Any:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return client.post(GRAPHQL, json={"query": query}, headers=headers).json()


def hits(api: Running) -> int:
    return api.counted("graphql_cache_hits_total", '"responses"')


def tell(api: Running, what: Drop) -> None:
    """As another process does after a commit."""

    async def publish() -> None:
        async with connect(api.env["REDIS_URL"]) as client:
            await client.publish(DROPS_CHANNEL, encode_drop(what))

    asyncio.run(publish())


def until(wanted: Callable[[], bool], limit_s: float) -> float:
    """How long it took."""
    begun = time.monotonic()
    while not wanted():
        assert time.monotonic() - begun < limit_s
        time.sleep(0.02)
    return time.monotonic() - begun


@pytest.fixture(autouse=True)
def _kept(api: Running, client: httpx2.Client) -> None:
    """The process has heard itself: it keeps answers."""

    def keeps() -> bool:
        before = hits(api)
        ask(client, "{ equipment { slug } }")
        return hits(api) > before

    until(keeps, 10)


def test_the_second_who_asks_is_answered_from_what_is_kept(api: Running, client: httpx2.Client) -> None:
    query = "query Kept { exercises { slug name } }"
    first = ask(client, query)
    before = hits(api)
    ada = api.account()
    assert ask(client, query) == first == ada.graphql(query)  # she has another tier: an answer of her own
    assert hits(api) == before + 1
    assert ada.graphql(query) == api.account().graphql(query) == first
    assert hits(api) == before + 3


def test_what_differs_in_variables_operation_or_viewer_is_kept_apart(api: Running, client: httpx2.Client) -> None:
    """Seen failing without each of the three in the key."""
    text = "query A($of: String) { exercises(search: $of) { name } } query B { muscles { name } }"
    bodies = [
        {"query": text, "operationName": "A", "variables": {"of": "bench"}},
        {"query": text, "operationName": "A", "variables": {"of": "squat"}},
        {"query": text, "operationName": "B", "variables": {"of": "bench"}},
    ]
    for _ in range(2):
        answers = [client.post(GRAPHQL, json=body).json()["data"] for body in bodies]
        assert set(answers[0]) == set(answers[1]) == {"exercises"}
        assert answers[0] != answers[1]
        assert set(answers[2]) == {"muscles"}
    people = [api.account() for _ in range(2)]
    for _ in range(2):
        assert [one.graphql("{ me { id } }")["data"]["me"]["id"] for one in people] == [one.id for one in people]
    assert ask(client, "{ me { id } }")["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


def test_errors_are_never_kept(api: Running) -> None:
    ada = api.account()
    query = '{ user(id: "00000000-0000-7000-8000-000000000009") { name } }'
    before = hits(api)
    for _ in range(2):
        assert ada.graphql(query)["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    assert hits(api) == before


def test_a_viewer_reads_what_they_wrote(api: Running) -> None:
    """Seen failing without the drop after a mutation: the audience of before for half a minute."""
    ada, bob = api.account(), api.account()
    see_ada = f'{{ user(id: "{ada.id}") {{ name followState followers }} }}'
    see_bob = f'{{ user(id: "{bob.id}") {{ followsMe }} }}'
    for audience in ("FOLLOWERS", "EVERYONE", "NOBODY", "EVERYONE"):
        ada.graphql(f"mutation {{ setAudience(audience: {audience}) {{ id }} }}")
        assert ada.graphql("{ me { audience } }")["data"]["me"]["audience"] == audience
        # ... and what everybody else sees of them is new at once
        assert ("errors" in bob.graphql(see_ada)) == (audience == "NOBODY")
    assert ada.graphql(see_bob)["data"]["user"]["followsMe"] is False
    bob.graphql("mutation F($who: ID!) { follow(userId: $who) { id } }", who=ada.id.upper())
    assert bob.graphql(see_ada)["data"]["user"] == {"name": "Ada", "followState": "FOLLOWING", "followers": 1}
    assert ada.graphql(see_bob)["data"]["user"]["followsMe"] is True  # the other one hears of it, too
    ada.graphql(f'mutation {{ block(userId: "{bob.id}") }}')
    assert "errors" in bob.graphql(see_ada)


def test_what_another_process_changes_is_dropped_within_a_second(api: Running) -> None:
    """Seen failing without `listen`: the old balance for as long as it is kept."""
    ada, bob = api.account(), api.account()
    olds = [one.graphql(BALANCE)["data"] for one in (ada, bob)]
    for one in (ada, bob):
        account = api.sql("SELECT account_id FROM users WHERE id = $1", one.id)[0][0]
        api.sql("UPDATE credit_balances SET credits = credits + 1 WHERE account_id = $1", account)
    assert [one.graphql(BALANCE)["data"] for one in (ada, bob)] == olds  # nobody has said it
    tell(api, Drop(users=frozenset({ada.id})))
    assert until(lambda: ada.graphql(BALANCE)["data"] != olds[0], 5) < 1
    assert bob.graphql(BALANCE)["data"] == olds[1]


def test_the_others_are_told_of_a_mutation(api: Running) -> None:
    """Seen failing with drops that stay in the process."""
    ada, bob = api.account(), api.account()

    async def hear() -> Drop:
        async with connect(api.env["REDIS_URL"]) as client, asyncio.timeout(45):
            asking: asyncio.Task[Any] | None = None
            async for message in heard(client, DROPS_CHANNEL, 1):
                found = decode_drop(message)
                if asking is None:  # it is subscribed
                    asking = asyncio.create_task(
                        asyncio.to_thread(ada.graphql, "mutation F($u: ID!) { follow(userId: $u) { id } }", u=bob.id)
                    )
                elif found is not None and found.users:
                    await asking
                    return found
        raise AssertionError

    assert asyncio.run(hear()) == Drop(users=frozenset({ada.id, bob.id}))


def test_changed_reference_data_is_read_by_itself(api: Running, client: httpx2.Client) -> None:
    """By every process, without a word from anybody. Seen failing without `edition`: after a minute."""
    (old,) = (
        one["name"]
        for one in ask(client, "{ equipment { slug name } }")["data"]["equipment"]
        if one["slug"] == "barbell"
    )
    try:
        api.sql("UPDATE equipment SET name = 'Long bar' WHERE slug = 'barbell'")
        wanted = {"slug": "barbell", "name": "Long bar"}
        assert until(lambda: wanted in ask(client, "{ equipment { slug name } }")["data"]["equipment"], 10) < 2
    finally:
        api.sql("UPDATE equipment SET name = $1 WHERE slug = 'barbell'", old)


def everybodys(of: str, depth: int = 5) -> str:
    """All fields below a type that are for everybody, as a selection set; empty where there is none."""
    found = []
    owner = SCHEMA.type_map[of]
    assert isinstance(owner, GraphQLObjectType)
    for name in owner.fields:
        hint = HINTS[of, name]
        if hint.own or hint.life_s == 0:
            continue
        below = everybodys(hint.of, depth - 1) if hint.of and depth else ""
        if hint.of is None or below:
            found.append(f"{name} {below}".strip())
    return "{ " + " ".join(found) + " }" if found else ""


def public_queries() -> Iterator[str]:
    arguments = {"leaderboard": "(board: XP, period: ALL_TIME)", "communityFeed": "(first: 5)"}
    query = SCHEMA.query_type
    assert query is not None
    for name, definition in query.fields.items():
        hint = HINTS["Query", name]
        if hint.life_s and not hint.own:
            yield f"{{ {name}{arguments.get(name, '')} {everybodys(get_named_type(definition.type).name)} }}"


def test_what_is_for_everybody_is_the_same_for_everybody(api: Running, client: httpx2.Client) -> None:
    """Each public field there is, as whoever wrote the events, somebody whom they block, and nobody see it. Seen
    failing without PRIVATE at `highFived`, and at `me` of a leaderboard's entry."""
    ada, bob = api.account(), api.account()
    happen(api, ada.id, ada.id)
    page = ask(client, "{ communityFeed(first: 1) { edges { node { id } } } }")["data"]["communityFeed"]["edges"]
    sent = bob.graphql(
        f'mutation {{ sendHighFive(eventId: "{page[0]["node"]["id"]}", idempotencyKey: "k") {{ eventId }} }}'
    )
    assert "errors" not in sent
    ada.graphql(f'mutation {{ block(userId: "{bob.id}") }}')
    ranked(api, ada, bob)
    queries = list(public_queries())
    assert len(queries) == 7, queries
    for query in queries:
        # By a name of its own each: nobody is given what was kept for another.
        seen = [
            ask(client, f"query Nobody {query}"),
            ada.graphql(f"query Ada {query}"),
            bob.graphql(f"query Bob {query}"),
        ]
        assert "errors" not in seen[0], (query, seen[0])
        assert seen[0] == seen[1] == seen[2], query
    no_more_ranks(api)


def ranked(api: Running, *people: Account) -> None:
    """They are on the leaderboards."""
    for n, one in enumerate(people):
        api.sql(
            "UPDATE progress SET xp = $2, volume = 10, streak_days = 1, streak_last = current_date WHERE user_id = $1",
            *(one.id, 100 + n),
        )
    api.sql(
        "INSERT INTO job_runs (job, slot, worker, started, finished) VALUES ('leaderboards', now(), 'me', now(), now())"
    )
    api.sql("REFRESH MATERIALIZED VIEW leaderboard")


def no_more_ranks(api: Running) -> None:
    """Nobody is on a leaderboard, as other tests of this folder have it."""
    api.sql("UPDATE progress SET xp = 0, volume = 0, streak_days = 0, streak_last = NULL")
    api.sql("DELETE FROM job_runs")
    api.sql("REFRESH MATERIALIZED VIEW leaderboard")
    tell(api, Drop(types=frozenset({LEADERBOARDS})))


def test_a_cache_on_the_way_keeps_what_is_for_everybody_alone(api: Running, client: httpx2.Client) -> None:
    """Seen failing with `public` for whoever is signed in, and for what has something of the viewer in it."""

    def get(query: str, token: str = "", **headers: str) -> httpx2.Response:
        signed = {"authorization": f"Bearer {token}"} if token else {}
        return client.get(GRAPHQL, params={"query": query}, headers={**PREFLIGHT, **signed, **headers})

    ada = api.account()
    for query, life_s in (("{ muscles { slug } }", 900), ("{ archetypes { slug } }", 1_800)):
        answer = get(query)
        word, _, seconds = answer.headers["cache-control"].partition(", max-age=")
        assert word == "public"
        assert life_s - 60 < int(seconds) <= life_s
        varied = {one.strip().lower() for one in answer.headers["vary"].split(",")}
        assert {"accept", "authorization", "origin"} <= varied
    assert get("{ communityFeed { edges { cursor } } }").headers["cache-control"] == "public, max-age=1"
    kept = [
        get("{ muscles { slug } }", ada.token),
        get("{ me { id } }", ada.token),
        get("{ me { id } }"),
        get("{ communityFeed { edges { node { highFived } } } }"),
        get(f'{{ user(id: "{ada.id}") {{ name }} }}'),
        get("{ presenceStats { online } }"),
        get("{ muscle }"),
        get("{ exercises(search: 1) { name } }"),
        get("{ muscles { slug } }", "none"),
        client.post(GRAPHQL, json={"query": "{ muscles { slug } }"}),
    ]
    assert {one.headers["cache-control"] for one in kept} == {"no-store"}
