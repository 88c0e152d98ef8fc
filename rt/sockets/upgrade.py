"""The common request to open a socket, read directly; every other one goes to `websockets` (handshake.py). Pure.

What a browser or an ordinary client sends is recognised whole or not at all, and answered as `websockets` would answer
it, but without a Date; a property test holds the two together. It costs a fifth.
"""

import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha1
from typing import Final

from websockets.datastructures import Headers
from websockets.http11 import Request

from config.addresses import host_name
from config.errors import ApiError
from rt.sockets.handshake import Answer, Rules, refused

_HEAD: Final = re.compile(rb"GET (/[!-~]*) HTTP/1\.1\r\n((?:[A-Za-z0-9-]{1,64}:[\t -~]*\r\n){4,40})\r\n")
_KEY: Final = re.compile(r"[A-Za-z0-9+/]{21}[AQgw]==")  # 16 bytes
_CONNECTIONS: Final = frozenset({"upgrade", "keep-alive, upgrade"})
_MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_SHOWN: Final = ("X-Forwarded-For", "Origin")
_NO_HEADERS: Final = Headers()
_BODY: Final = frozenset({"content-length", "transfer-encoding"})


def answer(head: bytes, rules: Rules, admit: Callable[[Request], ApiError | None]) -> Answer | None:
    """As rt/handshake.answer; None: not the common request, nobody was asked anything.

    `admit` is shown the path, the forwarding header and the origin alone: it knows nothing of the others.
    """
    found = _HEAD.fullmatch(head)
    if found is None:
        return None
    headers: dict[str, str] = {}
    for line in found[2].decode().split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip(" \t")
    path = found[1].decode()
    offered, spoken = headers.get("sec-websocket-protocol"), rules.spoken(path.partition("?")[0])
    if (
        len(headers) != found[2].count(b"\r\n")  # one of them twice
        or not _is_upgrade(headers)
        or spoken is None
        or (offered is not None and offered not in spoken)
        or (rules.origins is not None and headers.get("origin") not in (None, *rules.origins))
    ):
        return None
    shown = {name: headers[name.lower()] for name in _SHOWN if name.lower() in headers}
    refusal = admit(Request(path, Headers(shown) if shown else _NO_HEADERS))
    if refusal is not None:
        return Answer(refused(refusal), upgraded=False)
    accept = b64encode(sha1(headers["sec-websocket-key"].encode() + _MAGIC, usedforsecurity=False).digest())
    chosen = b"" if offered is None else b"Sec-WebSocket-Protocol: %b\r\n" % offered.encode()
    return Answer(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n%b\r\n" % (accept, chosen),
        upgraded=True,
        path=path.partition("?")[0],
    )


def _is_upgrade(headers: dict[str, str]) -> bool:
    return (
        headers.get("upgrade", "").lower() == "websocket"
        and headers.get("connection", "").lower() in _CONNECTIONS
        and headers.get("sec-websocket-version") == "13"
        and _KEY.fullmatch(headers.get("sec-websocket-key", "")) is not None
        and host_name(headers.get("host", "")) is not None
        and _BODY.isdisjoint(headers)
    )
