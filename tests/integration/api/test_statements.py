"""How many statements a document runs: what it selects decides, and not how long its lists are."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import httpx2
import pytest

from tests.integration.api.conftest import Account, Running
from tests.integration.api.test_high_fives import happen
from tests.integration.api.test_response_cache import no_more_ranks

# What runs beside the requests.
_BESIDE: Final = ("api.", "apps.", "reference.", "flags.", "privacy.", "accounts.claim_mail", "accounts.mail_done")
_LATE: Final = ("accounts.sessions_ended_since", "accounts.audiences_since", "accounts.reading_ended_since")
SHORT, LONG = 2, 8

_EVENTS: Final = "edges { node { id data highFives highFived } }"
_PERSON: Final = "id followState archetype { name muscles { name } } achievements { achievement { name } }"
_PEOPLE: Final = f"edges {{ node {{ {_PERSON} }} }}"


class Shape(NamedTuple):
    """A document with a page of $first, and what answers it."""

    query: str
    statements: Sequence[str]


SHAPES: Final = (
    Shape(f"{{ communityFeed(first: $first) {{ {_EVENTS} }} }}", ("feed.page", "highfives.tallies")),
    Shape(f"{{ dashboard(first: $first) {{ {_EVENTS} }} }}", ("feed.page", "highfives.tallies")),
    Shape(
        f"{{ a: dashboard(first: $first) {{ {_EVENTS} }} b: dashboard(first: $first) {{ {_EVENTS} }} }}",
        ("feed.page", "feed.page", "highfives.tallies", "highfives.tallies"),
    ),
    Shape(f'{{ followers(userId: "$me", first: $first) {{ {_PEOPLE} }} }}', ("community.people", "progress.achieved")),
    Shape(f'{{ profiles(search: "Ada", first: $first) {{ {_PEOPLE} }} }}', ("community.named", "progress.achieved")),
    Shape(
        "{ leaderboard(board: XP, period: ALL_TIME, first: $first)"
        f" {{ edges {{ node {{ rank profile {{ {_PERSON} }} }} }} }} }}",
        ("standings.leaderboard_page", "community.profiles", "progress.achieved"),
    ),
    Shape(
        "{ myWorkouts(first: $first) { edges { node { exercises { exercise { name muscles { muscle { name } } } }"
        " muscles { muscle { name } } } } } }",
        ("workouts.my_workouts",),
    ),
    Shape("{ exercises { muscles { muscle { name } activation } equipment { name } } }", ()),
    Shape(f'{{ user(id: "$me") {{ {_PERSON} }} }}', ("community.profiles", "progress.achieved")),
    Shape(
        f"{{ rivals {{ profile {{ {_PERSON} }} }} }}",
        ("standings.rivals_of", "community.profiles", "progress.achieved"),
    ),
    Shape("{ me { name archetype { name } } creditBalance { credits } }", ("accounts.user_by_id", "credits.balance")),
)


def statements(api: Running) -> Counter[str]:
    """How often the process has run each on behalf of requests."""
    text = httpx2.get(api.service.http("/metrics")).text
    found = Counter[str]()
    for line in text.splitlines():
        if line.startswith("pg_query_duration_seconds_count"):
            name = line.partition('query="')[2].partition('"')[0]
            if not name.startswith((*_BESIDE, *_LATE)):
                found[name] = int(float(line.rpartition(" ")[2]))
    return found


@pytest.fixture(scope="module")
def ada(served: Running) -> Iterator[Account]:
    """Somebody with LONG of everything."""
    ada = served.account()
    happen(served, *[ada.id] * LONG)
    others = [served.account().id for _ in range(LONG)]
    served.sql(
        "INSERT INTO follows SELECT one, $2::uuid, 'following', now() FROM unnest($1::uuid[]) AS one", others, ada.id
    )
    served.sql(
        "UPDATE progress SET xp = 1000, volume = 10, streak_days = 1, streak_last = current_date"
        " WHERE user_id = ANY ($1::uuid[])",
        others,
    )
    served.sql(
        "INSERT INTO earned_achievements SELECT one, id, now()"
        " FROM unnest($1::uuid[]) AS one CROSS JOIN (SELECT id FROM achievements LIMIT 3) AS three",
        others,
    )
    served.sql(
        "INSERT INTO job_runs (job, slot, worker, started, finished) VALUES ('leaderboards', now(), 'me', now(), now())"
    )
    served.sql("REFRESH MATERIALIZED VIEW leaderboard")
    for one in others:
        ada.graphql(f'mutation {{ addRival(userId: "{one}") {{ since }} }}')
    press = ada.graphql('{ exercises(search: "push-up") { id } }')["data"]["exercises"][0]["id"]
    for n in range(LONG):
        log(ada, press, n)
    yield ada
    no_more_ranks(served)


def log(who: Account, press: str, n: int) -> None:
    at = (datetime.now(UTC) - timedelta(hours=n + 1)).isoformat()
    done: dict[str, Any] = {"performedAt": at, "exercises": [{"exerciseId": press, "sets": [{"reps": 10}]}]}
    logged = who.graphql(
        "mutation($i: LogWorkoutInput!, $k: String!) { logWorkout(input: $i, idempotencyKey: $k) { charged } }",
        i=done,
        k=f"workout {n}",
    )
    assert "errors" not in logged


@pytest.mark.parametrize("shape", SHAPES, ids=[shape.query[:40] for shape in SHAPES])
def test_a_document_runs_as_many_statements_however_long_its_lists_are(
    api: Running, ada: Account, shape: Shape
) -> None:
    """Seen failing without the loader of achievements (one for each person), and without that of high fives."""
    ada = replace(ada, client=api.client())
    for first in (SHORT, LONG):
        query = shape.query.replace("$first", str(first)).replace("$me", ada.id)
        before = statements(api)
        answer = ada.graphql(f"query N{first} {query}")  # another name: nothing of it is kept
        assert "errors" not in answer, answer
        assert statements(api) - before == Counter(shape.statements)
