"""GraphQL over the real process: the main job, its refusals, and what is nobody else's business."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx2
import orjson
import pytest

from tests.integration.api.conftest import Account, Running

GRAPHQL = "/api/graphql"
JSON = {"content-type": "application/json"}
WORKOUT = """
  id performedAt note totalTu
  muscles { trainingUnits muscle { id slug name biasWeight } }
  exercises { exercise { id slug name equipment { id slug name } } sets { reps weightKg } }
"""
LOG = f"""
mutation Log($input: LogWorkoutInput!, $key: String!) {{
  logWorkout(input: $input, idempotencyKey: $key) {{
    workout {{ {WORKOUT} }} charged existing balance {{ credits version }}
  }}
}}
"""
FEED = """
query($first: Int, $after: String) {
  communityFeed(first: $first, after: $after) {
    edges { cursor node { id type createdAt cursor actor { id name } data } }
    pageInfo { endCursor hasNextPage }
    position { epoch offset }
  }
}
"""


@pytest.fixture
def ada(api: Running) -> Account:
    return api.account()


@pytest.fixture
def press(client: httpx2.Client) -> str:
    """The id of an exercise."""
    query = '{ exercises(search: "barbell bench press") { id slug } }'
    found = client.post(GRAPHQL, json={"query": query}).json()["data"]["exercises"]
    return str(next(one["id"] for one in found if one["slug"] == "barbell-bench-press"))


def workout(press: str, **changes: Any) -> dict[str, Any]:
    exercises = [{"exerciseId": press, "sets": [{"reps": 10, "weightKg": 60}] * 3}]
    return {"performedAt": datetime.now(UTC).isoformat(), "exercises": exercises, **changes}


def code(answer: dict[str, Any]) -> str:
    assert answer["errors"], answer
    shown = answer["errors"][0]["extensions"]
    assert set(shown) >= {"code", "message", "statusCode"}
    assert shown["message"] == answer["errors"][0]["message"]
    return str(shown["code"])


def test_a_workout_is_logged_once_however_often_it_is_sent(ada: Account, press: str) -> None:
    """Seen failing with the replay answered from the new input."""
    sent = workout(press, note="felt strong")
    first = ada.graphql(LOG, input=sent, key="k")["data"]["logWorkout"]
    assert (first["charged"], first["existing"], first["balance"]) == (0, False, {"credits": 100, "version": 1})
    assert first["workout"]["exercises"][0]["sets"] == [{"reps": 10, "weightKg": 60.0}] * 3
    total = sum(one["trainingUnits"] for one in first["workout"]["muscles"])
    assert first["workout"]["totalTu"] == pytest.approx(total)
    chest = next(one for one in first["workout"]["muscles"] if one["muscle"]["slug"] == "chest")
    assert chest["trainingUnits"] == pytest.approx(90 / chest["muscle"]["biasWeight"] * 30)
    again = ada.graphql(LOG, input=sent, key="k")["data"]["logWorkout"]
    assert again == {**first, "existing": True}
    other = ada.graphql(LOG, input={**sent, "note": "else"}, key="k")
    assert (code(other), other["errors"][0]["extensions"]["statusCode"]) == ("IDEMPOTENCY_MISMATCH", 422)
    shown = ada.graphql(f"query($id: ID!) {{ workout(id: $id) {{ {WORKOUT} }} }}", id=first["workout"]["id"])
    assert shown["data"]["workout"] == first["workout"]
    mine = ada.graphql("{ myWorkouts { edges { node { id } } pageInfo { hasNextPage } } }")["data"]["myWorkouts"]
    assert [edge["node"]["id"] for edge in mine["edges"]] == [first["workout"]["id"]]


def test_after_the_trial_a_workout_costs_until_nothing_is_left(api: Running, ada: Account, press: str) -> None:
    api.sql("UPDATE users SET trial_ends_at = now() - interval '1 day' WHERE id = $1", uuid.UUID(ada.id))
    for n in range(4):
        paid = ada.graphql(LOG, input=workout(press), key=f"k{n}")["data"]["logWorkout"]
        assert (paid["charged"], paid["balance"]["credits"]) == (25, 75 - 25 * n)
    refused = ada.graphql(LOG, input=workout(press), key="k4")
    assert (code(refused), refused["errors"][0]["extensions"]["statusCode"]) == ("INSUFFICIENT_CREDITS", 400)
    assert refused["data"] is None
    ledger = "{ creditLedger(first: 3) { edges { node { amount balanceAfter reason } } pageInfo { hasNextPage } } }"
    page = ada.graphql(ledger)["data"]["creditLedger"]
    assert [edge["node"]["amount"] for edge in page["edges"]] == [-25, -25, -25]
    assert page["pageInfo"]["hasNextPage"] is True
    may = ada.graphql("{ entitlements { unlimited reason credits } }")["data"]["entitlements"]
    assert may == {"unlimited": False, "reason": "CREDITS", "credits": 0}


def _bad_inputs() -> Iterator[tuple[str, dict[str, Any]]]:
    now = datetime.now(UTC)
    unknown = str(uuid.uuid4())
    yield "no exercise", {"exercises": []}
    yield "101 exercises", {"exercises": [{"exerciseId": "PRESS", "sets": [{"reps": 1}]}] * 101}
    yield "no set", {"exercises": [{"exerciseId": "PRESS", "sets": []}]}
    yield "negative reps", {"exercises": [{"exerciseId": "PRESS", "sets": [{"reps": -1}]}]}
    yield "no reps", {"exercises": [{"exerciseId": "PRESS", "sets": [{"reps": 0}]}]}
    yield "too many reps", {"exercises": [{"exerciseId": "PRESS", "sets": [{"reps": 2**31 - 1}]}]}
    yield "negative weight", {"exercises": [{"exerciseId": "PRESS", "sets": [{"reps": 1, "weightKg": -1}]}]}
    yield "unknown exercise", {"exercises": [{"exerciseId": unknown, "sets": [{"reps": 1}]}]}
    yield "no id", {"exercises": [{"exerciseId": "'; --", "sets": [{"reps": 1}]}]}
    yield "the future", {"performedAt": (now + timedelta(days=1)).isoformat()}
    yield "before time", {"performedAt": "1850-01-01T00:00:00Z"}
    yield "a long note", {"note": "x" * 2_001}
    yield "NUL in a note", {"note": "a\0b"}
    yield "nobody may know", {"visibility": []}


@pytest.mark.parametrize("changes", [pytest.param(changes, id=name) for name, changes in _bad_inputs()])
def test_a_workout_that_cannot_be_is_bad_input(ada: Account, press: str, changes: dict[str, Any]) -> None:
    changed = orjson.loads(orjson.dumps(changes).replace(b"PRESS", press.encode()))
    assert code(ada.graphql(LOG, input=workout(press, **changed), key="k")) == "BAD_INPUT"
    assert ada.graphql("{ myWorkouts { edges { cursor } } }")["data"]["myWorkouts"]["edges"] == []


@pytest.mark.parametrize("key", ["", "x" * 300, "a\nb", "é"])
def test_a_bad_key_is_bad_input(ada: Account, press: str, key: str) -> None:
    assert code(ada.graphql(LOG, input=workout(press), key=key)) == "BAD_INPUT"


@pytest.mark.parametrize(
    "changes",
    [
        {"exercises": [{"exerciseId": "x", "sets": [{"reps": 1.5}]}]},
        {"exercises": "none"},
        {"performedAt": "2026-01-01"},
        {"visibility": ["EVERYBODY"]},
        {"extra": 1},
        {"performedAt": None},
        {"exercises": [{"sets": [{"reps": 2**31}]}]},
    ],
)
def test_variables_of_the_wrong_type_are_refused_before_execution(ada: Account, changes: dict[str, Any]) -> None:
    """The request is refused, so it has its status. Seen failing (200) with every error taken for a field's."""
    body = {"query": LOG, "variables": {"input": workout("x", **changes), "key": "k"}}
    answer = ada.client.post(GRAPHQL, json=body, headers={"authorization": f"Bearer {ada.token}"})
    assert (answer.status_code, code(answer.json())) == (400, "BAD_INPUT")
    assert "data" not in answer.json()


