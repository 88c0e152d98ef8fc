"""The house rules that no linter knows. Each failure says the file and what to do."""

import ast
import json
import re
import subprocess
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr

from config.settings import Settings
from tests.support.measures import LANGUAGES, files, name_of
from tests.support.node import PINS
from tests.support.stores import ROOT

PACKAGES: Final = ("rt", "api", "worker", "loadtest", "config", "tests")
# What is over a limit and shall shrink: "path" or "path:name" → lines or methods today. Lower a number when it falls;
# an entry that is no longer needed, or higher than the truth, fails.
EXCEPTIONS: Final[dict[str, int]] = {
    "api/migrations/0004_log_workout.sql:CREATE FUNCTION log_workout": 71,  # what was applied stays as it is
}

# Modules that decide: no clock, no chance, no loop, no server. Patterns of paths; and whatever calls itself pure.
SAYS_PURE: Final = re.compile(r"\bPure\b(?! but)")
# The request's head is judged by the library's rules, and its values are the library's.
LIBRARY_OF: Final = {"rt/sockets/upgrade.py": "websockets"}
PURE: Final = (
    "rt/wire/*.py",
    "rt/clients/session.py",
    "rt/sockets/sendqueue.py",
    "rt/sockets/wheel.py",
    "rt/auth/tokens.py",
    "rt/wire/closes.py",
    "rt/presence/rules.py",
    "rt/feed/positions.py",
    "api/*/rules.py",
    "worker/translate.py",
    "config/events/*.py",
    "config/limits.py",
)
IMPURE_IMPORTS: Final = frozenset(
    {"asyncio", "redis", "asyncpg", "websockets", "starlette", "uvloop", "hiredis", "socket", "threading", "subprocess"}
    | {"time", "random", "secrets"}
)
IMPURE_CALLS: Final = re.compile(
    r"\b(datetime\.(now|utcnow|today)|date\.today|time\.\w+|os\.urandom|uuid[14]|random\.\w+)\("
)

# A folder of api/ that has a schema.graphql is a feature, and these are its files (ARCHITECTURE.md, how to add one).
NO_FEATURES: Final = frozenset({"graphql", "web", "migrations"})
FEATURE_FILES_ALWAYS: Final = frozenset({"__init__.py", "schema.graphql", "schema.py", "service.py", "rules.py"})
FEATURE_FILES: Final = FEATURE_FILES_ALWAYS | {"store.py", "queries.sql", "routes.py"}
HTTP_ALONE: Final = frozenset({"apps", "operators", "vitals"})  # not in GraphQL: asked by programs, by our pages
FEATURE_MORE: Final[dict[str, frozenset[str]]] = {
    "apps": frozenset({"__main__.py"}),
    "accounts": frozenset(
        {"access.py", "mailer.py", "mails.py", "names.py", "passwords.py", "proofs.py"}
        | {"revocations.py", "revoke.lua", "tokens.py"}
    ),
    "entitlements": frozenset({"facts.py", "signatures.py"}),
    "flags": frozenset({"provider.py"}),
    "privacy": frozenset({"erasures.py"}),
    "reference": frozenset({"data.py", "data", "goals.py"}),
}
LOADS_QUERIES: Final = re.compile(r"^_[A-Z]+: Final = load_queries\(__file__(?:, \"\w+\.sql\")?\)$")
NAMES_QUERY: Final = re.compile(r"^(_[A-Z0-9_]+): Final = _[A-Z]+\[\"(\w+)\"\]$")

# What is said once: the spelling of it, and the one file of the product that has it.
SAID_ONCE: Final = (
    (r"urlsafe_b64|b2a_base64|a2b_base64|altchars", "config/base64url.py"),
    (r"\"\+00:00\"", "config/times.py"),
    (r"\bCDLL\b", "config/prctl.py"),
    (r"EADDRINUSE|is in use: set", "config/listening.py"),
    (r"\"PUBLIC_(ANON|PROFILE)\"", "config/events/visibility.py"),
    (r"(redis|pipe): Any\b", "config/redis.py"),  # RedisClient says what answers are
)

