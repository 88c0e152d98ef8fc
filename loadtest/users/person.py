"""What all people of a run have in common: a server, perhaps an account, perhaps a live connection."""

import os
from typing import Any

from locust import HttpUser
from locust.exception import StopUser

from loadtest.client import LiveClient
from loadtest.client.live import Token
from loadtest.run.options import owned, word
from loadtest.run.targets import allowed
from loadtest.users.accounts import Account, accounts
from loadtest.users.live import connection

WELCOME_S = 15.0


class Person(HttpUser):
    """Somebody."""

    abstract = True
    account: Account | None = None
    live: LiveClient | None = None

    def on_start(self) -> None:
        """Nobody begins on a host that is not theirs to load."""
        allowed(self.host or "", owned(self.environment))

    def on_stop(self) -> None:
        """Leaves."""
        if self.live is not None:
            self.live.stop()

    def gateway(self) -> str:
        """Where the gateway listens, as the page of the host says, or RT_URL. A host that does not say ends this
        person, which counts as a failure."""
        if "RT_URL" in os.environ:
            return os.environ["RT_URL"]
        with self.client.get("/config.json", catch_response=True) as response:
            try:
                return str(response.json()["rtUrl"])
            except (ValueError, KeyError, TypeError):
                response.failure(f"no address of a gateway ({response.status_code})")
                raise StopUser from None

    def sign_in(self) -> Account:
        """With one of the accounts of the run."""
        self.account = accounts.take(self.client, word(self.environment, "accounts"))
        return self.account

    def come(self, token: Token | None = None, receive_buffer: int | None = None) -> LiveClient:
        """Connects, with the account where there is one, and goes on trying where it does not come at once."""
        if token is None and self.account is not None:
            token = self.account.token
        self.live = connection(self.environment, self.gateway(), token or (lambda _expired: None), receive_buffer)
        return self.live

    def graphql(
        self, name: str, query: str, variables: dict[str, Any] | None = None, expected: str = ""
    ) -> dict[str, Any]:
        """What was answered; an error with another code than `expected` is a failure."""
        headers = {} if self.account is None else {"Authorization": f"Bearer {self.account.token()}"}
        with self.client.post(
            "/api/graphql",
            json={"query": query, "variables": variables or {}},
            headers=headers,
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
