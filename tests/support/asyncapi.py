"""The protocol's document as tests read it, and what the official parser and JSON Schema say of it and of messages."""

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from rt import wire
from tests.support.node import PINS, node_with_packages

TEXT: Final = (Path(wire.__file__).parent / "asyncapi.yaml").read_text("utf-8")
DOCUMENT: Final[dict[str, Any]] = yaml.safe_load(TEXT)
MESSAGES: Final[dict[str, Any]] = DOCUMENT["components"]["messages"]
OPERATIONS: Final[dict[str, Any]] = DOCUMENT["operations"]
TELL: Final = "tell"  # the operation of what the gateway says unasked; each other one is a question of its own name
STREAM: Final = "stream"  # of what server-sent events tell
JUDGE_S: Final = 60


class Check(NamedTuple):
    """A value that must fit a schema of the document; `label` names it where it does not."""

    label: str
    schema: Any
    value: Any


class Verdict(NamedTuple):
    """What is wrong, a line each."""

    document: list[str]
    values: list[str]


def judge(checks: Iterable[Check], text: str | None = TEXT) -> Verdict:
    """One run of Node over the document (None = it is not asked about) and all values."""
    node, modules = node_with_packages()
    done = subprocess.run(
        [node, str(PINS / "asyncapi.mjs"), str(modules)],
        input=json.dumps({"document": text, "checks": list(checks)}),
        capture_output=True,
        text=True,
        timeout=JUDGE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return Verdict(found["diagnostics"], found["misfits"])


def pointed_to(reference: str) -> Any:
    """What `#/a/b` stands for."""
    found: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def resolved(node: Any) -> Any:
    """The node with every `$ref` replaced by what it points to, and without prose."""
    if isinstance(node, list):
        return [resolved(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return resolved(pointed_to(node["$ref"]))
    return {name: resolved(value) for name, value in node.items() if name not in ("description", "examples")}


def closed(node: Any) -> Any:
    """The same schema for a sender: where it lists the fields of an object there may be no others."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    inner = {name: closed(value) for name, value in node.items()}
    # The parts of an `if` have no type of their own: they say something of an object that is described elsewhere.
    return {"additionalProperties": False, **inner} if "properties" in node and "type" in node else inner


def payload_schema(name: str) -> Any:
    """What a message of the gateway may be, to the field."""
    return closed(resolved(MESSAGES[name]["payload"]))


def names_of(references: Iterable[dict[str, str]]) -> set[str]:
    """The messages in a list of references."""
    return {one["$ref"].rpartition("/")[2] for one in references}


def examples_of(name: str) -> list[Any]:
    """The payloads that the document shows of a message."""
    return [one["payload"] for one in MESSAGES[name]["examples"]]


def type_of(name: str) -> str:
    """What a message says it is: `tiles` is the answer `viewport`."""
    kinds: list[str] = MESSAGES[name]["payload"]["properties"]["type"]["enum"]
    return kinds[0]
