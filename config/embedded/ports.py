"""Ports of this machine."""

import socket
from typing import Final

HOST: Final = "127.0.0.1"


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now. A plain bind: one with SO_REUSEPORT would hide another server."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what lingers in TIME_WAIT is no server
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(wanted: int = 0) -> int:
    """`wanted` when it is free on 127.0.0.1, else any free port."""
    if wanted and is_free(HOST, wanted):
        return wanted
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
