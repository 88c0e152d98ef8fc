"""The document of subscriptions against the code that speaks their protocol."""

from pathlib import Path
from typing import Any, Final

import orjson
import yaml
from msgspec import Raw

import rt.wire
from config.errors import Forbidden, RateLimited
from rt.channels.digest import digest
from rt.clients.graphql_session import error_of
from rt.feed.positions import Position
from rt.graphql.projection import Budget, FeedProjection, Told, gap
from rt.graphql.selection import Field
from rt.wire import graphql
from rt.wire.bus import event_frame
from rt.wire.closes import GraphqlClosing
from rt.wire.frames import payload_of, split_frames
from rt.wire.inbound import Malformed
from tests.support.asyncapi import Check, judge

TEXT: Final = (Path(rt.wire.__file__).parent / "graphql.yaml").read_text("utf-8")
DOCUMENT: Final[dict[str, Any]] = yaml.safe_load(TEXT)
MESSAGES: Final[dict[str, Any]] = DOCUMENT["components"]["messages"]
TELLS: Final = {one["$ref"].rpartition("/")[2] for one in DOCUMENT["operations"]["tell"]["messages"]}
SAYS: Final = {one["$ref"].rpartition("/")[2] for one in DOCUMENT["operations"]["say"]["messages"]}


def schema(name: str) -> Any:
    """What the gateway tells may have no field that is not there."""

    def closed(node: Any) -> Any:
        if isinstance(node, list):
            return [closed(one) for one in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return closed(DOCUMENT["components"]["schemas"][node["$ref"].rpartition("/")[2]])
        inner = {key: closed(value) for key, value in node.items()}
        return {"additionalProperties": False, **inner} if "properties" in node else inner

    return closed(MESSAGES[name]["payload"])


def told() -> list[bytes]:
    """Frames of all kinds, as they are sent."""
    body = b'{"id":"e","v":1,"type":"t","created_at":"c","actor":null,"data":{}}'
    frames = [event_frame("community", number, body) for number in range(1, 9)]
    feed = FeedProjection("community", Field("f", "communityFeed", (Field("id", "id"),)), Budget())
    run = feed.told(frames[0] + digest("community", 2, frames[1:]), "e")
    assert run is not None
    tail = graphql.next_tail("1")
    return [
        graphql.ACK,
        graphql.pong(Raw(b"null")),
        graphql.pong(Raw(b'{"x":1}')),
        *split_frames(run.frames(tail)),
        Told([gap(Position("e", 1), Position("e", 2)), b'{"data":{"presenceMap":{}}}'], 2).frames(tail),
        error_of("1", RateLimited(), retryAfterMs=1_000),
        error_of("1", Forbidden(), reason="not_allowed", position={"epoch": "e", "offset": 1}),
    ]


def test_what_is_told_and_shown_is_documented() -> None:
    """One look at the document by the official parser, and at all frames. Seen failing with `retryAfterMs` left out."""
    frames = [orjson.loads(payload_of(one)) for data in told() for one in split_frames(data)]
    assert {frame["type"] for frame in frames} == TELLS
    checks = [Check(f"told: {frame}", schema(frame["type"]), frame) for frame in frames]
    checks += [
        Check(f"shown: {name}", schema(name), one["payload"])
        for name, message in MESSAGES.items()
        for one in message["examples"]
    ]
    found = judge(checks, TEXT)
    assert (found.document, found.values) == ([], [])


def test_what_a_client_may_say_is_understood() -> None:
    """Seen failing with a message of the old protocol in the document."""
    assert {kind.__struct_config__.tag for kind in graphql.Message.__args__} == SAYS
    for name in SAYS:
        for one in MESSAGES[name]["examples"]:
            message = graphql.decode(orjson.dumps(one["payload"]))
            assert not isinstance(message, Malformed), one
            if isinstance(message, graphql.Subscribe):
                graphql.extensions_of(message.payload)


def test_close_codes() -> None:
    """Seen failing with 4429 left out."""
    assert set(DOCUMENT["x-close-codes"]) == {str(closing.code) for closing in GraphqlClosing}
