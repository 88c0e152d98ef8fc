"""The API beside Apollo Server and Mercurius: requests a second, CPU of each, p99 at 70 % of each one's own load.

All have the same rows of one PostgreSQL, as many connections to it, and the same core; crowd and stores have the other.
All run at once and take turns, so that a noisy neighbour meets all of them. That each answers the same is looked at
first. Each prepares a document once. But for the document that says so no answer comes from a cache: a variable that
the document does not declare, and that nobody reads, differs in each request for longer than this API keeps an answer.
"""

import asyncio
import contextlib
import shutil
import statistics
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import asyncpg
import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from api.accounts.rules import User
from api.accounts.tokens import Signer
from config.embedded.ports import free_port
from config.ids import uuid7
from config.settings import Settings
from loadtest.bench import host, peers, report, years_fill
from loadtest.bench.asking import BadAnswerError, Crowd, percentile_ms, request
from loadtest.bench.ledger import parent_of

USERS: Final = 200
WORKOUTS: Final = 4_000
SENDERS: Final = 20
VARIANTS: Final = 20_000
POOL: Final = 10  # connections to PostgreSQL, of each
ROUNDS: Final = 3
ROUND_S: Final = 2.0
WARM_S: Final = 2.0  # also for what compiles a document that comes again
LOAD: Final = 0.7  # of what each answers without a pause
LOAD_S: Final = 5.0
READY_S: Final = 30.0
OURS: Final = "musclemap API"
KINDS: Final = {"Apollo Server": "apollo", "Mercurius": "mercurius", "Mercurius, JIT": "mercurius-jit"}
PACKAGES: Final = ("@apollo/server", "@as-integrations/fastify", "dataloader", "fastify", "graphql", "mercurius", "pg")
# Of a peer's row: this API's figure through the peer's.
COMPARED: Final = {"requests/s": "requests/s, ours/its", "cpu_us": "cpu, ours/its", "p99_ms": "p99, ours/its"}

_PAGE: Final = (
    "{ communityFeed(first: 20) { position { epoch offset } pageInfo { endCursor hasNextPage }"
    " edges { cursor node { id type createdAt actor { id name } data cursor } } } }"
)
_PROFILE: Final = (
    "query Profile($id: ID!) { user(id: $id) { id name level xp streak followers following followState followsMe }"
    " myWorkouts(first: 10) { pageInfo { hasNextPage } edges { node { id performedAt note totalTu"
    " muscles { trainingUnits muscle { id slug name biasWeight } }"
    " exercises { exercise { id slug name } sets { reps weightKg } } } } } }"
)
_HIGH_FIVE: Final = (
    "mutation Send($event: ID!, $key: String!) { sendHighFive(eventId: $event, idempotencyKey: $key)"
    " { eventId highFives existing } }"
)
_KEY: Final = ec.generate_private_key(ec.SECP256R1())


class Document(NamedTuple):
    """What is asked: bodies, each with the token of whoever asks. `new`: how many are new to the server once."""

    name: str
    asked: Sequence[tuple[bytes, str]]
    new: int = 0


class Server(NamedTuple):
    """One that runs."""

    name: str
    pid: int
    port: int


@dataclass(slots=True)
class Side:
    """What a server's turns with one document gave."""

    server: Server
    crowd: Crowd
    rates: list[float] = field(default_factory=list)  # answers a second
    cpu_us: list[float] = field(default_factory=list)  # of each
    core: list[float] = field(default_factory=list)  # the share of it that was taken
    late: list[float] = field(default_factory=list)  # seconds of each answer at LOAD, sorted

    async def turn(self) -> None:
        """One round without a pause."""
        before = host.cpu_s(self.server.pid)
        done = await self.crowd.pauseless(ROUND_S)
        used_s = host.cpu_s(self.server.pid) - before
        self.rates.append(done / ROUND_S)
        self.cpu_us.append(used_s / done * 1e6)
        self.core.append(used_s / ROUND_S)

    def row(self, document: str) -> dict[str, Any]:
        late = {"p50_ms": percentile_ms(self.late, 0.5), "p99_ms": percentile_ms(self.late, 0.99)}
        return {
            "document": document,
            "server": self.server.name,
            "requests/s": round(statistics.median(self.rates)),
            "cpu_us": round(statistics.median(self.cpu_us)),
            "core_pct": round(statistics.median(self.core) * 100),
            **(late if self.late else {"failed": "did not keep up"}),
        }