# What a document names in backticks is a path where it begins with a folder of ours or ends as our files do.
FENCED: Final = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
NAMES_PATH: Final = re.compile(
    rf"`((?:(?:{'|'.join(PACKAGES)}|\.ci)/[\w./@-]*)|\w[\w./@-]*\.(?:py|sql|lua|m?js|ya?ml|graphql|md|toml|lock))`"
)

REGISTRY_HOSTS: Final = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs\.org|npmjs\.com|files\.python|simple/$"
)
MACHINE_PATHS: Final = re.compile(r"(?<![\w.-])/(root|work|home/\w+|Users/\w+)/")
TEXT_SUFFIXES: Final = frozenset(
    {".py", ".md", ".toml", ".sql", ".lua", ".js", ".mjs", ".html", ".css", ".json", ".lock", ".ini", ".conf", ".yml"}
    | {".yaml", ".service", ".example", ".graphql", ".txt", ""}
)


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        names = listed.stdout.decode().rstrip("\0").split("\0")
        return [ROOT / name for name in names if (ROOT / name).is_file()]
    # A source archive has no git: everything but what a run leaves behind.
    folders = [ROOT / name for name in PACKAGES]
    return [
        path for folder in folders for path in folder.rglob("*") if path.is_file() and "__pycache__" not in str(path)
    ]


def _python() -> list[Path]:
    return [path for path in _tracked() if path.suffix == ".py"]


def _ours(suffixes: frozenset[str]) -> list[Path]:
    return [path for path in _tracked() if path.suffix in suffixes and "vendor" not in path.parts]


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_files_functions_and_classes_keep_their_size(language: str) -> None:
    """Seen failing with FILE_LINES_MAX at 100, and with an entry in EXCEPTIONS for a file that is small; and in each
    language with FUNCTION_LINES_MAX at 8."""
    suffixes, measure = LANGUAGES[language]
    paths = _ours(suffixes)
    over = {what: (size, most) for what, size, most in (*files(paths), *measure(paths)) if size > most}
    new = [f"{what}: {size}, at most {most}" for what, (size, most) in over.items() if size > EXCEPTIONS.get(what, 0)]
    excepted = {what: size for what, size in EXCEPTIONS.items() if Path(what.partition(":")[0]).suffix in suffixes}
    stale = [what for what, allowed in excepted.items() if over.get(what, (0, 0))[0] < allowed]
    assert paths
    assert not new, "split these:\n" + "\n".join(new)
    assert not stale, f"lower or drop these exceptions: {stale}"


def test_pure_modules_know_no_clock_no_chance_and_no_server() -> None:
    """Seen failing with `import time` in rt/wire/bus.py, and with `datetime.now(` in api/accounts/rules.py."""
    wrong = []
    for path in _python():
        text = path.read_text("utf-8")
        says_so = SAYS_PURE.search(ast.get_docstring(ast.parse(text)) or "")
        if not says_so and not any(fnmatch(name_of(path), pattern) for pattern in PURE):
            continue
        imported = _imported(ast.parse(text))
        wrong += [
            f"{name_of(path)} imports {name}"
            for name in sorted(imported & IMPURE_IMPORTS - {LIBRARY_OF.get(name_of(path))})
        ]
        wrong += [f"{name_of(path)} calls {match[0]}…" for match in IMPURE_CALLS.finditer(text)]
    assert not wrong, "pass time, chance and ids as arguments:\n" + "\n".join(wrong)


