"""People for Locust: watchers of the community feed and members who train and log workouts.

`make load` runs a short, bounded load on the product that `make run` has started; see `locust --help` for more.
RT_URL names the gateway (default ws://127.0.0.1:8001/ws).
"""

import os
import random
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from locust import HttpUser, User, between, task

from loadtest.users.live import LiveConnection, only_loopback

RT_URL = os.environ.get("RT_URL", "ws://127.0.0.1:8001/ws")

LOG_WORKOUT = """
mutation Log($input: LogWorkoutInput!, $key: String!) {
  logWorkout(input: $input, idempotencyKey: $key) { workout { id totalTu } charged balance { credits } }
}
"""


class Watcher(User):
    """Somebody without an account who keeps the community feed and the map open."""

    weight = 4
    wait_time = between(20, 40)

    def on_start(self) -> None:
        self.live = LiveConnection(self.environment, RT_URL)
        self.live.ask({"type": "connect"})
        self.live.ask({"type": "subscribe", "channel": "community"})
        self.live.ask({"type": "viewport", "west": -12, "south": 34, "east": 32, "north": 62, "zoom": 4})

    def on_stop(self) -> None:
        self.live.close()

    @task
    def heartbeat(self) -> None:
        self.live.ask({"type": "heartbeat"})


class Member(HttpUser):
    """Somebody who signs up, trains somewhere and logs a workout now and then."""

    weight = 1
    wait_time = between(2, 6)

    def on_start(self) -> None:
        only_loopback(self.host or "")
        account = {"email": f"load-{uuid.uuid4()}@example.com", "password": uuid.uuid4().hex, "name": "Load"}
        self.client.post("/api/v1/auth/register", json=account)
        signed_in = self.client.post("/api/v1/auth/login", json={k: account[k] for k in ("email", "password")}).json()
        self.token = signed_in["accessToken"]
        self.exercises = [row["id"] for row in self._graphql("exercises", "{ exercises { id } }")["exercises"]]
        self.answered_at = 0.0
        self.live = LiveConnection(self.environment, RT_URL)
        self.live.on_event = self._heard
        self.live.ask({"type": "connect", "token": self.token})
        self.live.ask({"type": "subscribe", "channel": f"user:{signed_in['user']['id']}"})
        self.place = (random.uniform(36, 60), random.uniform(-9, 30))

    def on_stop(self) -> None:
        self.live.close()

    @task(3)
    def train(self) -> None:
        lat, lng = self.place
        self.live.ask({"type": "heartbeat", "lat": lat, "lng": lng, "status": "training"})

    @task(1)
    def log_workout(self) -> None:
        sets = [{"reps": random.randint(5, 12), "weightKg": 40.0} for _ in range(3)]
        exercises = [{"exerciseId": random.choice(self.exercises), "sets": sets}]
        variables = {
            "input": {"performedAt": datetime.now(UTC).isoformat(), "exercises": exercises},
            "key": str(uuid.uuid4()),
        }
        self._graphql("logWorkout", LOG_WORKOUT, variables)
        self.answered_at = time.perf_counter()

    @task(2)
    def read_feed(self) -> None:
        self._graphql("communityFeed", "{ communityFeed(first: 20) { edges { cursor node { type createdAt data } } } }")

    def _graphql(self, name: str, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        with self.client.post(
            "/api/graphql",
            json={"query": query, "variables": variables or {}},
            headers={"Authorization": f"Bearer {self.token}"},
            name=f"graphql {name}",
            catch_response=True,
        ) as response:
            body = response.json()
            if body.get("errors"):
                response.failure(body["errors"][0]["extensions"]["code"])
            data: dict[str, Any] = body.get("data") or {}
            return data

    def _heard(self, _event: dict[str, Any]) -> None:
        if self.answered_at:
            self.live.report("own workout, answer to event", max(0.0, time.perf_counter() - self.answered_at), 0)
            self.answered_at = 0.0
