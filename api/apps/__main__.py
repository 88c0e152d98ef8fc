"""`python -m api.apps`: namespaces of other apps, their server keys and what they may; tokens for widgets.

It asks by DATABASE_URL and tells gateways by REDIS_URL; each act leaves a row in admin_actions. A server key is shown
once: its hash alone is kept. A widget token is signed by a key of its own, of which the public half alone is kept, so
that it can be taken back and no other one made.
"""

import argparse
import asyncio
import secrets
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import jwt
import orjson
import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from api.apps import store
from api.apps.rules import NAMESPACE, Widget, hash_of, shown, told
from api.apps.service import tell
from api.apps.store import Act
from config import redis
from config.actor import actor
from config.addresses import is_origin
from config.db.database import Transaction, backoff_s
from config.db.postgres import CONNECT_S, ERRORS
from config.ids import uuid7
from config.jwks import public_keys
from config.limits import (
    APP_EVENT_BYTES,
    APP_HISTORY,
    APP_KEYS_MAX,
    APP_RATE,
    APPS_MAX,
    TRANSACTION_TRIES,
    WIDGET_TOKEN_DAYS,
    WIDGET_TOKENS_MAX,
)
from config.redis import AWAY
from config.settings import Settings, load
from rt.auth import apps as gateways
from rt.auth.apps import WIDGET_TYPE
from rt.auth.tokens import Keys
from rt.wire.channels import OWN_NAMESPACE

JWKS_BYTES_MAX: Final = 64 * 1024
HISTORY_S_MAX: Final = 10 * 365 * 86_400
TELL_S: Final = 2

Run = Callable[[Transaction, Act, argparse.Namespace, Settings], Awaitable[str]]


class AppsError(Exception):
    """Why it was not done, in one line."""


async def create(tx: Transaction, act: Act, words: argparse.Namespace, _: Settings) -> str:
    """A new namespace, closed, and its first server key."""
    key = _new_key()
    made = await store.create(tx, act, words.namespace, hash_of(key))
    if made is None:
        raise AppsError(f"there are {APPS_MAX} apps already")
    if not made:
        raise AppsError(f"there is an app {words.namespace} already: `rotate` gives another key")
    return f"{words.namespace} is there, closed. Its server key, shown this once:\n{key}"


async def rotate(tx: Transaction, act: Act, words: argparse.Namespace, _: Settings) -> str:
    """A second server key."""
    key = _new_key()
    _found(await store.rotate(tx, act, words.namespace, hash_of(key)), words)
    return f"The key before this one is good until the next `rotate`, an older one no more. Shown this once:\n{key}"


async def change(tx: Transaction, act: Act, words: argparse.Namespace, _: Settings) -> str:
    """Sets what was said; the rest stays."""
    names = ("open", "users", "presence", "keys", "history", "history_s", "rate", "event_bytes")
    changes = {name: getattr(words, name) for name in names if getattr(words, name) is not None}
    if not changes:
        raise AppsError("nothing to set: see --help")
    _found(await store.change(tx, act, words.namespace, changes), words)
    return await _line(tx, words.namespace)


async def show(tx: Transaction, _act: Act, _words: argparse.Namespace, _: Settings) -> str:
    """All of them; notes nothing, for nothing is done."""
    apps, widgets = await store.everything(tx)
    keys = await store.key_counts(tx)
    lines = [shown(app, keys.get(app.namespace, 0)) for app in apps]
    lines += [f"widget token {one.id} of {one.origin}, until {one.expires_at:%Y-%m-%d}" for one in widgets]
    return "\n".join(lines) or "there is no other app"


async def widget_token(tx: Transaction, act: Act, words: argparse.Namespace, settings: Settings) -> str:
    """A widget token, or the end of one."""
    if words.revoke is not None:
        if not await store.revoke_widget(tx, act, words.revoke):
            raise AppsError(f"there is no widget token {words.revoke}")
        return f"widget token {words.revoke} is good no more"
    name, ends = str(uuid7()), act.at + timedelta(days=WIDGET_TOKEN_DAYS)
    key = ec.generate_private_key(ec.SECP256R1())
    public: dict[str, Any] = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": name}
    if not await store.note_widget(tx, act, Widget(name, words.origin, public, ends)):
        raise AppsError(f"there are {WIDGET_TOKENS_MAX} widget tokens: `list` shows them, --revoke ends one")
    claims = {
        "iss": settings.jwt_issuer,
        "aud": settings.jwt_audience,
        "jti": name,
        "origin": words.origin,
        "iat": int(act.at.timestamp()),
        "exp": int(ends.timestamp()),
    }
    token = jwt.encode(claims, key, "ES256", headers={"kid": name, "typ": WIDGET_TYPE})
    return f"widget token {name} of {words.origin}, until {ends:%Y-%m-%d}:\n{token}"


