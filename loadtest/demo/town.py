"""One simulated member: signs up as anybody does, is somewhere, trains by the hour there, logs, and praises."""

import random
import uuid
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from gevent.lock import BoundedSemaphore
from locust import task
from urllib3 import PoolManager

from loadtest.demo.cities import CITIES
from loadtest.demo.kept import Kept, Known
from loadtest.demo.rules import TRAINING, local_hour, place, share, weights
from loadtest.users.accounts import Account
from loadtest.users.athlete import LOG_WORKOUT, READ_TO_PRAISE, SEND_HIGH_FIVE
from loadtest.users.person import WELCOME_S, Person

HASHED_AT_ONCE: Final = 2  # passwords, as many as the server takes; everybody else waits here
NAMES: Final = ("Ada", "Bo", "Chi", "Dao", "Eli", "Fatou", "Gia", "Hiro", "Ines", "Jun", "Kofi", "Lea", "Mina", "Noor")
# All of them together: the first twenty make the page as lively as two thousand later, and these are no flood.
DEEDS_A_SECOND: Final = 6.0
WAIT_S: Final = (3.0, 240.0)
LOGS: Final = 0.4  # of the times that somebody who trains does something
PRAISES: Final = 0.1


class Townsperson(Person):
    """A member who lives in a city."""

    pool_manager = PoolManager(maxsize=16, block=True)
    kept: ClassVar[Kept]
    exercises: ClassVar[list[dict[str, str]]] = []
    here: ClassVar[int] = 0
    logged: ClassVar[int] = 0
    line: ClassVar[BoundedSemaphore] = BoundedSemaphore(HASHED_AT_ONCE)

    def on_start(self) -> None:
        """Comes in, by the account of an earlier demo or with a new one, and stays."""
        super().on_start()
        with self.line:
            self.account = self._account()
            user = self.account.token()
            self.kept.add(self.known, self.client)
        if not self.exercises and user:
            self.exercises[:] = self.graphql("exercises", "{ exercises { id slug } }").get("exercises", [])
        now = datetime.now(UTC)
        self.city = random.choices(CITIES, weights(CITIES, now))[0]
        lat, lng = place(self.city, random.random(), random.random())
        live = self.come()
        live.set_presence({"lat": lat, "lng": lng, **self._doing()})
        live.start(WELCOME_S)
        type(self).here += 1

    def wait_time(self) -> float:
        """Longer, the more are here."""
        least, most = WAIT_S
        return random.uniform(0.5, 1.5) * max(least, min(most, self.here / DEEDS_A_SECOND))

    @task
    def live_on(self) -> None:
        """Trains or does not; who trains finishes a workout now and then."""
        doing = self._doing()
        if self.live is not None:
            self.live.set_presence(doing)
        if doing["status"] == "training" and random.random() < LOGS and self.exercises:
            self._log()
        elif random.random() < PRAISES:
            self._praise()

    def _account(self) -> Account:
        known = self.kept.take()
        if known is None:
            self.known = Known(f"demo-{uuid.uuid4()}@example.com", uuid.uuid4().hex)
            account = Account(self.client, self.known.email, self.known.password)
            account.sign_up(random.choice(NAMES))
            return account
        self.known = known
        account = Account(self.client, known.email, known.password)
        if known.cookies:
            account.resume(known.cookies)
        return account

    def _doing(self) -> dict[str, Any]:
        trains = random.random() < share(TRAINING, local_hour(self.city, datetime.now(UTC)))
        if trains and self.exercises:
            return {"status": "training", "exercise": random.choice(self.exercises)["slug"]}
        return {"status": "browsing"}

    def _log(self) -> None:
        chosen = random.sample(self.exercises, k=min(len(self.exercises), random.randint(1, 4)))
        exercises = [
            {
                "exerciseId": one["id"],
                "sets": [{"reps": random.randint(5, 12), "weightKg": random.randrange(10, 120, 5)} for _ in range(3)],
            }
            for one in chosen
        ]
        workout = {"performedAt": datetime.now(UTC).isoformat(), "exercises": exercises}
        if self.graphql("logWorkout", LOG_WORKOUT, {"input": workout, "key": str(uuid.uuid4())}).get("logWorkout"):
            type(self).logged += 1

    def _praise(self) -> None:
        page = self.graphql("communityFeed praised", READ_TO_PRAISE).get("communityFeed") or {"edges": []}
        if page["edges"]:
            variables = {"event": random.choice(page["edges"])["node"]["id"], "key": str(uuid.uuid4())}
            self.graphql("sendHighFive", SEND_HIGH_FIVE, variables, expected="CONFLICT")
