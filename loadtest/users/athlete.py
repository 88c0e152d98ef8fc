"""Members who train, log workouts, and praise those of others."""

import random
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from locust import between, task

from loadtest.run.outcome import EVENT
from loadtest.users.live import ToLocust
from loadtest.users.person import WELCOME_S, Person

LOG_WORKOUT = """
mutation Log($input: LogWorkoutInput!, $key: String!) {
  logWorkout(input: $input, idempotencyKey: $key) {
    workout { id totalTu } charged balance { credits } earned { xp level milestones }
  }
}
"""
KEPT = 100
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


class Athlete(Person):
    """Trains somewhere, logs a workout now and then, and hears of it on the own dashboard."""

    weight = 15
    wait_time = between(2, 6)

    def on_start(self) -> None:
        """Signs in with an account that others of the run may have as well."""
        super().on_start()
        account = self.sign_in()
        self.exercises = [row["id"] for row in self.graphql("exercises", "{ exercises { id } }").get("exercises", [])]
        self.heard: dict[str, float] = {}  # when, by workout
        self.answered: dict[str, float] = {}
        live = self.come()
        live.set_presence({"lat": random.uniform(36, 60), "lng": random.uniform(-9, 30), "status": "training"})
        live.subscribe(f"user:{account.user}", event=self._heard)
        live.start(WELCOME_S)

    @task(3)
    def train(self) -> None:
        """Goes on, or rests."""
        if self.live is not None:
            self.live.set_presence({"status": random.choice(("training", "training", "resting"))})

    @task(1)
    def log_workout(self) -> None:
        """One workout; the event of it is awaited."""
        if self.exercises:
            variables = {"input": self._workout(0), "key": str(uuid.uuid4())}
            answer = self.graphql("logWorkout", LOG_WORKOUT, variables).get("logWorkout")
            if answer:
                self._both(answer["workout"]["id"], self.answered, self.heard)

    @task(1)
    def come_back_online(self) -> None:
        """Workouts of the last days, all at once."""
        if self.exercises:
            inputs = [{"idempotencyKey": str(uuid.uuid4()), "workout": self._workout(days)} for days in range(3)]
            self.graphql("syncWorkouts", SYNC_WORKOUTS, {"inputs": inputs})
        self.graphql("earned", EARNED)

    @task(1)
    def praise(self) -> None:
        """A high five for something of the newest page; whose it is nobody knows: one's own is refused."""
        page = self.graphql("communityFeed praised", READ_TO_PRAISE).get("communityFeed") or {"edges": []}
        unpraised = [edge["node"]["id"] for edge in page["edges"] if not edge["node"]["highFived"]]
        if unpraised:
            variables = {"event": random.choice(unpraised), "key": str(uuid.uuid4())}
            self.graphql("sendHighFive", SEND_HIGH_FIVE, variables, expected="CONFLICT")

    def _workout(self, days: int) -> dict[str, Any]:
        """One of so many days ago."""
        sets = [{"reps": random.randint(5, 12), "weightKg": 40.0} for _ in range(3)]
        exercises = [{"exerciseId": random.choice(self.exercises), "sets": sets}]
        return {"performedAt": (datetime.now(UTC) - timedelta(days=days)).isoformat(), "exercises": exercises}

    def _heard(self, event: dict[str, Any], _offset: int) -> None:
        workout = (event["data"] or {}).get("workout_id")
        if event["type"] == "workout_completed" and workout:
            self._both(workout, self.heard, self.answered)

    def _both(self, workout: str, mine: dict[str, float], other: dict[str, float]) -> None:
        """Notes one of the two; with the second the time between them is known. The event may be there first."""
        mine[workout] = time.perf_counter()
        if workout in other:
            took_s = max(0.0, self.heard.pop(workout) - self.answered.pop(workout))
            ToLocust(self.environment).report(EVENT, "own workout: answer to event", took_s, 0, None)
        elif len(mine) > KEPT:  # of somebody else with the same account
            del mine[next(iter(mine))]
