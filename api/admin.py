"""`python -m api.admin`: what people with a shell may do: grants, roles, flags. Each leaves a row in admin_actions.

It asks by DATABASE_OWNER_URL, as `make migrate` does: what is done here the application's role may not do, so no
request can. USER is an id or an e-mail address, and the viewer of the transaction. With REDIS_URL set the processes
hear of a changed flag at once, else within FLAGS_EVERY_S.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import orjson
import structlog

from api.flags.rules import DEFAULTS, FLAGS, NAMED_MAX, State, person
from api.flags.store import state_of
from config.actor import actor
from config.db.database import backoff_s
from config.db.postgres import CONNECT_S, ERRORS
from config.db.queries import load_queries
from config.ids import uuid7
from config.limits import CREDITS_PER_PURCHASE_MAX, TRANSACTION_TRIES
from config.redis import publish_once
from config.settings import Settings, load
from rt.wire.bus import CONTROL_CHANNEL
from rt.wire.flags import CHANGED

_QUERIES: Final = load_queries(__file__, "admin.sql")
_PERSON_BY_ID: Final = _QUERIES["person_by_id"]
_PERSON_BY_EMAIL: Final = _QUERIES["person_by_email"]
_ACT_FOR: Final = _QUERIES["act_for"]
_GRANT_CREDITS: Final = _QUERIES["grant_credits"]
_SET_ROLES: Final = _QUERIES["set_roles"]
_FLAG: Final = _QUERIES["flag"]
_ADD_FLAG_VERSION: Final = _QUERIES["add_flag_version"]
_POINT_FLAG: Final = _QUERIES["point_flag"]
_NOTE_ACTION: Final = _QUERIES["note_action"]

REASON_CHARS_MAX: Final = 200
ROLE_CHARS_MAX: Final = 32
OWN_ROLE: Final = "user"  # everybody's
_KEEP: Final = object()  # of an option that was not given


class AdminError(Exception):
    """Why it was not done, in one line."""


class Act:
    """One action: its transaction, when and by whom. It is noted by `note`, or not done."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.id = uuid7()
        self.now = datetime.now(UTC)

    async def person(self, user: str) -> Any:
        """The row of a user by id or e-mail address, locked. Raises AdminError."""
        try:
            found = await self.connection.fetchrow(_PERSON_BY_ID.sql, UUID(user))
        except ValueError:
            found = await self.connection.fetchrow(_PERSON_BY_EMAIL.sql, user.strip().lower())
        if found is None:
            raise AdminError(f"there is no user {user}")
        await self.connection.execute(_ACT_FOR.sql, str(found["id"]))
        return found

    async def note(self, action: str, account: UUID | None, *, reason: str | None = None, **arguments: Any) -> None:
        """The audit row. It names no user: what a person deletes must not stay here."""
        text = orjson.dumps(arguments).decode()
        await self.connection.execute(_NOTE_ACTION.sql, self.id, self.now, actor(), action, account, text, reason)


async def grant(act: Act, words: argparse.Namespace) -> str:
    """Gives a user credits, as a ledger transaction."""
    someone = await act.person(words.user)
    account = someone["account_id"]
    balance = await act.connection.fetchval(_GRANT_CREDITS.sql, act.id, account, words.credits, act.now)
    await act.note("grant", account, credits=words.credits, reason=words.reason)
    return f"granted {words.credits} credits to {someone['id']}: the balance is {balance}"


async def roles(act: Act, words: argparse.Namespace) -> str:
    """Adds or removes a role; tokens have it from their next refresh on."""
    someone = await act.person(words.user)
    had = set(someone["roles"])
    if words.role == OWN_ROLE and words.change == "remove":
        raise AdminError(f"the role {OWN_ROLE} is everybody's")
    wanted = had | {words.role} if words.change == "add" else had - {words.role}
    if wanted == had:
        raise AdminError(f"{someone['id']} {'has' if words.change == 'add' else 'has not'} the role {words.role}")
    await act.connection.execute(_SET_ROLES.sql, someone["id"], sorted(wanted), act.now)
    await act.note("roles", someone["account_id"], change=words.change, role=words.role)
    return f"roles of {someone['id']}: {', '.join(sorted(wanted))}"


