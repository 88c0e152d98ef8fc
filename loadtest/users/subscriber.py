"""People whose app subscribes by GraphQL (`graphql-transport-ws`), and hears the same events at the same offsets."""

import json
import random
import time
from contextlib import suppress
from typing import Any

import gevent
from locust import constant, task
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from loadtest.client.closes import ABNORMAL, backoff_s, may_return
from loadtest.client.follower import Follower
from loadtest.run.options import owned
from loadtest.run.targets import allowed
from loadtest.users.live import ToLocust
from loadtest.users.person import Person

DASHBOARD = "subscription { dashboard { id type createdAt data } }"
OPEN_S = 15.0


class GraphqlSubscriber(Person):
    """Follows the own dashboard by a subscription, from its place on, across reconnects."""

    weight = 2
    wait_time = constant(60)

    def on_start(self) -> None:
        """A greenlet keeps the socket and reads it."""
        super().on_start()
        account = self.sign_in()
        self.seen_by = ToLocust(self.environment, "GraphQL-WS")
        self.follower = Follower(f"user:{account.user}")
        self.socket: ClientConnection | None = None
        self.url = self.gateway().removesuffix("/ws") + "/api/graphql/ws"
        allowed(self.url, owned(self.environment))
        self.keeper = gevent.spawn(self._keep)

    def on_stop(self) -> None:
        """Leaves."""
        if hasattr(self, "keeper"):
            self.keeper.kill()
            if self.socket is not None:
                with suppress(OSError):
                    self.socket.close()

    @task
    def stay(self) -> None:
        """It only listens."""

    def _keep(self) -> None:
        attempt = 0
        while True:
            code = self._one_connection()
            self.seen_by.counted(f"closed {code} (GraphQL)")
            if not may_return(code):
                self.seen_by.misled(f"closed for good: {code}")
                return
            attempt += 1
            gevent.sleep(backoff_s(attempt, random.random()))
            self.seen_by.counted("reconnects (GraphQL)")

    def _one_connection(self) -> int:
        began = time.perf_counter()
        try:
            self.socket = connect(
                self.url, subprotocols=[Subprotocol("graphql-transport-ws")], compression=None, proxy=None,
                open_timeout=OPEN_S, close_timeout=1, ping_interval=None, legacy=True,
            )  # fmt: skip
        except (OSError, InvalidHandshake) as error:
            status = error.response.status_code if isinstance(error, InvalidStatus) else None
            self.seen_by.connected(time.perf_counter() - began, error, status)
            return ABNORMAL
        self.seen_by.connected(time.perf_counter() - began, None, None)
        try:
            self._say("connection_init", payload={"authorization": f"Bearer {self._token()}"})
            for text in self.socket:
                self._take(json.loads(text), began, len(text))
        except (ConnectionClosed, OSError):
            pass
        return self.socket.close_code or ABNORMAL

    def _token(self) -> str:
        return "" if self.account is None else self.account.token()

    def _say(self, kind: str, **more: Any) -> None:
        if self.socket is not None:
            self.socket.send(json.dumps({"type": kind, **more}))

    def _take(self, message: dict[str, Any], began: float, size: int) -> None:
        match message["type"]:
            case "connection_ack":
                self.seen_by.answered("connection_init", time.perf_counter() - began, size, None)
                since = {"extensions": {"since": self.follower.position}} if self.follower.position else {}
                self._say("subscribe", id="1", payload={"query": DASHBOARD, **since})
            case "ping":
                self._say("pong")
            case "next":
                self._event(message["payload"])
            case "error":
                self.seen_by.answered("subscribe", 0, size, message["payload"][0]["extensions"]["code"])

    def _event(self, payload: dict[str, Any]) -> None:
        position = payload["extensions"]["position"]
        if not payload.get("data"):  # what was not sent one by one
            self.seen_by.counted("gaps (GraphQL)" if "gap" in payload["extensions"] else "digests (GraphQL)")
            self.follower.stand(**position)
            return
        event = payload["data"]["dashboard"]
        if self.follower.position is None:
            self.follower.stand(position["epoch"], position["offset"] - 1)
        if self.follower.receive({"type": "event", "event": event, "offset": position["offset"]}):
            self.seen_by.arrived("user by GraphQL", {"created_at": event["createdAt"]})
        else:
            self.seen_by.misled(f"holes or repeats: offset {position['offset']} of {self.follower.channel}")
        for what, amount in self.follower.seen.items():
            self.seen_by.counted(f"{what} (GraphQL)", amount)
        self.follower.seen.clear()
