"""The refresh cookie over HTTPS: what browsers demand of its prefix."""

from datetime import UTC, datetime
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from api.accounts import routes
from api.accounts.rules import User
from api.accounts.service import SignedIn
from config.settings import Settings


def test_the_prefix_comes_with_its_attributes() -> None:
    """RFC 6265bis, 4.1.3.2: Secure, Path=/, no Domain, or browsers drop it. Seen failing with the path of before."""
    request = Request({"type": "http", "headers": [(b"host", b"app.example")]})
    user = User(uuid4(), uuid4(), "ada@example.com", "Ada", ("user",), "free", "everyone", datetime.now(UTC))
    settings = Settings(cookie_secure=True)
    for response in (
        routes._signed_in(request, SignedIn(user, "access", "refresh"), settings),
        routes._without_cookie(request, Response(), settings),
    ):
        name, *attributes = response.headers["set-cookie"].split("; ")
        assert name.startswith("__Host-refresh_token=")
        told = {one.lower() for one in attributes}
        assert {"secure", "httponly", "path=/", "samesite=strict"} <= told
        assert not any(one.startswith("domain") for one in told)