async def flags_list(act: Act, _: argparse.Namespace) -> str:
    """What each flag is set to; notes nothing, for nothing is done."""
    lines = []
    for flag in FLAGS:
        row = await act.connection.fetchrow(_FLAG.sql, flag.key)
        lines.append(f"{flag.key:<16} {_shown(state_of(row) if row else State(), flag.default):<48} {flag.meaning}")
    return "\n".join(lines)


async def flags_set(act: Act, words: argparse.Namespace) -> str:
    """A new version of a flag: what is not said stays as it is."""
    row = await act.connection.fetchrow(_FLAG.sql, words.key)
    before = state_of(row) if row else State()
    allowed, denied = set(before.allowed), set(before.denied)
    for users, into in ((words.allow, allowed), (words.deny, denied), (words.forget, set[str]())):
        for user in users:
            named = person(str((await act.person(user))["id"]))
            allowed.discard(named)
            denied.discard(named)
            into.add(named)
    if len(allowed) + len(denied) > NAMED_MAX:
        raise AdminError(f"a flag names at most {NAMED_MAX} users: use --percent")
    enabled = before.enabled if words.enabled is _KEEP else words.enabled
    percent = before.percent if words.percent is _KEEP else words.percent
    after = State(enabled, percent, frozenset(allowed), frozenset(denied), before.version)
    if after == before:
        raise AdminError(f"{words.key} is set so already")
    values = (words.key, before.version, enabled, percent, sorted(allowed), sorted(denied), act.now)
    version = await act.connection.fetchval(_ADD_FLAG_VERSION.sql, *values)
    await act.connection.execute(_POINT_FLAG.sql, words.key, version, act.now)
    shown = _shown(after, DEFAULTS[words.key])
    await act.note("flags set", None, key=words.key, version=version, set=shown)
    return f"{words.key}: {shown} (version {version})"


async def flags_rollback(act: Act, words: argparse.Namespace) -> str:
    """What the version that holds has replaced holds again; again and again, back to the default in the code."""
    row = await act.connection.fetchrow(_FLAG.sql, words.key)
    if row is None or not row["version"]:
        raise AdminError(f"{words.key} is at its default: there is nothing to roll back")
    await act.connection.execute(_POINT_FLAG.sql, words.key, row["parent"], act.now)
    state = state_of(await act.connection.fetchrow(_FLAG.sql, words.key))
    await act.note("flags rollback", None, key=words.key, version=row["parent"], was=row["version"])
    return f"{words.key}: {_shown(state, DEFAULTS[words.key])} (version {row['parent']})"


class Command(NamedTuple):
    """`tells`: the processes are to hear of it."""

    run: Callable[[Act, argparse.Namespace], Awaitable[str]]
    tells: bool = False