def test_what_is_not_yours_is_not_there(api: Running, ada: Account, press: str) -> None:
    """Seen failing with the owner left out of the query."""
    hers = ada.graphql(LOG, input=workout(press), key="k")["data"]["logWorkout"]["workout"]["id"]
    eve = api.account()
    query = "query($id: ID!) { workout(id: $id) { id } }"
    theirs, none = eve.graphql(query, id=hers), eve.graphql(query, id=str(uuid.uuid4()))
    assert theirs == none == eve.graphql(query, id="no id at all")
    assert (theirs["data"], code(theirs)) == ({"workout": None}, "NOT_FOUND")
    assert eve.graphql("{ myWorkouts { edges { cursor } } }")["data"]["myWorkouts"]["edges"] == []
    paid = eve.graphql(LOG, input=workout(press), key="k")["data"]["logWorkout"]  # keys are each user's own
    assert (paid["existing"], paid["workout"]["id"] != hers) == (False, True)


@pytest.mark.parametrize(
    "query",
    [
        "{ me { id } }",
        "{ myWorkouts { edges { cursor } } }",
        '{ workout(id: "x") { id } }',
        "{ creditBalance { credits } }",
        "{ creditLedger { edges { cursor } } }",
        "{ entitlements { reason } }",
        "{ dashboard { edges { cursor } } }",
    ],
)
def test_nobody_is_told_to_sign_in(client: httpx2.Client, query: str) -> None:
    answer = client.post(GRAPHQL, json={"query": query})
    assert (answer.status_code, code(answer.json())) == (200, "UNAUTHENTICATED")


