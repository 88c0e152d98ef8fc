"""What every role that listens shares: whether a port can be had, and what to say to the operator where not."""

import errno
import socket
from typing import Final

# Linux, not in the socket module of 3.11.
TCP_USER_TIMEOUT: Final = 18
TCP_NOTSENT_LOWAT: Final = 25


def family_of(host: str) -> socket.AddressFamily:
    """IPv6 for an address of it, else IPv4."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def trouble(host: str, port: int, setting: str) -> str | None:
    """Why no server could listen there now, in one line, or None. `setting`: the port's, such as API_PORT.

    A plain socket: one with SO_REUSEPORT would hide another server.
    """
    with socket.socket(family_of(host), socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what lingers in TIME_WAIT is no server
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            return why_not(error, host, port, setting)
    return None


def why_not(error: OSError, host: str, port: int, setting: str) -> str:
    """What an error of `bind` or `listen` means, and which setting to change."""
    if isinstance(error, PermissionError):
        return f"port {port} may not be used by this account: set {setting} to one above 1023"
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use: set {setting} to a free one"
    place = f"{setting.removesuffix('_PORT')}_HOST"
    return f"cannot listen on {host}: {error.strerror}; set {place} to an address of this machine"
