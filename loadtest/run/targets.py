"""Whom a run may load: this machine, and hosts that somebody says to own. Pure."""

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit


class NotYours(Exception):
    """A target that nobody said to own; one line for the person at the terminal."""


def allowed(url: str, owned: Collection[str]) -> None:
    """Raises NotYours where a load on this address is nobody's word to give. A name is taken as it is written."""
    try:
        name = urlsplit(url if "//" in url else f"//{url}").hostname or ""
    except ValueError:
        name = ""
    if not name or not (_is_loopback(name) or name in {one.casefold() for one in owned}):
        raise NotYours(f"the load goes to loopback addresses, and to what is yours: --i-own {name or 'HOST'}")


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