def test_a_state_of_the_fan_out_is_changed_by_its_owner_alone() -> None:
    """Seen failing with `topic.heard = True` in the hub, and with `del outbox.sealed[0]` in the flusher."""
    owned = {"topic", "out", "outbox", "asks"}
    wrong = []
    for path in sorted((ROOT / "rt").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
                owner = node.value
                if isinstance(node, ast.Subscript):
                    if not isinstance(owner, ast.Attribute):
                        continue  # of something local
                    owner = owner.value
                name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
                if name in owned:
                    wrong.append(f"{name_of(path)}:{node.lineno}")
    assert not wrong, "say what happened to it by a method of its own:\n" + "\n".join(wrong)


def test_a_feature_is_a_folder_of_the_known_files() -> None:
    """Seen failing with api/feed/helpers.py, without api/presence/rules.py, and with a folder api/social/."""
    wrong, features = [], set()
    for path in _tracked():
        parts = path.relative_to(ROOT).parts
        if parts[0] == "api" and len(parts) > 2 and parts[1] not in NO_FEATURES:
            features.add(parts[1])
            if parts[2] not in FEATURE_FILES | FEATURE_MORE.get(parts[1], frozenset()):
                wrong.append(f"{name_of(path)}: a feature has {', '.join(sorted(FEATURE_FILES))}")
    for feature in sorted(features):
        wanted = FEATURE_FILES_ALWAYS - ({"schema.graphql", "schema.py"} if feature in HTTP_ALONE else set())
        missing = {name for name in wanted if not (ROOT / "api" / feature / name).is_file()}
        wrong += [f"api/{feature}/{name} is missing" for name in sorted(missing)]
        store, queries = ((ROOT / "api" / feature / name).is_file() for name in ("store.py", "queries.sql"))
        if store != queries:
            wrong.append(f"api/{feature}: store.py runs queries.sql, and nobody else does")
    assert not wrong, "\n".join(wrong)


def test_statements_are_loaded_and_named_in_one_way() -> None:
    """`_QUERIES: Final = load_queries(__file__)`, then `_ITS_NAME: Final = _QUERIES["its_name"]`; in a feature by its
    store. Seen failing with _WRONG for "balance", with a look-up in a function, and with a load in a service."""
    wrong = []
    for path in _python():
        text = path.read_text("utf-8")
        if name_of(path).startswith(("tests/", "loadtest/", "config/db/")) or "load_queries(" not in text:
            continue
        parts = path.relative_to(ROOT).parts
        if parts[0] == "api" and len(parts) > 2 and parts[2] != "store.py":
            wrong.append(f"{name_of(path)}: the store loads a feature's statements")
        sets = set(re.findall(r"^(_[A-Z]+): Final = load_queries", text, re.MULTILINE))
        for number, line in enumerate(text.splitlines(), 1):
            named = NAMES_QUERY.match(line)
            if "load_queries(" in line and not LOADS_QUERIES.match(line):
                wrong.append(f"{name_of(path)}:{number}: {line.strip()}")
            elif named and f"_{named[2].upper()}" != named[1]:
                wrong.append(f"{name_of(path)}:{number}: _{named[2].upper()} is its name")
            elif not named and any(f'{one}["' in line for one in sets):
                wrong.append(f"{name_of(path)}:{number}: look it up at import, so that a misspelt name fails there")
    assert not wrong, "\n".join(wrong)


def test_some_things_are_said_once() -> None:
    """Seen failing with a base64.urlsafe_b64encode in api/pages.py, and with "PUBLIC_ANON" in worker/translate.py."""
    wrong = [
        f"{name_of(path)}: {match[0]} is said in {place}"
        for path in _python()
        if not name_of(path).startswith(("tests/", "loadtest/"))
        for spelling, place in SAID_ONCE
        if name_of(path) != place and (match := re.search(spelling, path.read_text("utf-8")))
    ]
    assert not wrong, "\n".join(wrong)


def test_the_product_imports_neither_tests_nor_benchmarks() -> None:
    """Failed with an import of loadtest.bench.host in config/process.py."""
    wrong = [
        f"{name_of(path)} imports {name}"
        for path in _python()
        if not name_of(path).startswith(("tests/", "loadtest/"))
        for name in _imported(ast.parse(path.read_text("utf-8"))) & {"tests", "loadtest"}
    ]
    assert not wrong, "\n".join(wrong)


def _imported(tree: ast.AST) -> set[str]:
    """The packages at the top of what a module imports."""
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.partition(".")[0])
    return imported


