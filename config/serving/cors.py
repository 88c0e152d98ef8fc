"""Which pages of other origins may read an answer.

Pages of ours (ALLOWED_ORIGINS) may read all of them, with cookies. Guests, pages that show a widget, read what anybody
may at GUESTS_MAY_ASK: without cookies, and without an Authorization header, so as nobody.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from starlette.responses import Response

from config.errors import Forbidden
from config.serving.answers import GRAPHQL_PATH

# The origins of guests, as they are known at that moment.
Guests = Callable[[], Collection[str]]
NO_GUESTS: Final[Guests] = tuple

GUESTS_MAY_ASK: Final = frozenset({GRAPHQL_PATH})

_METHODS: Final = "GET, POST"
_HEADERS: Final = ("authorization", "content-type", "x-request-id")
_GUEST_HEADERS: Final = "content-type"
_EXPOSED: Final = b"x-request-id, retry-after, ratelimit-limit, ratelimit-remaining, ratelimit-reset, ratelimit-policy"


class Cors:
    """Says it in headers, and answers a browser that asks before it asks."""

    def __init__(self, origins: Collection[str], headers: Sequence[str], guests: Guests) -> None:
        """`origins`: of our pages; `headers`: that these may send beside the usual ones."""
        self._origins = origins
        self._allowed_headers = ", ".join((*_HEADERS, *headers))
        self._guests = guests

    def headers(self, path: str, origin: str | None) -> tuple[tuple[bytes, bytes], ...]:
        """What an answer to a page of this origin says."""
        if origin in self._origins:
            return (
                (b"access-control-allow-origin", str(origin).encode()),
                (b"access-control-allow-credentials", b"true"),
                (b"access-control-expose-headers", _EXPOSED),
            )
        if self._is_guest(path, origin):
            return (
                (b"access-control-allow-origin", str(origin).encode()),
                (b"access-control-expose-headers", _EXPOSED),
            )
        return ()

    def preflight(self, path: str, origin: str | None) -> Response:
        """What such a page may send. Raises Forbidden where nothing."""
        if origin in self._origins:
            allowed = self._allowed_headers
        elif self._is_guest(path, origin):
            allowed = _GUEST_HEADERS
        else:
            raise Forbidden("This origin may not call the API")
        headers = {
            "access-control-allow-methods": _METHODS,
            "access-control-allow-headers": allowed,
            "access-control-max-age": "600",
        }
        return Response(status_code=204, headers=headers)

    def _is_guest(self, path: str, origin: str | None) -> bool:
        return path in GUESTS_MAY_ASK and origin in self._guests()
