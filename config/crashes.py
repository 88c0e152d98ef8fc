"""Errors, told to a Sentry where SENTRY_DSN is set: which error, where in the code, and nothing else.

What is told is made here of little: the name of the log line, types of exceptions, and frames by file, function and
line. No message of an exception, because servers and libraries quote values in theirs; no variable, no body, header,
cookie or address; nobody's id. The log line gets the event's id, so that one leads to the other.
"""

import sys
import time
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from config.settings import Settings

if TYPE_CHECKING:
    from sentry_sdk import Client
    from sentry_sdk._types import Event

SAME_EVERY_S: Final = 60.0  # one line with one type of exception is told this often
_KINDS_MAX: Final = 1_000
_CHAIN_MAX: Final = 8
_FRAMES_MAX: Final = 60
_STOP_S: Final = 2.0
_ROOT: Final = Path(__file__).resolve().parents[1]


class Crashes:
    """Those of this process; a processor of structlog's, before the one that renders exceptions."""

    def __init__(self) -> None:
        self._client: Client | None = None
        self._role = ""
        self._told: dict[tuple[str, str], float] = {}

    def start(self, role: str, settings: Settings) -> None:
        """Begins to tell where the setting says so; in a process that forks no more."""
        dsn = settings.sentry_dsn.get_secret_value()
        if not dsn:
            return
        try:
            import sentry_sdk
            from sentry_sdk.utils import BadDsn
        except ImportError:
            sys.exit("SENTRY_DSN needs the packages of requirements-extras.lock")
        try:
            # A client of our own: the library's global one would hook into what it finds.
            self._client = sentry_sdk.Client(
                dsn=dsn,
                environment=settings.environment,
                server_name="",
                default_integrations=False,
                auto_enabling_integrations=False,
                send_default_pii=False,
                include_local_variables=False,
                include_source_context=False,
                auto_session_tracking=False,
                max_breadcrumbs=0,
                send_client_reports=False,
            )
        except BadDsn:
            sys.exit("bad setting SENTRY_DSN: must be an address such as https://key@host/1")
        self._role = role

    def stop(self) -> None:
        """Sends what is left, within _STOP_S."""
        if self._client is not None:
            self._client.close(timeout=_STOP_S)
            self._client = None

    def __call__(self, _: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Tells an error's line, now and then; the line, with the event's id if it was told."""
        if self._client is None or line.get("level") not in ("error", "critical"):
            return line
        # What a library says in its own words may quote anything.
        said = f"library {line['logger']}" if "logger" in line else str(line.get("event"))
        error = _error_of(line.get("exc_info"))
        key, now = (said, type(error).__name__), time.monotonic()
        if now - self._told.get(key, -SAME_EVERY_S) < SAME_EVERY_S:
            return line
        if len(self._told) >= _KINDS_MAX:
            self._told.clear()
        self._told[key] = now
        event_id = self._client.capture_event(event_of(said, error, self._role))
        if event_id is not None:
            line["sentry"] = event_id
        return line


def event_of(said: str, error: BaseException | None, role: str) -> "Event":
    """An event in Sentry's words (its store's "event payloads")."""
    state = getattr(error, "sqlstate", None)
    tags = {"role": role, **({"sqlstate": state} if isinstance(state, str) else {})}
    event: Event = {"level": "error", "logger": "musclemap", "tags": tags, "logentry": {"message": said}}
    values = [_exception(one) for one in _chain(error)]
    if values:
        event["exception"] = {"values": values[::-1]}  # the outermost stands last
    return event


def _error_of(given: object) -> BaseException | None:
    match given:
        case BaseException():
            return given
        case (_, BaseException() as error, _):
            return error
        case True:
            return sys.exc_info()[1]
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it followed from, at most _CHAIN_MAX; of a group its first, too."""
    seen = 0
    while error is not None and seen < _CHAIN_MAX:
        yield error
        seen += 1
        inside = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else None
        error = inside or error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _exception(error: BaseException) -> dict[str, Any]:
    return {
        "type": type(error).__qualname__,
        "module": type(error).__module__,
        "value": "",
        "stacktrace": {"frames": list(_frames(error.__traceback__))[-_FRAMES_MAX:]},
    }


def _frames(trace: TracebackType | None) -> Iterator[dict[str, Any]]:
    """Outermost first; files as the repository, or a package, names them."""
    while trace is not None:
        code = trace.tb_frame.f_code
        path = Path(code.co_filename)
        ours = path.is_relative_to(_ROOT) and "site-packages" not in path.parts
        yield {
            "filename": path.relative_to(_ROOT).as_posix() if ours else path.name,
            "module": str(trace.tb_frame.f_globals.get("__name__", "")),
            "function": code.co_name,
            "lineno": trace.tb_lineno,
            "in_app": ours,
        }
        trace = trace.tb_next


crashes: Final = Crashes()
