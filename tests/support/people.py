"""People of the end-to-end tests: they sign up over HTTP and log workouts, again with the same key until answered."""

import asyncio
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2

LOG_WORKOUT = """
mutation Log($input: LogWorkoutInput!, $key: String!) {
  logWorkout(input: $input, idempotencyKey: $key) {
    workout { id totalTu } charged existing balance { credits version }
  }
}
"""
HASH_S = 60.0
UNANSWERED = (httpx2.TransportError, httpx2.TimeoutException)


class RefusedError(Exception):
    """GraphQL answered with an error; `code` is its stable code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclass
class Person:
    """One account and what it was answered. `acknowledged` maps idempotency key → answer."""

    base_url: str
    client: httpx2.AsyncClient
    email: str = field(default_factory=lambda: f"{uuid.uuid4().hex}@example.com")
    password: str = "correct horse battery"
    name: str = "Ada"
    id: str = ""
    token: str = ""
    acknowledged: dict[str, dict[str, Any]] = field(default_factory=dict)
    tries: int = 0

    async def sign_up(self) -> "Person":
        """Registers and signs in."""
        account = {"email": self.email, "password": self.password, "name": self.name}
        answer = await self._hashed("register", account)
        assert answer.status_code == 201, answer.text
        await self.sign_in()
        return self

    async def sign_in(self) -> None:
        """A fresh access token."""
        account = {"email": self.email, "password": self.password}
        answer = await self._hashed("login", account)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        self.id, self.token = body["user"]["id"], body["accessToken"]

    async def _hashed(self, what: str, account: dict[str, str]) -> httpx2.Response:
        """Asks for a hash of the password; where the line for it is too long, again when the server says."""
        async with asyncio.timeout(HASH_S):
            while True:
                answer = await self.client.post(f"{self.base_url}/api/v1/auth/{what}", json=account)
                if answer.status_code != 503:
                    return answer
                await asyncio.sleep(float(answer.headers["Retry-After"]))

    async def graphql(self, query: str, **variables: Any) -> dict[str, Any]:
        """The `data` of an answer; raises RefusedError, or what the HTTP client raises."""
        answer = await self.client.post(
            f"{self.base_url}/api/graphql",
            json={"query": query, "variables": variables},
            headers={"Authorization": f"Bearer {self.token}"} if self.token else {},
        )
        body = answer.json()
        if body.get("errors"):
            first = body["errors"][0]
            raise RefusedError(first["extensions"]["code"], first["message"])
        data: dict[str, Any] = body["data"]
        return data

    async def log_workout(self, exercise_id: str, *, key: str | None = None, reps: int = 10) -> dict[str, Any]:
        """One try at one workout."""
        variables = workout_variables(exercise_id, key or str(uuid.uuid4()), reps)
        payload: dict[str, Any] = (await self.graphql(LOG_WORKOUT, **variables))["logWorkout"]
        return payload

    async def graphql_surely(self, query: str, *, within_s: float = 60, **variables: Any) -> dict[str, Any]:
        """The `data` of an answer; asks again until there is one, as a phone does: the API may die meanwhile."""
        async with asyncio.timeout(within_s):
            while True:
                self.tries += 1
                try:
                    return await self.graphql(query, **variables)
                except UNANSWERED:
                    pass
                except RefusedError as refused:
                    if refused.code != "RETRY_LATER":
                        raise
                await asyncio.sleep(0.05)

    async def log_workout_surely(self, exercise_id: str, *, reps: int = 10) -> dict[str, Any]:
        """Repeats one workout with its key until it is acknowledged."""
        key = str(uuid.uuid4())
        # The input is built once: a repeat with another `performedAt` would be another input.
        variables = workout_variables(exercise_id, key, reps)
        payload: dict[str, Any] = (await self.graphql_surely(LOG_WORKOUT, **variables))["logWorkout"]
        self.acknowledged[key] = payload
        return payload


def workout_variables(exercise_id: str, key: str, reps: int) -> dict[str, Any]:
    """The variables of LOG_WORKOUT for one set of one exercise, done now."""
    sets = [{"reps": reps, "weightKg": 40.0}]
    performed_at = datetime.now(UTC).isoformat()
    return {
        "input": {"performedAt": performed_at, "exercises": [{"exerciseId": exercise_id, "sets": sets}]},
        "key": key,
    }


async def exercise_ids(base_url: str, client: httpx2.AsyncClient) -> list[str]:
    """Ids of the known exercises."""
    answer = await client.post(f"{base_url}/api/graphql", json={"query": "{ exercises { id } }"})
    return [row["id"] for row in answer.json()["data"]["exercises"]]
