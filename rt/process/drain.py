"""The end of a gateway process: nobody new, everybody told when to return, and time to hear it."""

import asyncio
import random
import socket
import time

import structlog

from config.limits import (
    CLOSE_WAIT_S,
    DRAIN_BATCHES_PER_S,
    DRAIN_CLIENTS_PER_S_MIN,
    DRAIN_RETURN_MS,
)
from config.process import Lifetime, set_within
from rt.clients.gateway import Gateway
from rt.sockets.wheel import TICK_S
from rt.wire import outbound
from rt.wire.closes import Closing

log = structlog.get_logger()

__all__ = ["drain"]


async def drain(
    gateway: Gateway, server: asyncio.Server, listener: socket.socket, lifetime: Lifetime, window_s: float
) -> None:
    """Nobody left in the queue -> everybody is told when to return, over `window_s` or less -> flushed.

    Only when the gateway says that it drains.
    """
    listener.listen(0)
    for _ in range(3):
        await asyncio.sleep(0.01)  # the loop accepts whatever still waits
    server.close()
    clients = list(gateway.clients)
    window_s = min(window_s, len(clients) / DRAIN_CLIENTS_PER_S_MIN)
    batches = max(1, int(window_s * DRAIN_BATCHES_PER_S))
    random.shuffle(clients)
    log.info("draining", clients=len(clients), window_s=round(window_s, 1))
    for number in range(batches):
        for client in clients[number::batches]:
            if client.session is not None:
                client.send(outbound.reconnect(random.randint(*DRAIN_RETURN_MS), "restart"))  # noqa: S311
            client.close(Closing.RESTART)
        if number < batches - 1 and not lifetime.hurry.is_set():
            await set_within(lifetime.hurry, window_s / batches)
    deadline = time.monotonic() + CLOSE_WAIT_S + 2 * TICK_S
    while gateway.clients and time.monotonic() < deadline:
        if await set_within(lifetime.hurry, 0.05):
            break
    for client in list(gateway.clients):
        client.abort()
    await asyncio.sleep(0)
