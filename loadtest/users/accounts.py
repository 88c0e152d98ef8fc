"""The accounts of a run. People who sign up are rare in life, and a password costs the server 0.1 s of a core: a few
accounts serve many people, and are made in a line, each as late as the server asks."""

import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import gevent
from gevent.lock import BoundedSemaphore
from locust.exception import StopUser

from loadtest.run.counts import counted

SHARED_BY: Final = 8  # people with one account; a gateway allows 32 sockets of one user
TOKEN_S: Final = 600  # an access token that is older than this is replaced before it is used
TRIES: Final = 20


class Account:
    """Somebody's e-mail address and password, and what they opened last."""

    def __init__(self, client: Any, email: str, password: str) -> None:
        self.user = ""
        self.people = 0
        self._client = client
        self._words = {"email": email, "password": password}
        self._token = ""
        self._until = 0.0
        self._line = BoundedSemaphore(1)

    def sign_up(self, name: str) -> None:
        """Makes the account."""
        hashed(self._client, "register", {**self._words, "name": name})

    def token(self, expired: bool = False) -> str:
        """An access token that holds for a while."""
        with self._line:
            if (expired or time.monotonic() > self._until) and not (self._token and self.resume()):
                self._open(hashed(self._client, "login", self._words))
        return self._token

    def resume(self, cookies: Mapping[str, str] | None = None) -> bool:
        """Takes up a session by its cookies, this one's own or those of an earlier run, which costs no password;
        whether they are still good."""
        with self._client.post("/api/v1/auth/refresh", json={}, cookies=cookies, catch_response=True) as response:
            response.success()
            if not response.ok:
                counted["sessions that were over"] += 1
                return False
            self._open(response.json())
        return True

    def _open(self, answer: dict[str, Any]) -> None:
        self._token, self.user = str(answer["accessToken"]), str(answer["user"]["id"])
        self._until = time.monotonic() + min(TOKEN_S, answer["expiresIn"] / 2)


class Accounts:
    """The accounts of one process of Locust."""

    def __init__(self, shared_by: int = SHARED_BY) -> None:
        self._shared_by = shared_by
        self._all: list[Account] = []
        self._line = BoundedSemaphore(1)

    def take(self, client: Any, path: str | None) -> Account:
        """An account, signed in. `path`: a file of accounts, to take these alone. StopUser where there is none."""
        with self._line:
            if path is not None and not self._all:
                lines = Path(path).read_text("utf-8").splitlines()
                self._all = [Account(client, *line.split(maxsplit=1)) for line in lines if line.strip()]
            account = min(self._all, key=lambda one: one.people, default=None)
            if account is None or (path is None and account.people >= self._shared_by):
                account = Account(client, f"load-{uuid.uuid4()}@example.com", uuid.uuid4().hex)
                account.sign_up("Load")
                self._all.append(account)
            account.people += 1
            account.token()
            return account


def hashed(client: Any, what: str, words: dict[str, str]) -> dict[str, Any]:
    """Asks for what a password is hashed for; where the server's line for that is long, again when it says. Raises
    StopUser: this person goes home."""
    for _ in range(TRIES):
        with client.post(f"/api/v1/auth/{what}", json=words, catch_response=True) as response:
            if response.status_code in (429, 503) and "Retry-After" in response.headers:
                response.success()  # a promise to be kept, not a failure
                counted[f"told to wait: {what}"] += 1
                wait_s = float(response.headers["Retry-After"])
            else:
                try:
                    answer: dict[str, Any] = response.json()
                    if response.ok:
                        return answer
                    response.failure(str(answer["error"]["code"]))
                except (ValueError, KeyError, TypeError):
                    response.failure(f"no answer ({response.status_code})")
                raise StopUser
        gevent.sleep(wait_s)
    raise StopUser


accounts: Final = Accounts()
