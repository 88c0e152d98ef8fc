"""Every field of the schema, asked about Ada by each who may stand in some relation to her; who_sees.py says who is
told.

Ada has what nobody else has, at each field; the others have accounts in their trial and nothing in them. So whoever is
told one of her values is told hers.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx2
import orjson
import pytest
from graphql import (
    GraphQLField,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    get_named_type,
)

from api.app import SCHEMA
from config.ids import uuid7
from tests.integration.api.conftest import Account, Running
from tests.integration.api.who_sees import ASKED, AUDIENCES, NAMED, NAMELESS, RELATIONS, RULES, Ada, everybody, nobody

GRAPHQL: Final = "/api/graphql"
ROOTS: Final = ("Query", "Mutation")
CANARIES: Final = ("Ada Canary", "note of the canary")
# The workouts of the others: with her key and another input.
OTHER_INPUT: Final = '{performedAt: "2026-11-02T08:00:00Z", exercises: [{exerciseId: "%s", sets: [{reps: 3}]}]}'
HER_INPUT: Final = (
    '{performedAt: "2026-11-01T07:11:13Z", note: "note of the canary",'
    ' exercises: [{exerciseId: "%s", sets: [{reps: 17, weightKg: 43.75}]}]}'
)

Seen = defaultdict[str, set[str]]


def fields() -> Iterator[tuple[str, GraphQLField]]:
    """Each field of each object type, by `Type.field`."""
    for name, kind in SCHEMA.type_map.items():
        if isinstance(kind, GraphQLObjectType) and not name.startswith("__") and name != "Subscription":
            for field, of in kind.fields.items():
                yield f"{name}.{field}", of


def object_type(field: str) -> GraphQLObjectType:
    """The type of a `Type.field`."""
    found = SCHEMA.type_map[field.partition(".")[0]]
    assert isinstance(found, GraphQLObjectType)
    return found


def test_each_field_has_a_rule_and_each_root_field_is_asked() -> None:
    """Seen failing with a field that was added to the schema, and with a rule for one that is gone."""
    there = {name for name, _ in fields()}
    assert there == set(RULES), "say in who_sees.py who may see it"
    assert {name for name in there if name.partition(".")[0] in ROOTS} == set(ASKED)


def selection(kind: GraphQLOutputType, above: tuple[str, ...] = ()) -> str:
    """All that can be asked of a type, but for types within themselves and fields that need an argument."""
    named = get_named_type(kind)
    if not isinstance(named, GraphQLObjectType):
        return ""
    parts = [
        f"{name} {selection(field.type, (*above, named.name))}"
        for name, field in named.fields.items()
        if get_named_type(field.type).name not in (*above, named.name)
        and not any(isinstance(one.type, GraphQLNonNull) for one in field.args.values())
    ]
    return f"{{ {' '.join(parts)} }}"


def leaves(kind: GraphQLObjectType, value: Mapping[str, Any], seen: Seen) -> set[str]:
    """Notes each value by its field, and with that by each field above it; returns those that are a person's."""
    found: set[str] = set()
    for name, of in ((name, f"{kind.name}.{name}") for name in value):
        below = get_named_type(kind.fields[name].type)
        for one in value[name] if isinstance(value[name], list) else [value[name]]:
            if one is None or (one == 0 and one is not False) or RULES[of] is everybody:  # 0 tells nothing
                continue
            if isinstance(below, GraphQLObjectType):
                within = leaves(below, one, seen)
            else:
                within = {f"{of} {orjson.dumps(one).decode()}"}
            seen[of] |= within
            found |= within
    return found


