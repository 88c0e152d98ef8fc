"""The client for everything in Redis that is not the hot subscription: one shape for every process."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from config.redis_address import Address, parse

__all__ = [
    "AWAY",
    "REASONS",
    "REFUSES_WRITES",
    "Call",
    "RedisClient",
    "RedisError",
    "Script",
    "connect",
    "fault",
    "heard",
    "load_script",
    "publish_once",
    "reason_of",
]

AWAY: Final = (RedisError, OSError, TimeoutError)  # what a command raises where Redis cannot serve it

COMMAND_TIMEOUT_S: Final = 5.0
POOL_CONNECTIONS: Final = 16
PUBLISH_ONCE_S: Final = 2.0
# What a server says that answers and cannot serve, by the first word of its error, and in our words. A failover leaves
# connections there; another connection may reach the right server.
_UNFIT: Final = {
    "READONLY": "read-only",
    "LOADING": "loading",
    "MASTERDOWN": "without its master",
    "MISCONF": "refuses writes",
    "NOREPLICAS": "refuses writes",
    "NOAUTH": "refuses us",
}
# No other connection would help.
_UNABLE: Final = {
    "OOM": "full",  # over maxmemory
    "BUSY": "busy",  # with a script
    "CLUSTERDOWN": "without its cluster",
    "NOPERM": "refuses us",
    "WRONGPASS": "refuses us",
    "WRONGTYPE": "holds what is not ours",
}
REASONS: Final = tuple(dict.fromkeys(("does not answer", *_UNFIT.values(), *_UNABLE.values())))
REFUSES_WRITES: Final = frozenset({"read-only", "refuses writes", "full"})  # of the reasons
SCRIPTS_PER_TRIP: Final = 32  # of 100 members or 50 events each: some 10 ms of Redis, far from COMMAND_TIMEOUT_S

Call = tuple[list[str], list[Any]]  # KEYS and ARGV of one call of a script


class _Group:
    """The connections of one client: when one of them hears that its server is unfit, all of them are of yesterday."""

    __slots__ = ("turn",)

    def __init__(self) -> None:
        self.turn = 0


class RedisClient(Redis):
    """redis-py's client, whose answers are bytes. `turn` counts how often its connections were given up for an unfit
    server."""

    group: _Group

    if TYPE_CHECKING:  # the library says bytes or text for what a client that decodes nothing answers

        async def get(self, name: str) -> bytes | None: ...  # type: ignore[override]
        async def smembers(self, name: str) -> set[bytes]: ...  # type: ignore[override]
        async def hgetall(self, name: str) -> dict[bytes, bytes]: ...  # type: ignore[override]
        async def hmget(self, name: str, keys: Sequence[str], *more: str) -> list[bytes | None]: ...  # type: ignore[override]
        async def rpop(self, name: str, count: int) -> list[bytes] | None: ...  # type: ignore[override]
        async def scan(  # type: ignore[override]
            self, cursor: int = 0, match: str | None = None, count: int | None = None
        ) -> tuple[int, list[bytes]]: ...
        async def hscan(  # type: ignore[override]
            self, name: str, cursor: int = 0, match: str | None = None, count: int | None = None
        ) -> tuple[int, dict[bytes, bytes]]: ...

    @property
    def turn(self) -> int:
        return self.group.turn


def connect(url: str, *, connections: int = POOL_CONNECTIONS) -> RedisClient:
    """A client on `url` (redis://, rediss:// or unix://). Opens nothing until it is used.

    Commands are never repeated by the client: a repeated PUBLISH or INCR is a second effect. A caller that
    knows its command to be idempotent repeats it itself. Above `connections` at once, callers wait.
    """
    address = parse(url)
    pool = BlockingConnectionPool(
        **_known_server(address),
        max_connections=connections,
        timeout=COMMAND_TIMEOUT_S,
        socket_timeout=COMMAND_TIMEOUT_S,
        socket_connect_timeout=2.0,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        driver_info=None,  # else each client looks up the library's version in its package: 1.5 MB of a small process
    )
    group = _Group()
    shape = {"group": group, "address": address}
    pool.connection_class = type("GroupedConnection", (_Connection, pool.connection_class), shape)
    client = cast(RedisClient, RedisClient.from_pool(pool))  # which also closes the pool with the client
    client.group = group
    return client


def _known_server(address: Address) -> dict[str, Any]:
    # A Sentinel names the host when a connection is made; until then there is none.
    return address.options | ({"host": "", "port": 0} if address.sentinels else {})


class _Connection(AbstractConnection):
    """A connection whose commands can be cancelled at any moment, and that leaves a server that cannot serve.

    redis-py sends through `asyncio.wait_for`, which before Python 3.12 forgets a cancellation that meets the end of
    the send: the task lives on, and a shutdown waits for it for ever (seen in 1 of 25 cancelled commands).
    """

    group: _Group
    address: Address
    _turn = 0

    async def connect(self) -> None:
        """To whatever the address means at this moment."""
        if not self.is_connected:
            self._turn = self.group.turn
            found = await self.address.find()
            if found is not None:
                self.host, self.port = found
        await super().connect()  # type: ignore[no-untyped-call]

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """An error that says "not this server" gives up every connection of the client, at its next use."""
        try:
            return await super().read_response(*args, **kwargs)
        except RedisError as error:
            if self._turn == self.group.turn and reason_of(error, _UNFIT):
                self.group.turn += 1
            raise

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """The same bounds in time, by `asyncio.timeout`. Without a socket timeout redis-py does not use wait_for."""
        if self.is_connected and self._turn != self.group.turn:
            await self.disconnect(nowait=True)
        bound_s, self.socket_timeout = self.socket_timeout, None
        try:
            async with asyncio.timeout(bound_s):
                if not self.is_connected:
                    await self.connect()  # redis-py would go past it, and what greets the server would come back here
                await super().send_packed_command(command, check_health)
        finally:
            self.socket_timeout = bound_s


def reason_of(error: BaseException, words: Mapping[str, str] = _UNFIT | _UNABLE) -> str | None:
    """What an error of a server that answers means, in words for readiness; None = nothing that we know of."""
    code = getattr(error, "status_code", None) or ""  # redis-py takes the word away where it has a class for it
    if code in words:
        return words[code]
    return next((said for word, said in words.items() if word in str(error)), None)  # a script's error quotes it


class Script:
    """A Lua script from a file beside its module: EVALSHA, and EVAL once where the server does not know it."""

    __slots__ = ("sha", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()  # the name Redis gives it

    async def __call__(self, redis: RedisClient, keys: list[str], args: list[Any]) -> Any:
        """Raises RedisError as the client does; a server that was replaced gets the script again."""
        try:
            return await redis.evalsha(self.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await redis.eval(self.source, len(keys), *keys, *args)

    async def many(
        self, redis: RedisClient, calls: Sequence[Call], before: tuple[str, bytes] | None = None
    ) -> list[Any]:
        """The answers of several calls in their order, SCRIPTS_PER_TRIP in one round trip. Raises as one call does.
        `before`: a channel, and what is published there ahead of them, in the first trip.

        Where the server did not know the script, the calls that it refused run after the others of their trip: what
        is given together and must keep its order must be refused by the script when it comes too late.
        """
        answers: list[Any] = []
        for at in range(0, len(calls), SCRIPTS_PER_TRIP):
            part = calls[at : at + SCRIPTS_PER_TRIP]
            told = await self._trip(redis, part, before if at == 0 else None)
            unknown = [n for n, answer in enumerate(told) if isinstance(answer, NoScriptError)]
            if unknown:
                await redis.script_load(self.source)
                for n, answer in zip(unknown, await self._trip(redis, [part[n] for n in unknown]), strict=True):
                    told[n] = answer
            for answer in told:
                if isinstance(answer, Exception):
                    raise answer
            answers += told
        return answers

    async def _trip(
        self, redis: RedisClient, calls: Sequence[Call], before: tuple[str, bytes] | None = None
    ) -> list[Any]:
        pipe = redis.pipeline(transaction=False)
        if before is not None:
            pipe.publish(*before)
        for keys, args in calls:
            pipe.evalsha(self.sha, len(keys), *keys, *args)
        answers = list(await pipe.execute(raise_on_error=False))
        if before is not None and isinstance(said := answers.pop(0), Exception):
            raise said
        return answers


@cache
def load_script(module_file: str, name: str) -> Script:
    """The script `name`.lua in the folder of `module_file` (pass `__file__`); read once."""
    return Script((Path(module_file).parent / f"{name}.lua").read_text("utf-8"))


async def fault(redis: RedisClient) -> str | None:
    """Why this Redis cannot serve, in words for readiness ("does not answer", "read-only", "full", …), or None.

    Asks for a write that changes nothing, and for one that a full Redis refuses. Takes a second at most.
    """
    try:
        async with asyncio.timeout(1):
            pipe = redis.pipeline(transaction=False)
            pipe.delete(_PROBE)
            pipe.set(_PROBE, b"", px=1)
            await pipe.execute()
    except RedisError as error:
        return reason_of(error) or REASONS[0]
    except (OSError, TimeoutError):
        return REASONS[0]
    return None


async def publish_once(url: str, channel: str, message: bytes) -> bool:
    """One message by whoever has nothing else to do with Redis; whether it went out, within PUBLISH_ONCE_S."""
    if not url:
        return False
    client = connect(url)
    try:
        async with asyncio.timeout(PUBLISH_ONCE_S):
            await client.publish(channel, message)
    except AWAY:
        return False
    else:
        return True
    finally:
        await client.aclose()


async def heard(redis: RedisClient, channel: str, quiet_s: float) -> AsyncIterator[bytes]:
    """What is published on a channel, until Redis fails: raises one of AWAY. After `quiet_s` without a message it is
    asked whether it is still the right one: a server that has become unfit says so, and is left."""
    async with redis.pubsub() as bus:
        await bus.subscribe(channel)
        while True:
            message = await bus.get_message(ignore_subscribe_messages=True, timeout=quiet_s)
            if message is None:
                await bus.ping()
            else:
                yield message["data"]


_PROBE: Final = "musclemap:probe"
