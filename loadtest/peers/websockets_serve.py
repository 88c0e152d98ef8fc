"""Peer: `websockets.asyncio.server.serve` with the library's own `broadcast`, compression off, fed by redis-py.

python -m loadtest.peers.websockets_serve PORT REDIS_URL
"""

import sys

import uvloop
from redis.asyncio import Redis
from websockets.asyncio.server import ServerConnection, broadcast, serve


async def main(port: int, redis_url: str) -> None:
    """Serves until it is ended."""
    clients: set[ServerConnection] = set()

    async def handler(client: ServerConnection) -> None:
        clients.add(client)
        try:
            async for _ in client:
                pass
        finally:
            clients.discard(client)

    async with Redis.from_url(redis_url) as redis, redis.pubsub() as bus:
        await bus.subscribe("rt:community")
        async with serve(handler, "127.0.0.1", port, compression=None, backlog=4096):
            async for message in bus.listen():
                if message["type"] == "message":
                    broadcast(clients, message["data"].decode())


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