async def run(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rows of the table. `environment` names migrated, empty stores, which are left filled."""
    owner = environment["DATABASE_OWNER_URL"]
    await years_fill.fill(owner, users=USERS, workouts=WORKOUTS, heavy=0)
    signer = Signer(_KEY, Settings())
    connection = await asyncpg.connect(owner)
    try:
        database = parent_of(await connection.fetchval("SELECT pg_backend_pid()"))
        documents = await _documents(connection, signer)
    finally:
        await connection.close()
    kinds = _installed()
    rows: list[dict[str, Any]] = []
    with host.moved((0, *host.family(database)), host.CROWD_CORE):
        async with contextlib.AsyncExitStack() as stack:
            servers = [await stack.enter_async_context(_ours(environment))]
            for name, kind in kinds.items():
                servers.append(await stack.enter_async_context(_peer(name, kind, environment["DATABASE_URL"], signer)))
            for document in documents:
                print(f"api: {document.name}", file=sys.stderr)
                rows += report.beside(await beside(document, servers), COMPARED)
    return [*rows, *({"server": name, "failed": "not installed"} for name in KINDS if name not in kinds)]


async def beside(document: Document, servers: Sequence[Server]) -> list[dict[str, Any]]:
    """A row for each server. Raises BadAnswerError, also where they do not answer the same."""
    sides = [
        Side(server, Crowd(server.port, [request(server.port, *asked) for asked in document.asked]))
        for server in servers
    ]
    said = []
    for side in sides:
        await side.crowd.pauseless(WARM_S)
        while side.crowd.asked < document.new:  # what is new in the first round is new to nobody later
            await side.crowd.pauseless(WARM_S)
        said.append(await _first(side, document))
    if any(one != said[0] for one in said):
        raise BadAnswerError(f"{document.name}: not all answer the same: {said}")
    for _ in range(ROUNDS):
        for side in sides:
            await side.turn()
    for side in sides:
        with contextlib.suppress(TimeoutError):  # a machine that gives it less now than before: it has no such figure
            side.late = await side.crowd.at_rate(LOAD * statistics.median(side.rates), LOAD_S)
    return [side.row(document.name) for side in sides]


async def _first(side: Side, document: Document) -> Any:
    """What the server answers to the first body."""
    crowd = Crowd(side.server.port, [request(side.server.port, *document.asked[0])], 1)
    await crowd.pauseless(0)
    return orjson.loads(crowd.answer.partition(b"\r\n\r\n")[2])["data"]


async def _documents(connection: asyncpg.Connection, signer: Signer) -> list[Document]:
    users = await connection.fetch(
        "SELECT id, account_id, email, name, roles, tier, audience, created_at FROM users ORDER BY id LIMIT $1", SENDERS
    )
    events = await connection.fetch(
        "SELECT event_id FROM stream_positions WHERE channel = 'community' ORDER BY \"offset\" DESC LIMIT 20"
    )
    now = datetime.now(UTC)
    tokens = {user["id"]: signer.access_token(User(**user), uuid7(), now) for user in users}
    # Each is sent again and again: after the first round nothing is new but that it was asked for, which is counted.
    fives = [
        (_body(_HIGH_FIVE, event=str(event["event_id"]), key="again"), token)
        for event in events
        for token in tokens.values()
    ]
    owners = list(tokens.items())
    variants = [(str(turn), *owners[turn % len(owners)]) for turn in range(VARIANTS)]
    profiles = [(_body(_PROFILE, id=str(user), turn=turn), token) for turn, user, token in variants]
    return [
        Document("a page of 20 events", [(_body(_PAGE, turn=turn), "") for turn, *_ in variants]),
        Document("the same page, kept by this API for its second", [(_body(_PAGE), "")]),
        Document("a profile, 10 workouts, muscles", profiles),
        Document("a high five, sent again", fives, len(fives)),
    ]


def _body(query: str, **values: str) -> bytes:
    return orjson.dumps({"query": query, "variables": values})


def _installed() -> dict[str, str]:
    """The peers that this machine has: the name and the kind that their program knows."""
    there = shutil.which("node") and all((peers.NODE_MODULES / name).exists() for name in PACKAGES)
    return KINDS if there else {}


@contextlib.asynccontextmanager
async def _ours(environment: Mapping[str, str]) -> AsyncIterator[Server]:
    """One process as it is deployed, log and metrics included."""
    pem = _KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    port = free_port()
    settings = {"DATABASE_POOL_MAX": str(POOL), "JWT_PRIVATE_KEY": pem, "API_PORT": str(port)}
    async with _started(OURS, (sys.executable, "-m", "api"), port, {**environment, **settings}) as server:
        yield server


@contextlib.asynccontextmanager
async def _peer(name: str, kind: str, url: str, signer: Signer) -> AsyncIterator[Server]:
    port = free_port()
    node, script, modules = shutil.which("node") or "node", peers.PEERS / "graphql.mjs", peers.NODE_MODULES.resolve()
    keys = orjson.dumps(signer.key_set()).decode()
    command = (node, str(script), str(modules), kind, str(port), url, keys, str(POOL))
    async with _started(name, command, port, {"NODE_ENV": "production"}) as server:
        yield server


@contextlib.asynccontextmanager
async def _started(
    name: str, command: Sequence[str], port: int, environment: Mapping[str, str]
) -> AsyncIterator[Server]:
    async with host.process(command, host.SERVER_CORE, environment) as child:
        await host.listening(port)
        await _ready(port)
        yield Server(name, child.pid, port)


async def _ready(port: int) -> None:
    """Waits for an answer that is one; raises TimeoutError."""
    message = request(port, _body("{ communityFeed(first: 1) { pageInfo { hasNextPage } } }"))
    async with asyncio.timeout(READY_S):
        while True:
            try:
                await Crowd(port, [message], 1).pauseless(0)
            except BadAnswerError:
                await asyncio.sleep(0.1)
            else:
                return