@pytest.mark.parametrize("header", ["Bearer nonsense", "Basic YTpi", "Bearer"])
def test_a_bad_token_is_401_even_for_what_is_public(client: httpx2.Client, header: str) -> None:
    answer = client.post(GRAPHQL, json={"query": "{ muscles { id } }"}, headers={"authorization": header})
    assert (answer.status_code, code(answer.json())) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_everybody_may_look(client: httpx2.Client) -> None:
    query = """{
      exercises { id slug name equipment { id slug name } muscles { activation muscle { id slug name biasWeight } } }
      muscles { id } equipment { id slug name }
      presenceStats { online training }
      presenceMap(west: -180, south: -85, east: 180, north: 85, zoom: 3) { resolution online cells { cell count } }
    }"""
    data = client.post(GRAPHQL, json={"query": query}).json()["data"]
    assert len(data["exercises"]) >= 60
    muscle = data["muscles"][0]["id"]
    by_muscle = client.post(GRAPHQL, json={"query": f'{{ exercises(muscle: "{muscle}") {{ id }} }}'}).json()
    assert 0 < len(by_muscle["data"]["exercises"]) < len(data["exercises"])
    assert data["presenceMap"]["resolution"] == 2


@pytest.mark.parametrize(
    "box",
    [
        "west: 0, south: 91, east: 1, north: 92, zoom: 3",
        "west: 0, south: 2, east: 1, north: 1, zoom: 3",
        "west: 0, south: 0, east: 1, north: 1, zoom: 23",
        "west: 0, south: 0, east: 1e999, north: 1, zoom: 3",
    ],
)
def test_a_viewport_that_is_none_is_bad_input(client: httpx2.Client, box: str) -> None:
    assert code(client.post(GRAPHQL, json={"query": f"{{ presenceMap({box}) {{ online }} }}"}).json()) == "BAD_INPUT"


