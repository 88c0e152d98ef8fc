"""Makes an account, logs a workout and reads it back: queries.py ADDRESS EMAIL PASSWORD, Python alone."""

import json
import sys
import urllib.request
import uuid
from datetime import UTC, datetime
from typing import Any


def post(address: str, body: dict[str, Any], token: str = "") -> Any:
    """The JSON of the answer. Raises urllib.error.HTTPError for a refusal: its `read()` has code and message."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(address, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def main(address: str, email: str, password: str) -> None:
    """Prints the workout's training units, the events of the dashboard, and the place of the live stream."""
    account = {"email": email, "password": password}
    post(f"{address}/api/v1/auth/register", {**account, "name": "Ada"})
    token = post(f"{address}/api/v1/auth/login", account)["accessToken"]

    def ask(query: str, **variables: object) -> Any:
        answer = post(f"{address}/api/graphql", {"query": query, "variables": variables}, token)
        if answer.get("errors"):
            raise SystemExit(json.dumps(answer["errors"]))
        return answer["data"]

    exercise = ask('{ exercises(search: "squat") { id name } }')["exercises"][0]
    workout = {
        "performedAt": datetime.now(UTC).isoformat(),
        "exercises": [{"exerciseId": exercise["id"], "sets": [{"reps": 10, "weightKg": 60}]}],
    }
    logged = ask(
        "mutation ($input: LogWorkoutInput!, $key: String!) {"
        " logWorkout(input: $input, idempotencyKey: $key) { existing workout { totalTu } } }",
        input=workout,
        key=str(uuid.uuid4()),
    )["logWorkout"]
    print(exercise["name"], logged["workout"]["totalTu"], "training units")

    after, more = None, True
    while more:
        page = ask(
            "query ($after: String) { dashboard(first: 20, after: $after) {"
            " edges { node { type createdAt } } pageInfo { endCursor hasNextPage } position { epoch offset } } }",
            after=after,
        )["dashboard"]
        for edge in page["edges"]:
            print(edge["node"]["createdAt"], edge["node"]["type"])
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    print("since", f"{page['position']['epoch']}:{page['position']['offset']}")


if __name__ == "__main__":
    main(*sys.argv[1:4])