@dataclass
class Scene:
    """Ada, and who asks about her."""

    ada: Ada
    viewers: dict[str, Account | None]
    inputs: dict[str, str]
    client: httpx2.Client

    def ask(self, root: str, relation: str) -> tuple[dict[str, Any], str]:
        """The answer of a root field, and its text."""
        operation, _, field = root.partition(".")
        of = object_type(root).fields[field]
        ada = replace(self.ada, input=self.inputs["owner" if relation == "owner" else "other"])
        text = f"{operation.lower()} {{ {field}{ASKED[root](ada)} {selection(of.type)} }}"
        viewer = self.viewers[relation]
        headers = {"authorization": f"Bearer {viewer.token}"} if viewer else {}
        answer = self.client.post(GRAPHQL, json={"query": text}, headers=headers)
        return answer.json().get("data") or {}, answer.text

    def seen(self, root: str, relation: str) -> tuple[Seen, str]:
        """What a root field told, by field, and its text."""
        seen: Seen = defaultdict(set)
        data, text = self.ask(root, relation)
        leaves(object_type(root), data, seen)
        return seen, text


def scene(api: Running, client: httpx2.Client, audience: str) -> Scene:
    """Ada with all that a user may have, and one account for each relation."""
    people = {relation: api.account() for relation in RELATIONS if relation != "anonymous"}
    ids = {relation: uuid.UUID(account.id) for relation, account in people.items()}
    ada = people["owner"]
    found = client.post(GRAPHQL, json={"query": '{ exercises(search: "bench press") { id } }'}).json()
    exercises = [one["id"] for one in found["data"]["exercises"]]
    inputs = {"owner": HER_INPUT % exercises[0], "other": OTHER_INPUT % exercises[1]}
    key = f"key {ids['owner']}"
    api.sql(
        "UPDATE users SET trial_ends_at = '2026-10-13T13:13:13Z', subscribed_until = '2026-10-17T17:17:17Z',"
        " time_zone = 'Pacific/Chatham', archetype_id = (SELECT min(id::text)::uuid FROM archetypes) WHERE id = $1",
        ids["owner"],
    )
    answer = ada.graphql(
        f'mutation {{ logWorkout(idempotencyKey: "{key}", input: {inputs["owner"]}) {{ workout {{ id }} }} }}'
    )
    workout = answer["data"]["logWorkout"]["workout"]["id"]
    hers = ada.graphql("{ challenges { id kind } }")["data"]["challenges"]
    challenge = next(one["id"] for one in hers if one["kind"] == "COMMUNITY")
    assert ada.graphql(f'mutation {{ joinChallenge(id: "{challenge}") {{ id }} }}')["data"]
    make_ada(api, ids["owner"], audience, workout)
    make_earned(api, ids["owner"], uuid.UUID(api.account().id))
    for relation, other in ids.items():
        if relation != "owner":
            make_other(api, relation, other, ids["owner"], audience)
    made = Ada(str(ids["owner"]), workout, key, inputs["owner"], challenge)
    return Scene(made, {**people, "anonymous": None}, inputs, client)


def make_ada(api: Running, ada: uuid.UUID, audience: str, workout: str) -> None:
    """Values that nobody else has, and an event in her feed and in the community's."""
    api.sql(
        "UPDATE users SET name = 'Ada Canary', roles = '{coach}', audience = $2 WHERE id = $1",
        *(ada, audience),
    )
    account = api.sql("SELECT account_id FROM users WHERE id = $1", ada)[0]["account_id"]
    for amount in (4_711, -58):
        reason = "found by a canary" if amount > 0 else "spent on a canary"
        api.sql("SELECT post_credits($1, $2, 'welcome', $3, $4, NULL, now())", uuid7(), account, amount, reason)
    her = {"id": str(ada), "name": "Ada Canary"}
    for channel, actor in ((f"user:{ada}", her), (f"profile:{ada}", her), ("community", None)):
        event_id = uuid7()
        event = {"id": str(event_id), "v": 2, "type": "workout_completed", "created_at": "2026-11-01T07:11:00Z"}
        data = {"workout_id": workout, "total_tu": 4_711.5} if actor else {"v": 2, "total_tu": 4_000}
        offset = api.sql(
            "INSERT INTO feed_channels AS c (namespace, channel, last_offset) VALUES ('musclemap', $1, 1)"
            " ON CONFLICT (namespace, channel) DO UPDATE SET last_offset = c.last_offset + 1 RETURNING last_offset",
            channel,
        )[0]["last_offset"]
        api.sql(
            'INSERT INTO feed_positions (namespace, channel, "offset", event_id, event_at, body)'
            " VALUES ('musclemap', $1, $2, $3, now(), $4)",
            *(channel, offset, event_id, orjson.dumps(event | {"actor": actor, "data": data}).decode()),
        )
        api.sql("INSERT INTO high_five_counts (rendition_id, share, high_fives) VALUES ($1, 0, 13)", event_id)


