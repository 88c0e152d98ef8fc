"""`python -m api.admin` as people with a shell run it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import orjson
import pytest

from api.admin import AdminError, done, parser
from api.credits.service import Credits
from api.flags.rules import person
from config.settings import Settings
from tests.support import forks
from tests.support.ledger import Ledger, connection, ledger, query
from tests.support.stores import Database, environment
from worker.books.audit import audit


@pytest.fixture
async def books(database: Database) -> AsyncIterator[Ledger]:
    async with ledger(database) as made:
        yield made
    async with connection(database.owner_url) as checked:
        assert await audit(checked) == []


class Shell:
    """Runs commands, and tells what they have left behind."""

    def __init__(self, database: Database) -> None:
        self.settings = Settings(database_owner_url=database.owner_url)
        self._url = database.owner_url

    async def __call__(self, *words: str) -> str:
        return await done(self.settings, parser().parse_args(words))

    async def actions(self) -> list[dict[str, Any]]:
        async with connection(self._url) as owner:
            rows = await owner.fetch("SELECT * FROM admin_actions ORDER BY id")
            return [dict(row) | {"arguments": orjson.loads(row["arguments"])} for row in rows]


@pytest.fixture
def shell(database: Database) -> Shell:
    return Shell(database)


async def test_a_grant_is_a_ledger_transaction_and_told_to_the_owner(books: Ledger, shell: Shell) -> None:
    user = await books.user(credit=10)
    assert await shell("grant", str(user), "50", "--reason", "an outage") == (
        f"granted 50 credits to {user}: the balance is 60"
    )
    await shell("grant", f"{user}@EXAMPLE.org", "1", "--reason", "more")
    page = await Credits(books.of(user)).ledger(user, 2)
    assert [(edge.node.reason, edge.node.amount) for edge in page.edges] == [("grant", 1), ("grant", 50)]
    rows = await books.everything.fetch(query("SELECT event::text AS event FROM outbox ORDER BY id"))
    told = [orjson.loads(row["event"]) for row in rows]
    assert [(one["type"], one["data"]["credits"], one["data"]["reason"]) for one in told] == [
        ("credits_granted", 50, "grant"),
        ("credits_granted", 1, "grant"),
    ]
    first, _ = await shell.actions()
    assert (first["action"], first["arguments"], first["reason"]) == ("grant", {"credits": 50}, "an outage")
    assert first["actor"]
    assert str(user) not in str(first)  # the account's pseudonym alone


async def test_roles_come_and_go(books: Ledger, shell: Shell) -> None:
    user = await books.user()
    assert await shell("roles", str(user), "add", "moderator") == f"roles of {user}: moderator, user"
    with pytest.raises(AdminError, match="has the role moderator"):
        await shell("roles", str(user), "add", "moderator")
    assert await shell("roles", str(user), "remove", "moderator") == f"roles of {user}: user"
    with pytest.raises(AdminError, match="has not the role"):
        await shell("roles", str(user), "remove", "moderator")
    with pytest.raises(AdminError, match="everybody's"):
        await shell("roles", str(user), "remove", "user")
    assert [one["arguments"]["change"] for one in await shell.actions()] == ["add", "remove"]


async def test_flags_have_a_history(books: Ledger, shell: Shell, database: Database) -> None:
    """Each rollback goes one further back, not to and fro. Seen failing with the version before by its number."""
    ann = await books.user()
    await shell("flags", "set", "challenges", "--off")
    await shell("flags", "set", "challenges", "--percent", "5", "--allow", str(ann))
    with pytest.raises(AdminError, match="is set so already"):
        await shell("flags", "set", "challenges", "--percent", "5")
    assert "off, 5 % of users, on for 1 by name" in await shell("flags", "list")
    await shell("flags", "set", "challenges", "--forget", str(ann), "--no-percent", "--on")
    assert (
        await shell("flags", "rollback", "challenges") == "challenges: off, 5 % of users, on for 1 by name (version 2)"
    )
    assert await shell("flags", "rollback", "challenges") == "challenges: off (version 1)"
    await shell("flags", "set", "challenges", "--deny", str(ann))
    assert await shell("flags", "rollback", "challenges") == "challenges: off (version 1)"
    assert await shell("flags", "rollback", "challenges") == "challenges: on by default (version 0)"
    with pytest.raises(AdminError, match="nothing to roll back"):
        await shell("flags", "rollback", "challenges")
    assert [one["action"] for one in await shell.actions()].count("flags rollback") == 4
    async with connection(database.owner_url) as owner:
        named = await owner.fetchval("SELECT denied FROM flag_versions WHERE denied <> '{}'")
        assert named == [person(str(ann))]
        for statement in ("UPDATE flag_versions SET percent = 1", "DELETE FROM admin_actions"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await owner.execute(statement)


@pytest.mark.parametrize(
    "words",
    [
        ("grant", "nobody@example.org", "5", "--reason", "x"),
        ("grant", "0199aa00-0000-7000-8000-000000000000", "5", "--reason", "x"),
        ("roles", "nobody", "add", "moderator"),
        ("flags", "set", "challenges", "--allow", "nobody@example.org"),
    ],
)
async def test_nobody_is_said_in_one_line(shell: Shell, words: tuple[str, ...]) -> None:
    with pytest.raises(AdminError, match="there is no user"):
        await shell(*words)
    assert await shell.actions() == []


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("grant", "a", "0", "--reason", "x"),
        ("grant", "a", "1.5", "--reason", "x"),
        ("grant", "a", "9999999", "--reason", "x"),
        ("grant", "a", "5"),
        ("grant", "a", "5", "--reason", "two\nlines"),
        ("roles", "a", "add", "Admin"),
        ("roles", "a", "give", "admin"),
        ("flags", "set", "no-flag", "--on"),
        ("flags", "set", "challenges", "--on", "--off"),
        ("flags", "set", "challenges", "--percent", "nan"),
        ("flags", "set", "challenges", "--percent", "101"),
    ],
)
def test_wrong_words_are_refused(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(words)
    assert ended.value.code == 2
    assert "usage: python -m api.admin" in capsys.readouterr().err


async def test_the_command_ends_with_a_code_and_one_line(database: Database) -> None:
    """Seen failing with a traceback where the database is away."""

    async def run(*words: str, url: str = database.owner_url) -> tuple[int, str]:
        done = await asyncio.to_thread(forks.run, "api.admin", *words, env=environment(DATABASE_OWNER_URL=url))
        return done.returncode, done.stdout + done.stderr

    ended = await asyncio.gather(
        run("flags", "list"),
        run("roles", "nobody", "add", "moderator"),
        run("flags", "list", url="postgresql://nobody@127.0.0.1:1/nothing"),
        run("flags", "list", url=""),
    )
    assert [code for code, _ in ended] == [0, 1, 1, 1], ended
    assert ended[1][1] == "admin: there is no user nobody\n"
    assert ended[2][1].startswith("admin: DATABASE_OWNER_URL: ")
    assert [out.count("\n") for _, out in ended[1:]] == [1, 1, 1], ended
