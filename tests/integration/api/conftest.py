"""One API process for the tests of this folder, on a database of its own."""

import asyncio
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from api.accounts.routes import COOKIE_PATH
from api.accounts.rules import User, cookie_name, token_hash
from api.accounts.tokens import Signer, load_signer, new_token
from config.embedded.ports import HOST
from config.ids import uuid7
from config.settings import Settings
from tests.support.passwords import QUICK
from tests.support.payments import SECRET
from tests.support.processes import Fleet, Service
from tests.support.stores import Database, TestStores

PASSWORD = "correct horse battery"


@dataclass
class Account:
    """Somebody who is signed in."""

    client: httpx2.Client
    email: str
    id: str
    token: str
    refresh_token: str = ""

    def graphql(self, query: str, **variables: Any) -> dict[str, Any]:
        """The whole answer."""
        headers = {"authorization": f"Bearer {self.token}"}
        answer = self.client.post("/api/graphql", json={"query": query, "variables": variables}, headers=headers)
        body: dict[str, Any] = answer.json()
        return body


@dataclass
class Running:
    """The API under test."""

    service: Service
    database: Database
    env: dict[str, str]
    opened: list[httpx2.Client] = field(default_factory=list)

    @cached_property
    def signer(self) -> Signer:
        """The process's own: its development key lies in DATA_DIR."""
        return load_signer(Settings(data_dir=Path(self.env["DATA_DIR"])))

    @cached_property
    def password_hash(self) -> str:
        """Of PASSWORD."""
        return QUICK.hash(PASSWORD)

    @property
    def cookie(self) -> str:
        """The refresh cookie's name at this address."""
        return cookie_name(f"{HOST}:{self.service.port}", secure=False)

    @property
    def url(self) -> str:
        return self.service.http("").rstrip("/")

    def client(self) -> httpx2.Client:
        """A client with cookies of its own, closed after the test."""
        made = httpx2.Client(base_url=self.url, timeout=20)
        self.opened.append(made)
        return made

    def account(self) -> Account:
        """Somebody with a session, made in the database: Argon2 takes 0.1 s and is tested where it matters."""
        now = datetime.now(UTC)
        user = User(uuid7(), uuid7(), f"{uuid.uuid4().hex}@example.com", "Ada", ("user",), "free", "everyone", now)
        session, token, later = uuid7(), new_token(), now + timedelta(days=7)
        self.sql("SELECT open_account($1, $2, 100, $3)", user.account_id, uuid7(), now)
        self.sql(
            "INSERT INTO users (id, account_id, email, name, password_hash, trial_ends_at, created_at, updated_at)"
            " VALUES ($1, $2, $3, 'Ada', $4, $5, $6, $6)",
            *(user.id, user.account_id, user.email, self.password_hash, later, now),
        )
        self.sql(
            "INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)",
            session,
            user.id,
            now,
            later,
        )
        self.sql("INSERT INTO refresh_tokens VALUES ($1, $2, 1, $3, $4)", token_hash(token), session, now, later)
        client = self.client()
        client.cookies.set(self.cookie, token, domain=HOST, path=COOKIE_PATH)
        return Account(client, user.email, str(user.id), self.signer.access_token(user, session, now), token)

    def counted(self, metric: str, label: str = "") -> int:
        """A counter of the process, or the sum of those whose labels have this text."""
        lines = httpx2.get(self.service.http("/metrics")).text.splitlines()
        return sum(int(float(line.rpartition(" ")[2])) for line in lines if line.startswith(metric) and label in line)

    def sql(self, statement: str, *args: Any) -> list[Any]:
        """Runs a statement on all rows, whoever's they are."""

        async def run() -> list[Any]:
            connection = await asyncpg.connect(self.database.superuser_url)
            try:
                rows: list[Any] = await connection.fetch(statement, *args)
                return rows
            finally:
                await connection.close()

        return asyncio.run(run())


@pytest.fixture(scope="package")
def served(stores: TestStores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The process, ready. Tests make their own accounts and leave it running.

    It ends with the tests of this folder: every few seconds it writes its keys to the Redis of the run, in place of
    those by which the gateways of other tests know whom to let in.
    """
    database = stores.make_database()
    env = {**stores.environment(), **database.urls}
    chosen = {"ALLOWED_ORIGINS": "https://app.example", "STRIPE_WEBHOOK_SECRET": f"whsec_of_before, {SECRET}"}
    fleet = Fleet(env, _folder(tmp_path_factory), roles=("api",), settings=chosen)
    try:
        fleet.api.launch()
        asyncio.run(fleet.api.wait_ready())
        yield Running(fleet.api, database, fleet.env)
    finally:
        fleet.clean_up()
        stores.drop_database(database)


@pytest.fixture
def api(served: Running) -> Iterator[Running]:
    """The running process; what a test opened to it is closed after it."""
    yield served
    while served.opened:
        served.opened.pop().close()


@pytest.fixture
def client(api: Running) -> Iterator[httpx2.Client]:
    """A client that is nobody yet."""
    with api.client() as made:
        yield made


def _folder(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("api")