def _default(name: str) -> str | None:
    """A setting's default as the documents write it; None where it is worked out at the start."""
    field = Settings.model_fields[name]
    if field.default_factory is not None:
        return None
    value = field.default
    if value is None or isinstance(value, SecretStr):
        return value.get_secret_value() if value else ""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _readme_rows() -> dict[str, tuple[str, str]]:
    text = (ROOT / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `([A-Z][A-Z0-9_]*)` \|([^|]*)\|(.*)\|$", text, re.MULTILINE)
    return {name: (default.strip(), text.strip()) for name, default, text in rows}


def _example_rows() -> dict[str, tuple[str, str]]:
    lines = (ROOT / "config" / "env.example").read_text("utf-8").splitlines()
    rows = {}
    for before, line in pairwise(lines):
        if match := re.fullmatch(r"#?([A-Z][A-Z0-9_]*)=(.*)", line):
            rows[match[1]] = (match[2], before.removeprefix("#").strip())
    return rows


@pytest.mark.parametrize("document", ["README.md", "config/env.example"])
def test_the_documents_list_every_setting_with_its_default(document: str) -> None:
    """Seen failing with a row of the README removed, and with another default in config/env.example."""
    rows = _readme_rows() if document == "README.md" else _example_rows()
    settings = {name.upper(): name for name in Settings.model_fields}
    assert set(rows) == set(settings), f"missing or unknown in {document}: {set(rows) ^ set(settings)}"
    for upper, name in settings.items():
        default, description = rows[upper]
        assert description == Settings.model_fields[name].description, f"{document}: {upper} is described otherwise"
        expected = _default(name)
        if expected is not None:
            assert default.strip("`").lower() == expected.lower(), f"{document}: {upper} has another default"


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "README.md"])
def test_every_path_that_a_document_names_exists(document: str) -> None:
    """But for a feature's own files, named as in its folder. Seen failing with `rt/hub.py`, with `config/plumbing/` and
    with a bare `topic.py` in ARCHITECTURE.md, and with the README's `protocol.js`."""
    named = NAMES_PATH.findall(FENCED.sub("", (ROOT / document).read_text("utf-8")))
    assert named
    wrong = {path for path in named if path not in FEATURE_FILES and not (ROOT / path).exists()}
    assert not wrong, f"{document} names what is not there: {sorted(wrong)}"


def test_there_is_no_other_top_level_package() -> None:
    """Seen failing with a folder common/ that had a module."""
    found = {name_of(path).partition("/")[0] for path in _python() if "/" in name_of(path)}
    assert found <= set(PACKAGES), f"move these into one of {PACKAGES}: {found - set(PACKAGES)}"


def test_nothing_tracked_names_a_registry_or_a_place_on_one_machine() -> None:
    """Seen failing with an `--index-url` line in requirements.lock, and with a path below /root in a comment."""
    wrong = []
    for path in _tracked():
        if path.suffix not in TEXT_SUFFIXES or path == Path(__file__):
            continue
        try:
            lines = path.read_text("utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, 1):
            if REGISTRY_HOSTS.search(line) or MACHINE_PATHS.search(line):
                wrong.append(f"{name_of(path)}:{number}: {line.strip()[:100]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-extras.lock", "requirements-dev.lock"])
def test_locks_pin_by_hash_and_carry_no_address(name: str) -> None:
    """Seen failing with one --hash line removed."""
    text = (ROOT / name).read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*(-i|-f|--index-url|--extra-index-url|--find-links)\b", text, re.MULTILINE)
    pins = re.findall(r"^([a-z0-9][\w.\[\]-]*)==\S+(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    assert pins
    assert not [package for package, rest in pins if "--hash=sha256:" not in rest]


def test_the_packages_of_npm_are_pinned_by_hash_without_an_address() -> None:
    """Seen failing with a `resolved`, with an `integrity` left out, and with a range in package.json."""
    text = (PINS / "package-lock.json").read_text("utf-8")
    wanted = json.loads((PINS / "package.json").read_text("utf-8"))["dependencies"]
    locked = json.loads(text)["packages"]
    assert "://" not in text
    assert locked.pop("")["dependencies"] == wanted
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert not [name for name, one in locked.items() if not one["integrity"].startswith("sha512-")]


def test_no_error_is_made_once_and_raised_again() -> None:
    """Each time it would remember the frames that it went through, and what they hold. Seen failing with a constant
    that was raised for what followed a request: a stranger's bytes stayed in memory for ever."""
    constant = re.compile(r"^\s+raise _?[A-Z][A-Z0-9_]*( from .+)?$", re.MULTILINE)
    assert [path.name for path in _python() if constant.search(path.read_text("utf-8"))] == []
