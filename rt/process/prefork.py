"""What every gateway process does at its start, done once by the supervisor before it forks.

The libraries build their tables and the interpreter rewrites its bytecode at first use. Done before the fork, the
result lies in pages that all processes share; done after it, each of them has a copy of its own (14.4 against 9.4 MiB).
"""

import socket
import time
from typing import Final

import uvloop
from msgspec import Raw

from config import base64url
from config.settings import Settings
from rt.auth.tokens import ACCESS_TYPE, Keys, TokenInvalid, verify_access
from rt.graphql.subscriptions import subscriptions
from rt.metrics import Board
from rt.process.server import Server

# The public key of RFC 7515, appendix A.3.
_KEY: Final = (
    '{"keys":[{"kid":"warm-up","kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",'
    '"y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}'
)


def warm_up(settings: Settings) -> None:
    """Checks a token, reads a document, builds a gateway and lets it look at Redis, for a second at most."""
    _refuse()
    subscriptions().want("subscription { communityFeed { id } }", None, Raw(b"null"), "anonymous", signed_in=False)
    uvloop.run(_look(settings))


def _refuse() -> None:
    head = base64url.encode(b'{"alg":"ES256","typ":"%s","kid":"warm-up"}' % ACCESS_TYPE.encode())
    token = f"{head}.e30.{'A' * 86}"
    try:
        verify_access(token, Keys.from_jwks(_KEY), "", "", time.time())
    except TokenInvalid:
        return
    raise RuntimeError("a token without a signature was accepted")


async def _look(settings: Settings) -> None:
    with socket.socket() as unbound:
        await Server(settings, unbound, Board(1), 0).warm_up()
