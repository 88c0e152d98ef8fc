"""What the API reads of one person's presence: of what the profile's channel tells its followers."""

from collections.abc import Sequence

from config.redis import RedisClient
from rt.presence.members import Here, here_of
from rt.presence.rules import partition_of


async def here(redis: RedisClient, users: Sequence[str], partitions: int) -> list[Here | None]:
    """Of each user, in one round trip; None where there is no live connection. Raises RedisError, OSError or
    TimeoutError."""
    pipe = redis.pipeline(transaction=False)
    for user in users:
        pipe.hget(f"presence:{{p{partition_of(user, partitions)}}}:users", user)
    return [here_of(record.decode()) if record else None for record in await pipe.execute()]