def parser() -> argparse.ArgumentParser:
    """The words of the command line."""
    top = argparse.ArgumentParser(prog="python -m api.apps", description="Other apps of this server.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    texts = (("create", create, "a new namespace; prints its server key"), ("rotate", rotate, "prints a second key"))
    for name, run, text in texts:
        one = commands.add_parser(name, help=text)
        one.add_argument("namespace", metavar="NAMESPACE", type=_namespace)
        one.set_defaults(run=run)
    one = commands.add_parser("set", help="sets what is said; the rest stays")
    one.add_argument("namespace", metavar="NAMESPACE", type=_namespace)
    one.set_defaults(run=change)
    both = argparse.BooleanOptionalAction
    one.add_argument("--open", action=both, default=None, help="anybody may join its channels")
    one.add_argument("--users", action=both, default=None, help="each user of the app may join each of its channels")
    one.add_argument("--presence", action=both, default=None, help="its users hear who is in a channel")
    one.add_argument("--jwks", dest="keys", metavar="FILE", type=_jwks, help="public keys that sign for its users")
    one.add_argument("--history", type=_between(*APP_HISTORY), metavar="N", help="events it may read again")
    one.add_argument("--history-s", type=_between(0, HISTORY_S_MAX), metavar="S", help="their age at most; 0: any")
    one.add_argument("--rate", type=_between(*APP_RATE), metavar="R", help="events a second")
    one.add_argument("--event-bytes", type=_between(*APP_EVENT_BYTES), metavar="N", help="of `data` of an event")
    commands.add_parser("list", help="all of them, and widget tokens").set_defaults(run=show)
    one = commands.add_parser("widget-token", help="prints a token for widgets on pages of an origin, or ends one")
    what = one.add_mutually_exclusive_group(required=True)
    what.add_argument("--origin", type=_origin, help="of the pages, such as https://gym.example")
    what.add_argument("--revoke", metavar="ID", type=UUID, help="as `list` shows it")
    one.set_defaults(run=widget_token)
    return top


async def done(settings: Settings, words: argparse.Namespace) -> str:
    """Does it, tells gateways, and returns what to print. Raises AppsError."""
    try:
        connection = await asyncpg.connect(settings.database_url.get_secret_value(), timeout=CONNECT_S)
        try:
            line, text = await _in_transaction(connection, words, settings)
        finally:
            await connection.close(timeout=CONNECT_S)
    except (*ERRORS, ValueError) as error:
        raise AppsError(f"DATABASE_URL: {str(error).partition(chr(10))[0] or type(error).__name__}") from error
    client = redis.connect(settings.redis_url.get_secret_value())
    try:
        async with asyncio.timeout(TELL_S):
            await tell(client, text)
    except AWAY:
        sys.stderr.write("Redis does not answer: the API tells gateways when it does\n")
    finally:
        await client.aclose()
    return line


async def _in_transaction(
    connection: asyncpg.Connection, words: argparse.Namespace, settings: Settings
) -> tuple[str, bytes]:
    run: Run = words.run
    for tries in range(TRANSACTION_TRIES):
        try:
            async with connection.transaction(isolation="serializable"):
                tx = Transaction(connection)
                line = await run(tx, Act(uuid7(), datetime.now(UTC), actor()), words, settings)
                text = gateways.encode(*told(*await store.everything(tx)))
        except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError):
            await asyncio.sleep(backoff_s(tries, 1.0))
        else:
            return line, text
    raise AppsError("others are in the way: try again")


async def _line(tx: Transaction, namespace: str) -> str:
    apps, _ = await store.everything(tx)
    keys = await store.key_counts(tx)
    return next(shown(app, keys.get(namespace, 0)) for app in apps if app.namespace == namespace)


def _found(found: bool, words: argparse.Namespace) -> None:
    if not found:
        raise AppsError(f"there is no app {words.namespace}: `create` makes one")


def _new_key() -> str:
    return f"mmk_{secrets.token_urlsafe(32)}"


def _namespace(text: str) -> str:
    if not NAMESPACE.fullmatch(text) or text == OWN_NAMESPACE:
        raise argparse.ArgumentTypeError(f"1 to 32 of a-z, 0-9 and -, no - in front; {OWN_NAMESPACE} is our own")
    return text


def _origin(text: str) -> str:
    if not is_origin(text):
        raise argparse.ArgumentTypeError("as browsers send it: scheme://host or scheme://host:port, in lower case")
    return text


def _jwks(path: str) -> list[dict[str, Any]]:
    try:
        with Path(path).open("rb") as file:  # what is cut off is no JSON
            keys = public_keys(file.read(JWKS_BYTES_MAX).decode())
        good = Keys.from_jwks(orjson.dumps({"keys": keys})).by_kid
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{path}: {error}") from None
    if not 1 <= len(keys) <= APP_KEYS_MAX or len(good) != len(keys):
        raise argparse.ArgumentTypeError(f"{path}: 1 to {APP_KEYS_MAX} keys of EC P-256, each with a kid of its own")
    return keys


def _between(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 12 and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"a whole number from {least} to {most}")
        return int(text)

    return number


def main() -> None:
    """Exits 0 and prints what was done, 1 with one line that says why not, or 2 where the words are wrong."""
    words = parser().parse_args()
    settings = load()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    settings.require("database_url", "redis_url")
    try:
        line = asyncio.run(done(settings, words))
    except AppsError as error:
        sys.exit(f"apps: {error}")
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
