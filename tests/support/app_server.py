"""What tests of other apps share: the server with their namespaces, and an app's side: its backend and its users."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from starlette.types import ASGIApp
from websockets.asyncio.client import connect

from api.apps.__main__ import done, parser
from config.embedded.ports import HOST, free_port
from config.settings import Settings
from tests.support.gateway import Talk, until
from tests.support.processes import Fleet
from tests.support.stores import Database
from tests.support.tokens import AUDIENCE, Mint

TRIES = 200


@dataclass
class AppServer:
    """The processes, and the shell of whoever runs them."""

    fleet: Fleet
    database: Database

    @property
    def settings(self) -> Settings:
        env = self.fleet.env
        return Settings(database_url=env["DATABASE_URL"], redis_url=env["REDIS_URL"], data_dir=Path(env["DATA_DIR"]))

    async def command(self, *words: str) -> str:
        """`python -m api.apps`, without the process."""
        return await done(self.settings, parser().parse_args(words))

    async def make(self, namespace: str, *options: str) -> "Backend":
        """A namespace with these settings, and the side of its backend."""
        key = (await self.command("create", namespace)).splitlines()[-1]
        if options:
            await self.command("set", namespace, *options)
        return Backend(namespace, key, self.fleet.api.http("").rstrip("/"))

    @asynccontextmanager
    async def client(self, token: str | None = None, **options: Any) -> AsyncIterator[Talk]:
        """A welcomed client of the gateway."""
        async with connect(self.fleet.ws_url, proxy=None, **options) as socket:
            talk = Talk(socket)
            welcome = await talk.ask("connect", **({} if token is None else {"token": token}))
            assert welcome["type"] == "welcome", welcome
            yield talk

    async def joins(self, talk: Talk, channel: str, **fields: Any) -> dict[str, Any]:
        """The answer to `subscribe` as soon as the gateway knows of what was just set."""
        answers: list[dict[str, Any]] = []

        async def joined() -> bool:
            answers.append(await talk.subscribe(channel, **fields))
            if answers[-1]["type"] != "subscribed":
                await asyncio.sleep(0.5)  # each refusal is an error, of which 20 a minute are allowed
            return bool(answers[-1]["type"] == "subscribed")

        await until(joined)
        return answers[-1]


@dataclass
class Backend:
    """An app's own server, as far as it speaks to this one: a server key, and a key that signs for its users."""

    namespace: str
    key: str
    url: str
    mint: Mint | None = None

    def signer(self) -> Mint:
        """Its key, made once."""
        self.mint = self.mint or Mint(kid=f"{self.namespace}-1")
        return self.mint

    def token(self, user: str, **changes: Any) -> str:
        """An access token of one of its users."""
        return self.signer().access(user, iss=self.namespace, aud=AUDIENCE, **changes)

    def channel_token(self, user: str, name: str, **changes: Any) -> str:
        """Lets a user read one channel."""
        return self.signer().channel(user, f"app:{self.namespace}:{name}", iss=self.namespace, **changes)

    def jwks(self, folder: Path) -> str:
        """The file of its public keys."""
        path = folder / f"{self.namespace}.json"
        path.write_text(self.signer().jwks, "utf-8")
        return str(path)

    async def post(self, *events: dict[str, Any], namespace: str | None = None, key: str | None = None) -> Any:
        """One request; the response."""
        url = f"{self.url}/api/v1/apps/{namespace or self.namespace}/events"
        headers = {"authorization": f"Bearer {self.key if key is None else key}"}
        async with client() as http:
            return await http.post(url, json={"events": list(events)}, headers=headers)

    async def publish(self, *events: dict[str, Any]) -> list[dict[str, Any]]:
        """Until they are published: the same events again after an answer that says so, or none."""
        for _ in range(TRIES):
            try:
                answer = await self.post(*events)
            except httpx2.HTTPError:
                answer = None
            if answer is not None and answer.status_code == 202:
                results: list[dict[str, Any]] = answer.json()["results"]
                return results
            assert answer is None or answer.status_code in (429, 500, 502, 503), answer.text
            await asyncio.sleep(0.05)
        raise AssertionError("it cannot be published")

    async def get(self, name: str, what: str, **params: str) -> Any:
        """`presence` or `history` of a channel."""
        url = f"{self.url}/api/v1/apps/{self.namespace}/channels/{name}/{what}"
        async with client() as http:
            answer = await http.get(url, params=params, headers={"authorization": f"Bearer {self.key}"})
        assert answer.status_code == 200, answer.text
        return answer.json()


def event(channel: str, number: int | str, kind: str = "x", **data: Any) -> dict[str, Any]:
    """As an app sends it."""
    return {"channel": channel, "id": str(number), "type": kind, "data": data}


async def hears(talk: Talk, count: int) -> list[dict[str, Any]]:
    """The next events of a client, with their offsets."""
    return [await talk.hear("event") for _ in range(count)]


def numbers(events: Sequence[dict[str, Any]]) -> list[str]:
    """Their ids, in the order in which they were heard."""
    return [one["event"]["id"] for one in events]


def client(base_url: str = "") -> httpx2.AsyncClient:
    """Of plain HTTP: what TLS needs would take 50 ms to read."""
    return httpx2.AsyncClient(base_url=base_url, timeout=60, verify=False)


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[httpx2.AsyncClient]:
    """An app's backend on a port of its own, and a client of it."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=port, log_config=None, lifespan="off", ws="none"))
    task = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started)
        async with client(f"http://{HOST}:{port}") as http:
            yield http
    finally:
        server.should_exit = True
        await task
