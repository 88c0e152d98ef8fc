"""The words of a run's command line beside Locust's own. Workers are told them by their master."""

from pathlib import Path
from typing import Any

from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

from loadtest.run.mixes import MIXES
from loadtest.run.promises import Promise, PromiseError, read

LAG_MS = 250.0


def add_options() -> None:
    """Makes Locust's command line know them."""
    events.init_command_line_parser.add_listener(_on_parser)


def promises_of(environment: Environment) -> list[Promise]:
    """What `--check` names; nothing where it is not given. Ends the program where the file cannot be read."""
    path = word(environment, "check")
    if not path:
        return []
    try:
        return read(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, PromiseError) as error:
        raise SystemExit(f"--check {path}: {error}") from None


def word(environment: Environment, name: str) -> Any:
    """The value of an option; None where this run knows none, as in a test."""
    return getattr(environment.parsed_options, name, None)


def owned(environment: Environment) -> list[str]:
    """The hosts of `--i-own`."""
    return [str(host) for host in word(environment, "i_own") or ()]


def _on_parser(parser: LocustArgumentParser) -> None:
    words: tuple[tuple[str, dict[str, Any]], ...] = (
        (
            "--mix",
            {"choices": MIXES, "default": "steady", "help": "all people at --spawn-rate, or in a form"},
        ),
        ("--i-own", {"action": "append", "metavar": "HOST", "help": "load this host too, which is yours; repeatable"}),
        ("--check", {"metavar": "FILE", "help": "promises (TOML); one that was broken is exit code 1"}),
        ("--accounts", {"metavar": "FILE", "help": "accounts to sign in with, `email password` a line; none is made"}),
        ("--lag-ms", {"type": float, "default": LAG_MS, "help": "void (exit code 3) where this generator is later"}),
    )
    for name, about in words:
        parser.add_argument(name, **{"include_in_web_ui": False, **about})
