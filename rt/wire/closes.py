"""Every way in which a socket ends by our doing: code, reason, whether the client may come back. Pure.

Clients find the same table in rt/wire/asyncapi.yaml (`x-close-codes`); a test holds the two against each other.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final


class Closing(Enum):
    """What the close frame carries, and whether the client may come back: (code, reason, come back?)."""

    NORMAL = (1000, "", False)
    GOING_AWAY = (1001, "going away", True)  # the contract's; this version says RESTART
    PROTOCOL_ERROR = (1002, "protocol error", False)  # said by `websockets` (rt/sockets/connection.py)
    BINARY = (1003, "binary frame", False)
    BAD_UTF8 = (1007, "bad UTF-8", False)
    TOO_BIG = (1009, "too big", False)
    INTERNAL = (1011, "internal error", True)
    RESTART = (1012, "restart", True)
    OVERLOADED = (1013, "overloaded", True)
    TOKEN_EXPIRED = (4001, "token expired", True)
    TOO_SLOW = (4002, "too slow", True)
    RESYNCHRONISE = (4003, "resynchronise", True)  # the contract's; this version sends `gap`, and keeps the socket
    SILENT = (4004, "silent too long", True)
    NO_CONNECT = (4006, "no connect in time", True)
    RATE_LIMIT = (4008, "rate limit", True)
    TOO_MANY_CONNECTIONS = (4009, "too many connections of this user", True)
    BAD_TOKEN = (4500, "bad token", False)
    BAD_MESSAGE = (4501, "bad message", False)
    REVOKED = (4503, "session revoked", False)
    TOO_MANY_ERRORS = (4505, "too many errors", False)

    @property
    def code(self) -> int:
        return self.value[0]

    @property
    def reason(self) -> str:
        return self.value[1]

    @property
    def may_return(self) -> bool:
        return self.value[2]


class GraphqlClosing(Enum):
    """What the protocol of subscriptions (rt/wire/graphql.py) calls these: (code, reason)."""

    GOING_AWAY = (1001, "silent too long")  # its 4004 is for a mistake of the client
    BAD_MESSAGE = (4400, "Invalid message received")
    UNAUTHORIZED = (4401, "Unauthorized")
    FORBIDDEN = (4403, "Forbidden")
    NO_INIT = (4408, "Connection initialisation timeout")
    DUPLICATE = (4409, "Subscriber already exists")
    TWICE = (4429, "Too many initialisation requests")

    @property
    def code(self) -> int:
        return self.value[0]

    @property
    def reason(self) -> str:
        return self.value[1]


# The others have the same code there as here.
IN_GRAPHQL: Final[Mapping[Closing, GraphqlClosing]] = {
    Closing.SILENT: GraphqlClosing.GOING_AWAY,
    Closing.BAD_MESSAGE: GraphqlClosing.BAD_MESSAGE,
    Closing.BAD_TOKEN: GraphqlClosing.FORBIDDEN,
    Closing.TOKEN_EXPIRED: GraphqlClosing.FORBIDDEN,
    Closing.NO_CONNECT: GraphqlClosing.NO_INIT,
}
