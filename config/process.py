"""How a process of this product lives: JSON logs, uvloop, signals, named tasks, one exit.

A process is `run(role, main)`: `main` gets a `Lifetime`, starts its tasks with `lifetime.spawn`, and returns when
`lifetime.stopping` is set and it has drained. A spawned task that dies takes the process down: half a process that
looks alive is worse than a restart.
"""

import asyncio
import logging
import resource
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import orjson
import structlog
import uvloop

from config.crashes import crashes
from config.tracing import traces

log = structlog.get_logger()


def configure_logging(role: str, level: str) -> None:
    """One JSON object per line on standard output; bound context (request_id, session) joins each line."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            crashes,
            # Without local variables: among them are addresses with passwords, tokens and what people wrote.
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.BytesLoggerFactory(file=sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(role=role)
    # Libraries that use the standard logging speak through the same lines, warnings and worse only.
    logging.basicConfig(handlers=[_StructlogHandler()], level=logging.WARNING, force=True)


def allow_open_files() -> int:
    """Raises this process's limit of open files, which its children inherit, to what the system allows; that limit.

    A shell's default is 1,024: fewer sockets than a small community has.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Lifetime:
    """The life of one process: who may ask it to stop, and which tasks it owns."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.stopping = asyncio.Event()
        self.hurry = asyncio.Event()  # a second signal: skip the polite waits
        self.exit_code = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Asks the process to stop; a second call asks it to hurry. Safe to call any number of times."""
        if self.stopping.is_set():
            self.hurry.set()
        self.stopping.set()

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs `work` as a named task of this process; if it raises, the process stops with exit code 1."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def cancel_tasks(self) -> None:
        """Ends what is still running; the last step of a shutdown."""
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or task.exception() is None:
            return
        log.error("task_died", task=task.get_name(), exc_info=task.exception())
        self.exit_code = 1
        self.stop()


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event is set, or was within that time."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def run(role: str, level: str, main: Callable[[Lifetime], Awaitable[None]]) -> None:
    """Runs `main` on uvloop until it returns; exits 0, or 1 when one of its tasks died."""
    if structlog.is_configured():  # by the process that this one was forked from
        structlog.contextvars.bind_contextvars(role=role)
    else:
        configure_logging(role, level)

    async def whole() -> int:
        lifetime = Lifetime(role)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lifetime.stop)
        log.info("started")
        try:
            await main(lifetime)
        finally:
            await lifetime.cancel_tasks()
            traces.stop()
            crashes.stop()
        log.info("stopped", exit_code=lifetime.exit_code)
        return lifetime.exit_code

    sys.exit(uvloop.run(whole()))


def _dumps(value: object, **_: object) -> bytes:
    return orjson.dumps(value, default=str)


class _StructlogHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info or None)
