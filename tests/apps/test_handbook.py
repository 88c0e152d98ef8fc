"""The programs of the handbook by which another app's backend publishes."""

import asyncio
import os
import subprocess

import pytest

from tests.browser.test_handbook import runner
from tests.support.app_server import AppServer, hears

pytestmark = pytest.mark.timeout(120)

LINES = [f"line {number}" for number in range(250)]  # three requests


@pytest.mark.parametrize("program", ["publish.py", "publish.mjs"])
async def test_a_program_publishes_each_line_once_and_in_order(server: AppServer, program: str) -> None:
    """Seen failing with a program that sends only whole hundreds."""
    namespace = program.replace(".", "-")
    backend = await server.make(namespace, "--open")
    async with server.client() as member:
        await server.joins(member, f"app:{namespace}:lines")
        done = await asyncio.to_thread(
            subprocess.run,
            [*runner(program), backend.url, namespace, "lines"],
            input="\n".join(LINES),
            env={**os.environ, "APP_KEY": backend.key},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        heard = await hears(member, len(LINES))
    assert [one["event"]["data"]["text"] for one in heard] == LINES
    assert [one["event"]["id"] for one in heard] == done.stdout.split()
    wrong = await asyncio.to_thread(
        subprocess.run,
        [*runner(program), backend.url, namespace, "lines"],
        input="x",
        env={**os.environ, "APP_KEY": "no-key"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert wrong.returncode != 0
    assert "403" in wrong.stderr or "FORBIDDEN" in wrong.stderr