def make_earned(api: Running, ada: uuid.UUID, rival: uuid.UUID) -> None:
    """Figures that nobody else has, the one place on the leaderboard, and a rival, whom she follows."""
    api.sql("UPDATE progress SET xp = 0")
    api.sql(
        "UPDATE progress SET xp = 4711, level = 17, streak_days = 23, streak_longest = 29,"
        " streak_last = (now() AT TIME ZONE 'Pacific/Chatham')::date WHERE user_id = $1",
        ada,
    )
    api.sql("INSERT INTO follow_counts (user_id, followers, following) VALUES ($1, 31, 37)", ada)
    api.sql("INSERT INTO follows VALUES ($1, $2, 'following', now())", ada, rival)
    api.sql("UPDATE user_challenges SET progress = 4711.5 WHERE user_id = $1", ada)
    api.sql(
        "INSERT INTO rivals (user_id, rival_id, since, my_start, their_start, my_score, their_score)"
        " VALUES ($1, $2, '2026-10-19T19:19:19Z', 0, 0, 4711, 4712)",
        *(ada, rival),
    )
    api.sql("REFRESH MATERIALIZED VIEW leaderboard")
    api.sql(
        "INSERT INTO job_runs (job, slot, worker, started, finished) VALUES ('leaderboards', now(), '', now(), now())"
    )


def make_other(api: Running, relation: str, other: uuid.UUID, ada: uuid.UUID, audience: str) -> None:
    """Somebody with nothing, an audience that is not Ada's, and the relation."""
    api.sql(
        "UPDATE users SET name = 'Other', audience = $2 WHERE id = $1",
        *(other, next(one for one in AUDIENCES if one != audience)),
    )
    if relation in ("follower", "requested"):
        state = "following" if relation == "follower" else "requested"
        api.sql("INSERT INTO follows VALUES ($1, $2, $3, now())", other, ada, state)
    if relation == "blocked":
        api.sql("INSERT INTO blocks VALUES ($1, $2, now())", ada, other)
    if relation == "deleted":
        api.sql("DELETE FROM users WHERE id = $1", other)


@pytest.mark.parametrize("audience", AUDIENCES)
def test_each_viewer_sees_what_the_rules_say(api: Running, client: httpx2.Client, audience: str) -> None:
    """And none of her words where she has no name. Seen failing with a profile's header for whom she blocked, with a
    merged feed for those who only ask to follow, and with a leaderboard that looks at no audience."""
    on = scene(api, client, audience)
    wrong: list[str] = []
    reached: set[str] = set()
    for root in (root for root in ASKED if RULES[root] is not everybody or root in NAMELESS):
        hers, to_her = on.seen(root, "owner")
        reached |= {name for name, values in hers.items() if values}
        for relation in RELATIONS:
            theirs, text = (hers, to_her) if relation == "owner" else on.seen(root, relation)
            for name, values in hers.items():
                may = RULES[root](relation, audience) and RULES[name](relation, audience)
                if RULES[root] is not everybody and values and may != bool(values & theirs[name]):
                    wrong.append(f"{root}: {name} to {relation}: {theirs[name]}")
            if root in NAMED and (CANARIES[0] in text) != NAMED[root](relation, audience):
                wrong.append(f"{root}: her name to {relation}")
            if root in NAMELESS or not RULES[root](relation, audience):
                words = (*CANARIES, on.ada.id) if root in NAMELESS else CANARIES
                wrong += [f"{root}: {word!r} to {relation}" for word in words if word in text]
    unseen = {name for name, rule in RULES.items() if rule not in (everybody, nobody)} - reached - set(NAMED)
    wrong += [f"{name}: Ada has none, so nobody can be told it" for name in sorted(unseen)]
    assert not wrong, "\n".join(wrong)
