"""Where Redis is: one server by its name, or the master that Sentinels know.

redis://:password@host:6379/0          rediss:// and unix:// likewise
redis+sentinel://:password@host1:26379,host2:26379/mymaster?db=0&sentinel_password=…
"""

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

SENTINEL_SCHEME: Final = "redis+sentinel"
SENTINEL_PORT: Final = 26379
_SENTINEL_S: Final = 0.5  # a Sentinel that does not answer within this is passed over


@dataclass(frozen=True)
class Address:
    """`options` are what redis-py's connections take: host, port or path, credentials, database."""

    options: dict[str, Any]
    sentinels: tuple[tuple[str, int], ...] = ()
    master: str = ""
    sentinel_options: dict[str, str] = field(default_factory=dict)

    async def find(self) -> tuple[str, int] | None:
        """Host and port of the master as the first Sentinel that answers knows it; None where there are none to ask.

        Raises RedisError where none knows a master.
        """
        if not self.sentinels:
            return None
        for host, port in self.sentinels:
            sentinel: Any = Redis(
                host=host,
                port=port,
                socket_timeout=_SENTINEL_S,
                socket_connect_timeout=_SENTINEL_S,
                retry=Retry(NoBackoff(), 0),  # the next one is asked instead
                username=self.sentinel_options.get("username"),
                password=self.sentinel_options.get("password"),
            )
            try:
                found = await sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.master)
            except (RedisError, OSError, TimeoutError):
                continue
            finally:
                await sentinel.aclose()
            if found:
                name, number = (word.decode() if isinstance(word, bytes) else str(word) for word in found)
                return name, int(number)
        raise RedisError(f"no Sentinel knows a master {self.master!r}")


def parse(url: str) -> Address:
    """Reads a REDIS_URL. Raises ValueError where it is none."""
    parts = urlsplit(url)
    if parts.scheme != SENTINEL_SCHEME:
        return Address(dict(parse_url(url)))
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    options: dict[str, Any] = {"db": int(query.get("db", 0))}
    if user:
        options["username"] = unquote(user)
    if password:
        options["password"] = unquote(password)
    master = parts.path.strip("/")
    if not master or not hosts:
        raise ValueError(
            "redis+sentinel:// needs hosts and the name of a master: redis+sentinel://h1:26379,h2:26379/NAME"
        )
    named = {"username": query.get("sentinel_username"), "password": query.get("sentinel_password")}
    secrets = {name: value for name, value in named.items() if value}
    return Address(options, tuple(_host(word) for word in hosts.split(",")), master, secrets)


def _host(word: str) -> tuple[str, int]:
    parts = urlsplit(f"//{word}")
    return parts.hostname or "localhost", parts.port or SENTINEL_PORT
