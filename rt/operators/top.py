"""`python -m rt top`: the gateways, process by process, in a terminal, by REDIS_URL alone. Ctrl-C ends it."""

import argparse
import asyncio
import shutil
import sys
from contextlib import suppress
from typing import Final
from uuid import uuid4

from config.redis import AWAY, connect
from config.settings import Settings
from rt.operators.ask import Look, ask
from rt.operators.view import screen
from rt.wire.inquiry import Inquiry

__all__ = ["top"]

EVERY_S: Final = 2.0
_HOME, _REST, _HIDE, _SHOW = "\x1b[H", "\x1b[J", "\x1b[?25l", "\x1b[?25h"
_LINE_ENDS: Final = "\x1b[K\n"


def top(settings: Settings, words: list[str]) -> int:
    """The exit code: 0, or 1 with a line where Redis does not answer. What is no terminal gets one look."""
    parser = argparse.ArgumentParser(prog="python -m rt top", description="The gateways, process by process.")
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
        before = await ask(redis, Inquiry(uuid4().hex))
        await asyncio.sleep(1)
        look = await ask(redis, Inquiry(uuid4().hex))
    finally:
        await redis.aclose()
    size = shutil.get_terminal_size((200, 1_000))
    sys.stdout.write("\n".join(screen(look, before, size.columns, size.lines)) + "\n")


async def _live(settings: Settings) -> None:
    redis = connect(settings.redis_url.get_secret_value())
    before: Look | None = None
    sys.stdout.write(_HIDE + _HOME + _REST)
    try:
        while True:
            look = await ask(redis, Inquiry(uuid4().hex))
            size = shutil.get_terminal_size()
            lines = screen(look, before, size.columns, size.lines - 1)
            sys.stdout.write(_HOME + _LINE_ENDS.join(lines) + _LINE_ENDS + _REST)
            sys.stdout.flush()
            before = look
            await asyncio.sleep(EVERY_S)
    finally:
        await redis.aclose()