def parser() -> argparse.ArgumentParser:
    """The words of the command line."""
    top = argparse.ArgumentParser(prog="python -m api.admin", description="Grants, roles and flags.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("grant", help="gives a user credits")
    one.add_argument("user", metavar="USER", help="id or e-mail address")
    one.add_argument("credits", metavar="CREDITS", type=_whole, help=f"from 1 to {CREDITS_PER_PURCHASE_MAX}")
    one.add_argument("--reason", required=True, type=_reason, help="for the audit row; name nobody")
    one.set_defaults(command=Command(grant))

    one = commands.add_parser("roles", help="adds or removes a role of a user")
    one.add_argument("user", metavar="USER", help="id or e-mail address")
    one.add_argument("change", choices=("add", "remove"))
    one.add_argument("role", metavar="ROLE", type=_role)
    one.set_defaults(command=Command(roles))

    kinds = commands.add_parser("flags", help="lists, sets or rolls back flags").add_subparsers(
        required=True, metavar="list|set|rollback"
    )
    kinds.add_parser("list", help="what each is set to").set_defaults(command=Command(flags_list))
    one = kinds.add_parser("set", help="sets one; what is not said stays")
    one.add_argument("key", choices=tuple(DEFAULTS))
    state = one.add_mutually_exclusive_group()
    for name, value in (("--on", True), ("--off", False), ("--default", None)):
        state.add_argument(name, dest="enabled", action="store_const", const=value, default=_KEEP, help="for all")
    share = one.add_mutually_exclusive_group()
    share.add_argument("--percent", type=_percent, default=_KEEP, help="of the signed-in users, 0 to 100")
    share.add_argument("--no-percent", dest="percent", action="store_const", const=None, help="all users alike")
    for name, text in (("--allow", "always has it"), ("--deny", "never has it"), ("--forget", "is as any other")):
        one.add_argument(name, metavar="USER", action="append", default=[], help=text)
    one.set_defaults(command=Command(flags_set, tells=True))
    one = kinds.add_parser("rollback", help="what was set before holds again")
    one.add_argument("key", choices=tuple(DEFAULTS))
    one.set_defaults(command=Command(flags_rollback, tells=True))
    return top


async def done(settings: Settings, words: argparse.Namespace) -> str:
    """Does it, and returns what to print. Raises AdminError."""
    command: Command = words.command
    try:
        connection = await asyncpg.connect(settings.database_owner_url.get_secret_value(), timeout=CONNECT_S)
        try:
            told = await _in_transaction(connection, command, words)
        finally:
            await connection.close(timeout=CONNECT_S)
    except (*ERRORS, ValueError) as error:
        raise AdminError(f"DATABASE_OWNER_URL: {str(error).partition(chr(10))[0] or type(error).__name__}") from error
    if command.tells and settings.redis_url.get_secret_value():
        await _tell(settings)
    return told


async def _in_transaction(connection: asyncpg.Connection, command: Command, words: argparse.Namespace) -> str:
    for tries in range(TRANSACTION_TRIES):
        try:
            async with connection.transaction(isolation="serializable"):
                return await command.run(Act(connection), words)
        except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError):
            await asyncio.sleep(backoff_s(tries, 1.0))
    raise AdminError("others are in the way: try again")


async def _tell(settings: Settings) -> None:
    if not await publish_once(settings.redis_url.get_secret_value(), CONTROL_CHANNEL, CHANGED):
        sys.stderr.write("Redis does not answer: the API hears of it in a moment, gateways when Redis is back\n")


def _shown(state: State, default: bool) -> str:
    on = {None: f"{'on' if default else 'off'} by default", True: "on", False: "off"}[state.enabled]
    parts = [on if state.percent is None else f"{on}, {state.percent:g} % of users"]
    parts += [
        f"{word} for {len(names)} by name" for names, word in ((state.allowed, "on"), (state.denied, "off")) if names
    ]
    return ", ".join(parts)


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 1 <= int(text) <= CREDITS_PER_PURCHASE_MAX):
        raise argparse.ArgumentTypeError(f"a whole number from 1 to {CREDITS_PER_PURCHASE_MAX}")
    return int(text)


def _reason(text: str) -> str:
    if not (text.strip() and text.isprintable() and len(text) <= REASON_CHARS_MAX):
        raise argparse.ArgumentTypeError(f"1 to {REASON_CHARS_MAX} printable characters")
    return text.strip()


def _role(text: str) -> str:
    if not (text.isascii() and text.replace("-", "").isalpha() and text.islower() and len(text) <= ROLE_CHARS_MAX):
        raise argparse.ArgumentTypeError(f"lower-case letters and hyphens, at most {ROLE_CHARS_MAX}")
    return text


def _percent(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 100:
        raise argparse.ArgumentTypeError("a number from 0 to 100")
    return share


def main() -> None:
    """Exits 0 and prints what was done, 1 with one line that says why not, or 2 where the words are wrong."""
    words = parser().parse_args()
    settings = load()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    settings.require("database_owner_url")
    try:
        line = asyncio.run(done(settings, words))
    except AdminError as error:
        sys.exit(f"admin: {error}")
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
