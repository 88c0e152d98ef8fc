"""The HTTP side of accounts: JSON in, JSON out, the refresh token only ever in its cookie."""

from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.accounts.access import Authenticator
from api.accounts.passwords import Caller
from api.accounts.proofs import Proofs
from api.accounts.rules import COOKIE, User, cookie_name, folded, may_use_cookie
from api.accounts.service import Accounts, SignedIn
from api.accounts.tokens import Signer
from config.errors import BadInput, ClientLeft, Conflict, Forbidden, Unauthenticated, UnsupportedMediaType
from config.rates.gate import Gate
from config.serving.answers import error_response, is_json, json_response
from config.settings import Settings

COOKIE_PATH: Final = "/api/v1/auth"
_COOKIE_CHARS_MAX: Final = 128

Body = TypeVar("Body")


class _Register(msgspec.Struct):
    email: str
    password: str
    name: str


class _Login(msgspec.Struct):
    email: str
    password: str


class _Verify(msgspec.Struct):
    token: str


class _Reset(msgspec.Struct):
    email: str


class _Confirm(msgspec.Struct):
    token: str
    password: str


_register_decoder = msgspec.json.Decoder(_Register)
_login_decoder = msgspec.json.Decoder(_Login)
_verify_decoder = msgspec.json.Decoder(_Verify)
_reset_decoder = msgspec.json.Decoder(_Reset)
_confirm_decoder = msgspec.json.Decoder(_Confirm)


def routes(
    accounts: Accounts, proofs: Proofs, signer: Signer, authenticate: Authenticator, gate: Gate, settings: Settings
) -> list[Route]:
    """All routes. Each request counts, before anything is read of it."""

    async def register(request: Request) -> Response:
        attempt = await gate.sign_up(request.scope["state"])
        try:
            body = await _read(request, _register_decoder)
            if settings.smtp_url.get_secret_value():
                await proofs.join(body.email, body.password, body.name, _now(), _caller(request))
                return json_response({}, 202)
            user = await accounts.register(body.email, body.password, body.name, _now(), _caller(request))
            return json_response({"user": _shown(user)}, 201)
        except (Conflict, ClientLeft):
            raise  # it says who has an account, or nobody waited to hear it
        except Exception:
            await attempt.forgive()
            raise

    async def login(request: Request) -> Response:
        await gate.sign_in(request.scope["state"])
        _refuse_foreign_origin(request, settings)
        body = await _read(request, _login_decoder)
        attempt = await gate.account(request.scope["state"], folded(body.email))
        try:
            signed_in = await accounts.login(body.email, body.password, _now(), _caller(request))
        except (Unauthenticated, ClientLeft):
            raise  # the password was looked at
        except Exception:
            await attempt.forgive()
            raise
        await attempt.forgive()
        return _signed_in(request, signed_in, settings)

    async def refresh(request: Request) -> Response:
        await gate.request(request.scope["state"])
        _refuse_forgery(request, settings)
        name, token = _cookie(request, settings)
        if token is None:
            raise Unauthenticated
        try:
            response = _signed_in(request, await accounts.refresh(token, _now()), settings)
        except Unauthenticated as error:
            # A handler's answer, not the general one: the dead cookie goes with it.
            return _without_cookie(request, error_response(request.scope, error), settings)
        if name == COOKIE != _name(request, settings):
            response.delete_cookie(
                COOKIE, path=COOKIE_PATH, secure=settings.cookie_secure, httponly=True, samesite="strict"
            )
        return response

    async def logout(request: Request) -> Response:
        await gate.request(request.scope["state"])
        _refuse_forgery(request, settings)
        await accounts.logout(_cookie(request, settings)[1], _session(request, authenticate), _now())
        return _without_cookie(request, Response(status_code=204), settings)

    async def key_set(_: Request) -> Response:
        return json_response(signer.key_set(), headers={"cache-control": "public, max-age=300"})

    return [
        Route("/api/v1/auth/register", register, methods=["POST"]),
        Route("/api/v1/auth/login", login, methods=["POST"]),
        Route("/api/v1/auth/refresh", refresh, methods=["POST"]),
        Route("/api/v1/auth/logout", logout, methods=["POST"]),
        Route("/.well-known/jwks.json", key_set),
        *_proof_routes(proofs, gate),
    ]


