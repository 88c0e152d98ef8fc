"""Which host a request names, and whose address it has when it may have come through reverse proxies. Pure."""

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?")
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[0-9A-Za-z._-]+)(?::(\d{1,5}))?", re.ASCII)

_PORT = r"(?::(?P<port>\d{1,5}))?"
_ENTRY = re.compile(rf"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<v4>[0-9.]+)){_PORT}|(?P<bare>[0-9a-fA-F:.]+)", re.ASCII)


def host_name(header: str) -> str | None:
    """The name or address in a Host header, in lower case and without port and brackets; None where it is none."""
    match = _HOST.fullmatch(header)
    if match is None or int(match[2] or 0) > 65_535:
        return None
    return match[1].strip("[]").lower()


def from_here(host: str) -> str:
    """Where this machine asks who listens on this address: any address is loopback as well."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def origin(scheme: str, host: str, port: int) -> str:
    """The origin of pages at this host (a name, or an address without brackets), as browsers send it."""
    address = _address(host)
    shown = f"[{address}]" if isinstance(address, ipaddress.IPv6Address) else str(address or host.lower())
    return f"{scheme}://{shown}" if port == DEFAULT_PORTS.get(scheme) else f"{scheme}://{shown}:{port}"


def is_origin(word: str) -> bool:
    """Whether a browser could send it as Origin (RFC 6454, 6.2)."""
    if _ORIGIN.fullmatch(word) is None:
        return False
    scheme, _, rest = word.partition("://")
    port = int(rest.rpartition(":")[2]) if re.search(r":\d+$", rest) else None
    return port is None or (port <= 65_535 and port != DEFAULT_PORTS.get(scheme))


def names_us(name: str, known: frozenset[str]) -> bool:
    """Whether a request for this host (`host_name`) is meant for us: a known name, or any address.

    A page of another site that has pointed its own name at this machine (DNS rebinding) asks by that name. It cannot
    ask by a bare address or by a name of ours and still read the answer.
    """
    return name in known or _address(name) is not None


def networks(words: Iterable[str]) -> tuple[Network, ...]:
    """The networks that TRUSTED_PROXIES names, single addresses included. Raises ValueError for a word that is none."""
    return tuple(ipaddress.ip_network(word, strict=False) for word in words)


def client_address(peer: str, forwarded_for: str | None, trusted: tuple[Network, ...]) -> str:
    """The address that limits and logs know a client by.

    `peer` is the socket's other end and `forwarded_for` the X-Forwarded-For header (all its lines joined by commas).
    The header counts only when the peer is a trusted proxy; then the client is its rightmost entry that is no
    trusted proxy, since whatever stands further left could have been written by the client itself. An entry may carry a
    port, and an IPv6 address its brackets.
    """
    if not forwarded_for or not is_inside(peer, trusted):
        return peer
    nearest = peer
    for entry in reversed(forwarded_for.split(",")):
        address = _forwarded(entry.strip())
        if address is None:
            return nearest
        nearest = str(address)
        if not is_inside(nearest, trusted):
            return nearest
    return nearest


def address_group(address: str) -> str:
    """Whom a limit by address counts: an IPv4 address itself, of IPv6 its /64, which one customer has whole (RFC 6177).

    What is no address counts under its own name.
    """
    parsed = _address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
    return str(parsed) if parsed is not None else address


def is_loopback(word: str) -> bool:
    """Whether this names the machine itself: `localhost`, or an address that never leaves it."""
    address = _address(word)
    return word == "localhost" or (address is not None and address.is_loopback)


def is_lenient(peer: str, has_forwarding_header: bool, trusted: tuple[Network, ...]) -> bool:
    """Whether rate limits spare this peer: loopback itself, while no proxy is configured and none has spoken."""
    address = _address(peer)
    return not trusted and not has_forwarding_header and address is not None and address.is_loopback


def is_inside(word: str, trusted: tuple[Network, ...]) -> bool:
    """Whether the address `word` lies in one of the networks; what is no address lies in none."""
    address = _address(word)
    return address is not None and any(address in network for network in trusted)


def _forwarded(entry: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address in an entry of X-Forwarded-For, of which no standard says how it is written."""
    match = _ENTRY.fullmatch(entry)
    if match is None or int(match["port"] or 0) > 65_535:
        return None
    return _address(match["v6"] or match["v4"] or match["bare"])


@lru_cache(maxsize=10_000)  # asked for several times for each socket, and proxies and crowds have few
def _address(word: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(word)
    except ValueError:
        return None
    # A dual-stack listener reports IPv4 peers as ::ffff:a.b.c.d: the same client must not count as two.
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
