"""`python -m rt top`: in a terminal the gateways, process by process, by REDIS_URL, and this machine's API and worker.
Ctrl-C ends it."""

import argparse
import asyncio
import shutil
import sys
from contextlib import suppress
from typing import Final
from uuid import uuid4

from config.redis import AWAY, RedisClient, connect
from config.settings import Settings
from rt.operators.ask import Look, ask
from rt.operators.beside import Beside, beside
from rt.operators.view import screen
from rt.wire.inquiry import Inquiry

__all__ = ["top"]

EVERY_S: Final = 2.0
_HOME, _REST, _HIDE, _SHOW = "\x1b[H", "\x1b[J", "\x1b[?25l", "\x1b[?25h"
_LINE_ENDS: Final = "\x1b[K\n"


def top(settings: Settings, words: list[str]) -> int:
    """The exit code: 0, or 1 with a line where Redis does not answer. What is no terminal gets one look."""
    parser = argparse.ArgumentParser(prog="python -m rt top", description="All that runs, process by process.")
    parser.add_argument("--once", action="store_true", help="one look, and its rates over a second")
    once = parser.parse_args(words).once or not sys.stdout.isatty()
    with suppress(KeyboardInterrupt):
        try:
            asyncio.run(_once(settings) if once else _live(settings))
        except AWAY as error:
            sys.stderr.write(f"top: Redis does not answer ({type(error).__name__})\n")
            return 1
        finally:
            if not once:
                sys.stdout.write(_SHOW)
    return 0


async def _once(settings: Settings) -> None:
    redis = connect(settings.redis_url.get_secret_value())
    try:
        then = await _look(redis, settings)
        await asyncio.sleep(1)
        now = await _look(redis, settings)
    finally:
        await redis.aclose()
    size = shutil.get_terminal_size((200, 1_000))
    sys.stdout.write("\n".join(screen(now[0], then[0], size.columns, size.lines, now[1], then[1])) + "\n")


async def _look(redis: RedisClient, settings: Settings) -> tuple[Look, list[Beside]]:
    return await asyncio.gather(ask(redis, Inquiry(uuid4().hex)), beside(settings))


async def _live(settings: Settings) -> None:
    redis = connect(settings.redis_url.get_secret_value())
    then: tuple[Look | None, list[Beside]] = (None, [])
    sys.stdout.write(_HIDE + _HOME + _REST)
    try:
        while True:
            now = await _look(redis, settings)
            size = shutil.get_terminal_size()
            lines = screen(now[0], then[0], size.columns, size.lines - 1, now[1], then[1])
            sys.stdout.write(_HOME + _LINE_ENDS.join(lines) + _LINE_ENDS + _REST)
            sys.stdout.flush()
            then = now
            await asyncio.sleep(EVERY_S)
    finally:
        await redis.aclose()