def _proof_routes(proofs: Proofs, gate: Gate) -> list[Route]:
    async def verify(request: Request) -> Response:
        await gate.request(request.scope["state"])
        await proofs.verify((await _read(request, _verify_decoder)).token, _now())
        return Response(status_code=204)

    async def reset(request: Request) -> Response:
        await gate.request(request.scope["state"])
        await proofs.reset((await _read(request, _reset_decoder)).email, _now(), _caller(request))
        return json_response({}, 202)

    async def confirm(request: Request) -> Response:
        await gate.request(request.scope["state"])
        body = await _read(request, _confirm_decoder)
        await proofs.confirm(body.token, body.password, _now(), _caller(request))
        return Response(status_code=204)

    return [
        Route("/api/v1/auth/verify", verify, methods=["POST"]),
        Route("/api/v1/auth/reset", reset, methods=["POST"]),
        Route("/api/v1/auth/reset/confirm", confirm, methods=["POST"]),
    ]


async def _read(request: Request, decoder: msgspec.json.Decoder[Body]) -> Body:
    if not is_json(request.headers.get("content-type")):
        raise UnsupportedMediaType("Content-Type must be application/json")
    try:
        return decoder.decode(await request.body())
    except msgspec.ValidationError as error:
        raise BadInput(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadInput("The body is not JSON") from None


def _caller(request: Request) -> Caller:
    return Caller(request.state.holder, request.receive)


def _refuse_foreign_origin(request: Request, settings: Settings) -> None:
    origin = request.headers.get("origin")
    if origin is not None and not _is_ours(origin, request, settings):
        raise Forbidden("This origin may not sign anybody in")


def _refuse_forgery(request: Request, settings: Settings) -> None:
    headers = request.headers
    origin = headers.get("origin")
    allowed = origin is not None and _is_ours(origin, request, settings)
    if not may_use_cookie(origin, headers.get("sec-fetch-site"), headers.get("content-type"), allowed):
        raise Forbidden("This request may come from another site")


def _is_ours(origin: str, request: Request, settings: Settings) -> bool:
    # The Host was checked before: an origin of the same scheme, host and port is the page that we served.
    return origin in settings.origins or origin == f"{request.scope['scheme']}://{request.headers.get('host')}"


def _name(request: Request, settings: Settings) -> str:
    return cookie_name(request.headers.get("host", ""), secure=settings.cookie_secure)


def _path(settings: Settings) -> str:
    return "/" if settings.cookie_secure else COOKIE_PATH  # the prefix __Host- asks for /


def _cookie(request: Request, settings: Settings) -> tuple[str, str | None]:
    """The name and value of the cookie; one of the name that every port had before counts until it is replaced. It may
    be another installation's, so that only its use removes it."""
    own = _name(request, settings)
    name = own if own in request.cookies else COOKIE
    token = request.cookies.get(name)
    return name, token if token and len(token) <= _COOKIE_CHARS_MAX else None


def _session(request: Request, authenticate: Authenticator) -> tuple[UUID, UUID] | None:
    """The user and the session of the access token."""
    try:
        access = authenticate(request.headers.get("authorization"))
    except Unauthenticated:
        return None  # whoever wants to go may go
    return (UUID(access.user), UUID(access.sid)) if access else None


def _signed_in(request: Request, signed_in: SignedIn, settings: Settings) -> Response:
    answer: dict[str, Any] = {
        "accessToken": signed_in.access_token,
        "expiresIn": settings.access_token_s,
        "user": _shown(signed_in.user),
    }
    response = json_response(answer)
    response.set_cookie(
        _name(request, settings),
        signed_in.refresh_token,
        max_age=settings.refresh_token_s,
        path=_path(settings),
        secure=settings.cookie_secure,
        httponly=True,
        samesite="strict",
    )
    return response


def _without_cookie(request: Request, response: Response, settings: Settings) -> Response:
    response.delete_cookie(
        _name(request, settings),
        path=_path(settings),
        secure=settings.cookie_secure,
        httponly=True,
        samesite="strict",
    )
    return response


def _shown(user: User) -> dict[str, str]:
    return {"id": str(user.id), "name": user.name, "email": user.email}


def _now() -> datetime:
    return datetime.now(UTC)
