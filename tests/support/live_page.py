"""The live protocol's document as a page: `python -m tests.support.live_page` writes api/web/docs/live.md, which a test
holds against it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from api import web
from tests.support.asyncapi import DOCUMENT, MESSAGES, OPERATIONS, pointed_to

PAGE = Path(web.__file__).parent / "docs" / "live.md"
HEAD = """\
# The live protocol

Rendered of [asyncapi.yaml](https://www.asyncapi.com/docs/reference/specification/v3.0.0), which the gateway's folder
`rt/wire/` has whole: with the schemas of `data` for each type of event.
"""


def page() -> str:
    """The whole document."""
    parts = [HEAD, DOCUMENT["info"]["description"], *_channels(), *_messages(), *_closes()]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _channels() -> Iterator[str]:
    for channel in DOCUMENT["channels"].values():
        yield f"## `{channel['address']}`"
        servers = [pointed_to(one["$ref"]) for one in channel.get("servers", [])]
        yield "\n".join(f"`{one['protocol']}`. {one['description']}" for one in servers)
        if "description" in channel:
            yield channel["description"]


def _messages() -> Iterator[str]:
    asked = {name for name, one in OPERATIONS.items() if one["action"] == "receive"}
    for title, names in (
        ("From the client", [name for name in MESSAGES if name in asked]),
        ("From the gateway", [name for name in MESSAGES if name not in asked]),
    ):
        yield f"## {title}"
        for name in names:
            message = MESSAGES[name]
            yield f"### {name}"
            yield message["summary"]
            yield from filter(None, [message.get("description")])
            yield _fields(message["payload"])
            yield f"```json\n{json.dumps(message['examples'][0]['payload'], indent=2, ensure_ascii=False)}\n```"


def _fields(payload: dict[str, Any]) -> str:
    rows = [
        f"| `{name}` | {_type(schema)} | {'yes' if name in payload['required'] else ''} | {_words(schema)} |"
        for name, schema in payload["properties"].items()
    ]
    return "\n".join(["| field | type | always | |", "|---|---|---|---|", *rows])


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return f"{schema['$ref'].rpartition('/')[2]}"
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    kind = schema.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _words(schema: dict[str, Any]) -> str:
    said = schema.get("description") or (pointed_to(schema["$ref"]).get("description", "") if "$ref" in schema else "")
    return " ".join(str(said).split())


def _closes() -> Iterator[str]:
    yield "## How a socket ends"
    rows = [
        f"| {code} | {one['meaning']} | {'yes' if one['come_back'] else 'no'} |"
        for code, one in DOCUMENT["x-close-codes"].items()
    ]
    yield "\n".join(["| code | meaning | come back |", "|---|---|---|", *rows])


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
