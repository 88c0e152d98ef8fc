"""Ports of this machine."""

import secrets
import socket
from typing import Final

from config.listening import trouble

HOST: Final = "127.0.0.1"
# Above what services are known by, and below what Linux gives to connections that go out: one of those would take a
# port between the moment when it is chosen and the moment when a server listens there.
CHOICE: Final = range(20_000, 32_768)
TRIES_MAX: Final = 1_000

_ours: set[int] = set()


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    return trouble(host, port, "") is None


def free_port(wanted: int = 0) -> int:
    """`wanted` when it is free on 127.0.0.1, else another that is; until this process ends it is given to nobody else
    who asks here, in this process or another. Raises OSError when there is none."""
    if wanted and (wanted in _ours or _reserve(wanted)) and is_free(HOST, wanted):
        return wanted
    for _ in range(TRIES_MAX):
        port = secrets.choice(CHOICE)
        if is_free(HOST, port) and _reserve(port):
            return port
    raise OSError(f"no port of {CHOICE.start} to {CHOICE.stop - 1} is free")


def _reserve(port: int) -> bool:
    """Whether it was nobody's. A name among Unix sockets says whose it is: no file stays, and the kernel ends it with
    the process."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0musclemap-port-{port}")
    except OSError:
        name.close()
        return False
    name.detach()
    _ours.add(port)
    return True