def test_the_feed_is_paged_by_positions(api: Running, client: httpx2.Client) -> None:
    bodies = [
        {"id": str(uuid.uuid4()), "v": 2, "type": "workout_completed", "created_at": "2026-11-20T18:05:00Z"}
        | {"actor": None, "data": {"total_tu": n}}
        for n in range(1, 6)
    ]
    api.sql("INSERT INTO feed_channels (namespace, channel, last_offset) VALUES ('musclemap', 'community', 5)")
    for n, body in enumerate(bodies, 1):
        place = "INSERT INTO feed_positions VALUES ('musclemap', 'community', $1, $2, now(), $3)"
        api.sql(place, n, uuid.uuid4(), orjson.dumps(body).decode())
    epoch = api.sql("SELECT epoch FROM installation")[0]["epoch"]

    def page(**variables: Any) -> dict[str, Any]:
        found: dict[str, Any] = client.post(GRAPHQL, json={"query": FEED, "variables": variables}).json()
        return found

    newest = page(first=2)["data"]["communityFeed"]
    assert newest["position"] == {"epoch": epoch, "offset": 5}
    assert type(newest["position"]["offset"]) is int
    assert [edge["node"]["data"]["total_tu"] for edge in newest["edges"]] == [5, 4]
    assert all(edge["cursor"] == edge["node"]["cursor"] for edge in newest["edges"])
    assert newest["edges"][0]["node"]["createdAt"] == "2026-11-20T18:05:00Z"
    rest = page(first=3, after=newest["pageInfo"]["endCursor"])["data"]["communityFeed"]
    assert [edge["node"]["data"]["total_tu"] for edge in rest["edges"]] == [3, 2, 1]
    assert (newest["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)
    for wrong in ({"after": "nonsense"}, {"first": 0}, {"first": 101}, {"after": ""}, {"first": -1}):
        assert code(page(**wrong)) == "BAD_INPUT"


def _refused() -> Iterator[tuple[str, str]]:
    yield "depth 50", "{ a " * 50 + "}" * 50
    yield "200 aliases", "{ " + " ".join(f"a{n}: muscles {{ id }}" for n in range(200)) + " }"
    yield (
        "aliases in fragments",
        "{ ...F ...F } fragment F on Query { " + "".join(f"a{n}: muscles {{ id }} " for n in range(6)) + "}",
    )
    yield "1,000 fields", "{ muscles { " + "id " * 1_000 + "} }"
    yield "a fragment cycle", "{ ...F } fragment F on Query { ...F }"
    yield "100 directives", "{ muscles { id " + "@include(if: true) " * 100 + "} }"
    yield "a huge page", "{ communityFeed(first: 99999999) { edges { cursor } } }"
    yield "unknown field", "{ muscle { id } }"
    yield "no text", ""
    yield "no query", "{"
    yield "a subscription", "subscription { communityFeed { id } }"
    yield "deep lists", "{ exercises(search: " + "[" * 5_000 + "]" * 5_000 + ") { id } }"


@pytest.mark.parametrize("query", [pytest.param(query, id=name) for name, query in _refused()])
def test_what_asks_too_much_or_nothing_is_refused_before_execution(client: httpx2.Client, query: str) -> None:
    answer = client.post(GRAPHQL, json={"query": query})
    assert (answer.status_code, code(answer.json())) == (400, "BAD_INPUT")
    assert "data" not in answer.json()
    assert "did you mean" not in answer.text.lower()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b'{"query": 5}',
        b'{"query": "{ muscles { id } }", "variables": []}',
        b'{"variables": {}}',
        b'{"query": "{ muscles { id } }", "operationName": "None"}',
        b'{"query": "\\ud800"}',
        b'{"query": "{ muscles { id } }", "variables": ' + b"[" * 3000 + b"}",
    ],
)
def test_what_is_no_request_is_answered_in_graphqls_shape(client: httpx2.Client, content: bytes) -> None:
    answer = client.post(GRAPHQL, content=content, headers=JSON)
    assert (answer.status_code, code(answer.json())) == (400, "BAD_INPUT")


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_only_json_is_read(ada: Account, content_type: str | None) -> None:
    """What a form of another site can send has no effect."""
    headers = {"authorization": f"Bearer {ada.token}"} | ({"content-type": content_type} if content_type else {})
    answer = ada.client.post(GRAPHQL, content=b'{"query": "{ me { id } }"}', headers=headers)
    assert (answer.status_code, code(answer.json())) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_now_training_is_a_series_of_minutes(client: httpx2.Client) -> None:
    """The figures come from the gateways (test_presence_training.py); here that GraphQL asks and bounds them."""
    query = "query($n: Int) { nowTraining(minutes: $n) { minute training exercises { slug name count } } }"
    answer = client.post(GRAPHQL, json={"query": query.replace("($n: Int)", "").replace("(minutes: $n)", "")}).json()
    series = answer["data"]["nowTraining"]
    assert len(series) == 30
    began = [datetime.fromisoformat(one["minute"]) for one in series]
    assert [later - earlier for earlier, later in pairwise(began)] == [timedelta(minutes=1)] * 29
    assert abs(datetime.now(UTC) - began[-1]) < timedelta(minutes=2)
    for wrong in (0, 31):
        assert code(client.post(GRAPHQL, json={"query": query, "variables": {"n": wrong}}).json()) == "BAD_INPUT"
