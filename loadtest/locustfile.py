"""People for Locust: watchers of the community feed and members who train and log workouts.

`make load` runs a short, bounded load on the product that `make run` has started; see `locust --help` for more.
The gateway is the one that the page of the host names (/config.json), or RT_URL.
"""

import os
import random
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from locust import HttpUser, between, events, task
from locust.env import Environment
from locust.exception import StopUser

from loadtest.users.counts import print_at_the_end
from loadtest.users.live import LiveConnection, only_loopback


def on_init(environment: Environment, **_: object) -> None:
    """Once per process of Locust."""
    print_at_the_end(environment)


events.init.add_listener(on_init)


class Person(HttpUser):
    """Somebody with a live connection."""

    abstract = True

    def gateway(self) -> str:
        """Where the gateway listens. A host that does not say ends this person, which counts as a failure."""
        only_loopback(self.host or "")
        if "RT_URL" in os.environ:
            return os.environ["RT_URL"]
        with self.client.get("/config.json", catch_response=True) as response:
            try:
                return str(response.json()["rtUrl"])
            except (ValueError, KeyError, TypeError):
                response.failure(f"no address of a gateway ({response.status_code})")
                raise StopUser from None


TOKEN_S = 600  # an access token that is older than this is replaced before it is used
LOG_WORKOUT = """
mutation Log($input: LogWorkoutInput!, $key: String!) {
  logWorkout(input: $input, idempotencyKey: $key) {
    workout { id totalTu } charged balance { credits } earned { xp level milestones }
  }
}
"""
SYNC_WORKOUTS = """
mutation Sync($inputs: [SyncWorkoutInput!]!) {
  syncWorkouts(inputs: $inputs) { idempotencyKey status error { code } }
}
"""
EARNED = "{ me { xp level } streak { current longest } challenges { id kind progress target state } }"

READ_TO_PRAISE = "{ communityFeed(first: 20) { edges { node { id highFives highFived } } } }"
SEND_HIGH_FIVE = """
mutation Praise($event: ID!, $key: String!) {
  sendHighFive(eventId: $event, idempotencyKey: $key) { highFives existing }
}
"""


class Watcher(Person):
    """Somebody without an account who keeps the community feed and the map open."""

    weight = 4
    wait_time = between(20, 40)

    def on_start(self) -> None:
        self.live = LiveConnection(self.environment, self.gateway())
        self.live.start(["community"], {"west": -12, "south": 34, "east": 32, "north": 62, "zoom": 4})

    def on_stop(self) -> None:
        if hasattr(self, "live"):
            self.live.close()

    @task
    def heartbeat(self) -> None:
        self.live.ask({"type": "heartbeat"})


class Member(Person):
    """Somebody who signs up, trains somewhere, logs a workout now and then, and praises those of others."""

    weight = 1
    wait_time = between(2, 6)

    def on_start(self) -> None:
        url = self.gateway()
        account = {"email": f"load-{uuid.uuid4()}@example.com", "password": uuid.uuid4().hex, "name": "Load"}
        self.client.post("/api/v1/auth/register", json=account)
        self.credentials = {k: account[k] for k in ("email", "password")}
        user = self._sign_in()
        self.exercises = [row["id"] for row in self._graphql("exercises", "{ exercises { id } }").get("exercises", [])]
        self.answered_at = 0.0
        self.live = LiveConnection(self.environment, url, token=self._token)
        self.live.on_event = self._heard
        self.live.start([f"user:{user}"])
        self.place = (random.uniform(36, 60), random.uniform(-9, 30))

    def on_stop(self) -> None:
        if hasattr(self, "live"):  # it may never have come so far
            self.live.close()

    @task(3)
    def train(self) -> None:
        lat, lng = self.place
        self.live.ask({"type": "heartbeat", "lat": lat, "lng": lng, "status": "training"})

    @task(1)
    def log_workout(self) -> None:
        self._graphql("logWorkout", LOG_WORKOUT, {"input": self._workout(0), "key": str(uuid.uuid4())})
        self.answered_at = time.perf_counter()

    @task(1)
    def come_back_online(self) -> None:
        inputs = [{"idempotencyKey": str(uuid.uuid4()), "workout": self._workout(days)} for days in range(3)]
        self._graphql("syncWorkouts", SYNC_WORKOUTS, {"inputs": inputs})
        self._graphql("earned", EARNED)

    def _workout(self, days: int) -> dict[str, Any]:
        """One of so many days ago."""
        sets = [{"reps": random.randint(5, 12), "weightKg": 40.0} for _ in range(3)]
        exercises = [{"exerciseId": random.choice(self.exercises), "sets": sets}]
        return {"performedAt": (datetime.now(UTC) - timedelta(days=days)).isoformat(), "exercises": exercises}

    @task(2)
    def read_feed(self) -> None:
        self._graphql("communityFeed", "{ communityFeed(first: 20) { edges { cursor node { type createdAt data } } } }")

    @task(1)
    def praise(self) -> None:
        """A high five for something of the newest page; whose it is nobody knows: one's own is refused."""
        page = self._graphql("communityFeed praised", READ_TO_PRAISE).get("communityFeed", {"edges": []})
        unpraised = [edge["node"]["id"] for edge in page["edges"] if not edge["node"]["highFived"]]
        if unpraised:
            variables = {"event": random.choice(unpraised), "key": str(uuid.uuid4())}
            self._graphql("sendHighFive", SEND_HIGH_FIVE, variables, expected="CONFLICT")

    def _sign_in(self) -> str:
        """Signs in; the user's id. Where that fails, this person goes home."""
        with self.client.post("/api/v1/auth/login", json=self.credentials, catch_response=True) as response:
            try:
                signed_in = response.json()
                self.token, self.signed_in_at = str(signed_in["accessToken"]), time.monotonic()
                return str(signed_in["user"]["id"])
            except (ValueError, KeyError, TypeError):
                response.failure(f"not signed in ({response.status_code})")
                raise StopUser from None

    def _token(self) -> str:
        if time.monotonic() - self.signed_in_at > TOKEN_S:
            self._sign_in()
        return self.token

    def _graphql(
        self, name: str, query: str, variables: dict[str, Any] | None = None, expected: str = ""
    ) -> dict[str, Any]:
        """What was answered; an error with another code than `expected` is a failure."""
        with self.client.post(
            "/api/graphql",
            json={"query": query, "variables": variables or {}},
            headers={"Authorization": f"Bearer {self._token()}"},
            name=f"graphql {name}",
            catch_response=True,
        ) as response:
            try:
                body = response.json()
            except ValueError:
                response.failure(f"no answer ({response.status_code})")
                return {}
            if body.get("errors"):
                code = body["errors"][0]["extensions"]["code"]
                if code == expected:
                    response.success()
                else:
                    response.failure(code)
            data: dict[str, Any] = body.get("data") or {}
            return data

    def _heard(self, event: dict[str, Any]) -> None:
        if self.answered_at and event["type"] == "workout_completed":
            self.live.report("own workout, answer to event", max(0.0, time.perf_counter() - self.answered_at), 0)
            self.answered_at = 0.0
