"""What the head of a request may say so that no two servers in a row read it differently. Pure.

llhttp refuses what breaks the grammar (bare line feeds, folded lines, NUL, odd bytes in names, two lengths, a length
beside chunks). Here stands what the grammar allows and servers read in more than one way.
"""

import re
from collections.abc import Iterable
from typing import Final

Headers = Iterable[tuple[bytes, bytes]]

CHUNKED: Final = -1  # the length of a body that says its length as it goes
# What may not be in a target: white space and control characters, a fragment, or what some read as a slash.
_TARGET: Final = re.compile(rb"[!-\"$-\[\]-~]+")
_ABSOLUTE: Final = re.compile(rb"https?://([^/?]+)(?:[/?].*)?", re.IGNORECASE)
# Of an upgrade to something that is not spoken here: they concern nobody but this connection (RFC 9110, 7.8).
_OF_UPGRADES: Final = frozenset({b"upgrade", b"http2-settings"})


class BadHead(ValueError):
    """The head could be read in two ways, or is none of HTTP/1.1. The text is safe to show."""


def judged(version: str, target: bytes, headers: Headers) -> int:
    """The length of the body that follows this head, or CHUNKED; 0 where none does. Raises BadHead.

    `headers` have their names in lower case.
    """
    if version not in ("1.1", "1.0"):
        raise BadHead("This version of HTTP is not spoken here")
    hosts, length, coding, expected = 0, 0, None, False
    host = b""
    for name, value in headers:
        if name == b"host":
            hosts, host = hosts + 1, value
        elif name == b"content-length":
            if not value.strip().isdigit():
                raise BadHead("Content-Length is not a number")
            length = int(value)
        elif name == b"transfer-encoding":
            if coding is not None or value.strip().lower() != b"chunked" or version != "1.1":
                raise BadHead("Transfer-Encoding may be chunked, once, and not in HTTP/1.0")
            coding = value
        elif name == b"expect":
            if expected or value.strip().lower() != b"100-continue":
                raise BadHead("Expect may be 100-continue, once")
            expected = True
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        raise BadHead("One Host header is needed")
    _judge_target(target, host)
    if coding is not None:
        return CHUNKED
    return length


def _judge_target(target: bytes, host: bytes) -> None:
    if not _TARGET.fullmatch(target):
        raise BadHead("The request's target has characters that no address has")
    if target.startswith(b"/"):
        return
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise BadHead("The request's target must be a path")
    if absolute[1].lower() != host.lower():
        raise BadHead("The request's target and its Host name two hosts")


def without_upgrade(method: bytes, version: str, target: bytes, headers: Headers) -> bytes:
    """The same head as if nobody had asked for another protocol: a server may ignore that (RFC 9110, 7.8)."""
    lines = [b"%b %b HTTP/%b" % (method, target, version.encode())]
    for name, value in headers:
        if name == b"connection":
            tokens = (token.strip() for token in value.split(b","))
            value = b", ".join(token for token in tokens if token and token.lower() not in _OF_UPGRADES)
            if not value:
                continue
        if name not in _OF_UPGRADES:
            lines.append(name + b": " + value)
    return b"\r\n".join((*lines, b"", b""))
