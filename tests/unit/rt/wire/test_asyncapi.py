"""The protocol's document against the code that speaks it."""

import typing
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
import yaml

from config.limits import FRAME_BYTES_MAX
from rt.channels.digest import digest
from rt.wire import bus, frames, inbound, outbound
from rt.wire.closes import Closing
from rt.wire.map import change

DOCUMENT: dict[str, Any] = yaml.safe_load((Path(inbound.__file__).parent / "asyncapi.yaml").read_text("utf-8"))
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
STRUCTS = {struct.__struct_config__.tag: struct for struct in typing.get_args(inbound.AnyMessage)}
EVENT = b'{"id":"1","v":1,"type":"x","created_at":"2026-01-01T00:00:00Z","actor":null,"data":{}}'


def resolved(node: Any) -> Any:
    """The node with every `$ref` replaced by what it points to, and without prose."""
    if isinstance(node, list):
        return [resolved(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        found: Any = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return resolved(found)
    return {name: resolved(value) for name, value in node.items() if name != "description"}


def of_code(struct: type[msgspec.Struct]) -> Any:
    """The schema that msgspec enforces, as the document writes it: null is the same as absent."""
    schema = msgspec.json.schema(struct)
    definitions = schema["$defs"]

    def plain(node: Any) -> Any:
        if isinstance(node, list):
            return [plain(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return plain(definitions[node["$ref"].rpartition("/")[2]])
        if "anyOf" in node:
            rest = [plain(one) for one in node["anyOf"] if one != {"type": "null"}]
            return rest[0] if len(rest) == 1 else {"anyOf": rest}
        # A property may be called `title` or `default` as well, but none is.
        kept = {name: plain(value) for name, value in node.items() if name not in ("title", "description", "default")}
        if "enum" in kept:
            kept["enum"] = sorted(one for one in kept["enum"] if one is not None)
        return kept

    return plain(schema)


def misfits(value: Any, schema: Any, at: str = "") -> list[str]:
    """What of a sent message the document does not say."""
    kinds: dict[str, Any] = {
        "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
        "null": type(None),
    }  # fmt: skip
    wanted = schema.get("type", [])
    wanted = [wanted] if isinstance(wanted, str) else wanted
    found = (
        [f"{at}: {value!r} is no {wanted}"] if wanted and not any(isinstance(value, kinds[k]) for k in wanted) else []
    )
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} is not in {schema['enum']}")
    if "anyOf" in schema and all(misfits(value, one) for one in schema["anyOf"]):
        found.append(f"{at}: {value!r} fits nothing")
    if isinstance(value, dict) and "properties" in schema:
        found += [f"{at}.{name}: not documented" for name in value.keys() - schema["properties"].keys()]
        found += [f"{at}.{name}: missing" for name in set(schema["required"]) - value.keys()]
        for name in value.keys() & schema["properties"].keys():
            found += misfits(value[name], schema["properties"][name], f"{at}.{name}")
    if isinstance(value, list) and "items" in schema:
        found += [wrong for item in value for wrong in misfits(item, schema["items"], f"{at}[]")]
    return found


def payload(frame: bytes | None) -> Any:
    assert frame is not None
    return orjson.loads(frame[2 if frame[1] < 126 else 4 :])


def sent() -> list[tuple[str, Any]]:
    """(message of the document, an example that the code makes), each builder with all and with the fewest fields."""
    welcome = {"session": "s", "background": False, "expires_at": "x", "expires_in_s": 1, "degraded": False}
    joined = {"channel": "community", "epoch": "e", "offset": 1}
    made = [
        ("welcome", outbound.welcome("i", user="u", resume="t", **welcome)),  # type: ignore[arg-type]
        ("welcome", outbound.welcome(None, user=None, resume=None, **welcome)),  # type: ignore[arg-type]
        ("subscribed", outbound.subscribed(1, recovered=True, events=[(1, EVENT)], **joined)),  # type: ignore[arg-type]
        ("subscribed", outbound.subscribed(None, recovered=None, events=(), **joined)),  # type: ignore[arg-type]
        *(("unsubscribed", outbound.unsubscribed(1, "c", why)) for why in (None, *typing.get_args(outbound.Reason))),
        ("tiles", outbound.viewport(1, 5, ["8"])),
        ("refreshed", outbound.refreshed(1, "x", 1)),
        ("ack", outbound.ack(1)),
        ("pong", outbound.pong(None)),
        ("pong", outbound.pong("i")),
        *(("error", outbound.error(1, code, "m", 5)) for code in typing.get_args(outbound.ErrorCode)),
        ("error", outbound.error(None, "BAD_INPUT", "m")),
        ("pace", outbound.pace(background=True)),
        ("gap", outbound.gap("c")),
        ("reconnect", outbound.reconnect(5, "restart")),
        *(("status", frame) for frame in outbound.STATUS.values()),
        ("event", bus.event_frame("community", 1, EVENT)),
        ("digest", digest("community", 1, [bus.event_frame("community", n, EVENT) for n in (1, 2)])),
        *(("presence", bus.decode_presence(bus.encode_presence("u", s, 5))) for s in ("online", "training", "offline")),
        ("map", frames.text_frame(change(5, "8", 1, True, [("9", 3)]).text)),
        ("online", frames.text_frame(b'{"type":"online","users":1,"training":0}')),
    ]
    return [(name, payload(frame)) for name, frame in made]


@pytest.mark.parametrize("kind", sorted(inbound.TYPES))
def test_what_a_client_may_send_is_documented_to_the_limit(kind: str) -> None:
    """Seen failing with another limit in the document, and with a field left out."""
    assert resolved(MESSAGES[kind]["payload"]) == of_code(STRUCTS[kind])


@pytest.mark.parametrize(("name", "message"), sent())
def test_what_the_gateway_sends_is_documented(name: str, message: dict[str, Any]) -> None:
    """Seen failing with `last_seen` left out of the document."""
    assert misfits(message, resolved(MESSAGES[name]["payload"])) == []


def test_nothing_is_documented_that_is_not() -> None:
    names = {operation: {ref["$ref"].rpartition("/")[2] for ref in DOCUMENT["operations"][operation]["messages"]}
             for operation in ("toGateway", "toClient")}  # fmt: skip
    assert names["toGateway"] == inbound.TYPES
    assert names["toClient"] == {name for name, _ in sent()}
    assert set(MESSAGES) == set(DOCUMENT["channels"]["ws"]["messages"]) == names["toGateway"] | names["toClient"]
    for name, message in MESSAGES.items():
        schema = resolved(message["payload"])
        shown = [one for made, one in sent() if made == name]
        if shown:
            assert set(schema["properties"]) == set().union(*shown)
            assert set(schema["required"]) == set(shown[0]).intersection(*shown) - {"id"}


def test_the_largest_frame_is_as_documented() -> None:
    """A client must know what its library has to take. Seen failing with the document silent."""
    assert f"larger than {FRAME_BYTES_MAX // 1024} KiB" in DOCUMENT["info"]["description"]


def test_codes() -> None:
    error = MESSAGES["error"]["payload"]["properties"]["code"]["enum"]
    assert error == list(typing.get_args(outbound.ErrorCode))
    closes = {code: entry["come_back"] for code, entry in DOCUMENT["x-close-codes"].items()}
    assert closes == {closing.code: closing.may_return for closing in Closing}
