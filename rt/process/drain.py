"""The end of a gateway process: nobody new, everybody told when to return, and time to hear it."""

import asyncio
import random
import socket
import time
from typing import Final

import structlog

from config.limits import CLOSE_WAIT_S
from config.process import Lifetime, set_within
from rt.clients.gateway import Gateway
from rt.sockets.wheel import TICK_S

log = structlog.get_logger()

__all__ = ["drain"]

DRAIN_BATCHES_PER_S: Final = 10
DRAIN_CLIENTS_PER_S_MIN: Final = 100  # few clients need no long window
DRAIN_RETURN_MS: Final = (500, 5_500)  # `reconnect.after_ms`; well within the grace of presence


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
            client.tell_restart(random.randint(*DRAIN_RETURN_MS))  # noqa: S311
        if number < batches - 1 and not lifetime.hurry.is_set():
            await set_within(lifetime.hurry, window_s / batches)
    deadline = time.monotonic() + CLOSE_WAIT_S + 2 * TICK_S
    while gateway.clients and time.monotonic() < deadline:
        if await set_within(lifetime.hurry, 0.05):
            break
    for client in list(gateway.clients):
        client.abort()
    await asyncio.sleep(0)
