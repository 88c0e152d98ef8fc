"""A Sentry of the test's own: it hears of errors, and of nobody."""

import json
import subprocess
import sys
from pathlib import Path

import asyncpg
import httpx2
import pytest

from tests.support.gateway import until
from tests.support.listener import Listener, listening
from tests.support.people import Person
from tests.support.processes import Fleet
from tests.support.stores import ROOT, Database, environment

HEARD_S = 20.0
KEY = "0123456789abcdef0123456789abcdef"

# A function of the database that fails as PostgreSQL does where a value does not fit: it quotes the row.
BROKEN = """
CREATE OR REPLACE FUNCTION leaderboard_page(
  p_viewer uuid, p_board text, p_period text, p_after integer, p_limit integer
) RETURNS {returns} LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
BEGIN
  RAISE 'the row of %', current_setting('musclemap.user_id')
    USING ERRCODE = '22023', DETAIL = 'Key (email)=(ann-in-detail)';
END $$
"""

LEADERBOARD = """
query Planted($first: Int!, $planted: String!) {
  leaderboard(board: XP, period: WEEK, first: $first) { edges { node { rank } } }
  __type(name: $planted) { name }
}
"""

# What libraries and a loop say of errors that nobody took.
LOUD = """
import asyncio, gc, logging, sys
import structlog
from config.crashes import crashes
from config.process import run
from config.settings import load

async def main(lifetime):
    crashes.start("worker", load())
    structlog.contextvars.bind_contextvars(client="client-in-context")
    async def lost():
        secret = "secret-in-variable"
        raise ValueError("secret-in-exception")
    task = asyncio.create_task(lost(), name="secret-in-task")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    gc.collect()
    logging.getLogger("uvicorn.error").error("secret-in-%s", "message")
    for _ in range(50):
        structlog.get_logger().error("ours", user="user-in-line", exc_info=ValueError("secret-in-exception"))

run("worker", "info", main)
"""


def envelopes(listener: Listener) -> list[dict[str, object]]:
    """The events of what was posted."""
    found = []
    for path, headers, body in listener.posts:
        assert path == "/api/7/envelope/"
        assert KEY in headers["x-sentry-auth"]
        lines = body.split(b"\n")
        found += [json.loads(item) for head, item in zip(lines[1::2], lines[2::2], strict=False) if b'"event"' in head]
    return found


def dsn(listener: Listener) -> str:
    return listener.url.replace("://", f"://{KEY}@") + "/7"


def everything(listener: Listener) -> str:
    return " ".join(f"{path} {headers} {body.decode()}" for path, headers, body in listener.posts)


@pytest.mark.timeout(120)
async def test_an_error_of_a_request_is_told_without_a_word_of_it(
    database: Database, redis_url: str, tmp_path: Path
) -> None:
    """Seen failing with the exception's message as its value: the DETAIL and the user's id were told."""
    with listening() as sentry:
        env = environment(**database.urls, REDIS_URL=redis_url, SENTRY_DSN=dsn(sentry))
        async with Fleet(env, tmp_path, roles=("api",)) as fleet, httpx2.AsyncClient(timeout=HEARD_S) as http:
            ann = await Person(fleet.api.http().rstrip("/"), http, name="Ann-by-name").sign_up()
            owner = await asyncpg.connect(database.owner_url)
            name = "leaderboard_page(uuid, text, text, integer, integer)"
            returns = await owner.fetchval(f"SELECT pg_get_function_result('{name}'::regprocedure)")
            await owner.execute(BROKEN.format(returns=returns))
            await owner.close()
            http.headers |= {"cookie": "planted=cookie-planted", "x-planted": "header-planted"}
            asked = {"query": LEADERBOARD, "variables": {"first": 20, "planted": "variable-planted"}}
            answer = await http.post(
                fleet.api.http("/api/graphql"), json=asked, headers={"authorization": f"Bearer {ann.token}"}
            )
            assert answer.json()["errors"][0]["extensions"]["code"] == "INTERNAL", answer.text
            await until(lambda: envelopes(sentry), HEARD_S)
            (event,) = envelopes(sentry)
            assert fleet.api.logged(str(event["event_id"]))  # one leads to the other
        assert event["tags"] == {"role": "api", "sqlstate": "22023"}
        told = everything(sentry)
        assert '"type":"InvalidParameterValueError"' in told
        assert "config/db/database.py" in told
        planted = [ann.email, ann.id, ann.name, ann.token, ann.password, "cookie-planted", "header-planted"]
        planted += ["variable-planted", "ann-in-detail", "Planted", "SELECT", str(tmp_path), str(ROOT)]
        assert [word for word in planted if word in told] == []


def test_what_libraries_say_is_not_told_and_floods_are_one(tmp_path: Path) -> None:
    """Seen failing with the line's own text for a library's, and without SAME_EVERY_S."""
    with listening() as sentry:
        done = subprocess.run(
            [sys.executable, "-c", LOUD],
            cwd=ROOT,
            env=environment(SENTRY_DSN=dsn(sentry)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        said = [event["logentry"] for event in envelopes(sentry)]
        assert said == [{"message": text} for text in ("library asyncio", "library uvicorn.error", "ours")]
        assert "secret-in" not in everything(sentry)
        assert "in-line" not in everything(sentry)
        assert "in-context" not in everything(sentry)
