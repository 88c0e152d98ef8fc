"""Messages by the grammar of the protocol and beyond it: right ones, and ones with everything that can be wrong."""

import json
import random
from typing import Any, Final

TYPES: Final = ("connect", "heartbeat", "subscribe", "unsubscribe", "viewport", "refresh", "ping", "leave")
FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "connect": ("token", "resume", "background"),
    "heartbeat": ("lat", "lng", "cell", "status", "exercise", "audience", "background"),
    "subscribe": ("channel", "since", "token"),
    "unsubscribe": ("channel",),
    "viewport": ("west", "south", "east", "north", "zoom"),
    "refresh": ("token",),
    "ping": (),
    "leave": (),
}
GOOD: Final[dict[str, tuple[Any, ...]]] = {
    "token": ("x", "a.b.c"),
    "resume": ("x.y",),
    "background": (True, False),
    "lat": (0, 48.1, -90, 90),
    "lng": (0, 11.5, -180, 180),
    "cell": ("871f8d4a6ffffff", "8928308280fffff"),
    "status": ("browsing", "training", "resting"),
    "exercise": ("squat",),
    "audience": ("everyone", "followers", "nobody"),
    "channel": ("community", "user:u1", "profile:u2", "app:open:x", "app:shut:x"),
    "since": ({"epoch": "epoch-1", "offset": 0}, {"epoch": "e", "offset": 7}),
    "west": (-180, 5),
    "south": (-90, 5),
    "east": (180, -5),
    "north": (90, 6.5),
    "zoom": (0, 7, 22),
}
NAMES: Final = (*GOOD, "id", "type", "__proto__", "constructor", "op", "epoch", "offset", "", "ä", "\u202e", "\0")
# As they stand in the text: some have no value in Python.
ODD: Final = (
    *("null", "true", "false", "0", "-0", "-0.0", "1e400", "-1e400", "1e-400", "0.1", "1.0", "90.0000001", "1" * 400),
    *("9007199254740993", "9223372036854775808", "-9223372036854775809", '"NaN"', '"871f8d4a6fffff\\n"'),
    *('""', '"\\u0000"', '"' + "x" * 9_000 + '"', '"ä€😀"', '"fffffffffffffff"', '"000000000000000"'),
    *("[]", "{}", "[null]", '{"epoch":{}}', '{"epoch":"e","offset":-1}', '{"epoch":"e","offset":1e400}'),
    *('{"epoch":"e","offset":1.5}', '{"epoch":"e","offset":"1"}', "[" * 900 + "]" * 900),
)
# No JSON, or not to be read: the socket ends.
BROKEN: Final = (
    *("NaN", "Infinity", "-Infinity", "01", '"\\x"', '"\\ud800"', '"\\udc00\\ud800"', "", "[" * 10_000),
    *("[" * 5_000 + "]" * 5_000, '{"a":' * 2_000 + "1" + "}" * 2_000),
)


def message(chance: random.Random) -> bytes:
    """One message of valid UTF-8, at most as long as the gateway reads."""
    kind = chance.choice(TYPES) if chance.random() < 0.1 else chance.choice(TYPES[1:-1])
    members = [("type", json.dumps(kind))]
    members += [(name, json.dumps(chance.choice(GOOD[name]))) for name in FIELDS[kind] if chance.random() < 0.8]
    if chance.random() < 0.5:
        members.append(("id", json.dumps(chance.choice((1, "q", "x" * 64, -(2**63))))))
    for _ in range(chance.choice((0, 0, 0, 1, 1, 1, 3))):
        at = chance.randrange(len(members) + 1)
        match chance.randrange(8):
            case 0 if at < len(members):
                del members[at]
            case 1 if at < len(members):
                members[at] = (members[at][0], chance.choice(ODD))
            case 2 if at < len(members):
                members.insert(at, members[at])
            case 3 if at < len(members):
                members[at] = (members[at][0], json.dumps(chance.choice(GOOD[chance.choice(list(GOOD))])))
            case 4:
                members += [(f"k{n}", "1") for n in range(chance.choice((10, 1_500)))]
            case _:
                members.insert(at, (chance.choice(NAMES), chance.choice(ODD if chance.random() < 0.8 else BROKEN)))
    text = "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members) + "}"
    if chance.random() < 0.05:
        text = _bent(chance, text)
    data = text.encode("utf-8", "replace")
    return data if len(data) <= 16_384 else data[:16_384].decode("utf-8", "ignore").encode()


def _bent(chance: random.Random, text: str) -> str:
    at = chance.randrange(len(text))
    match chance.randrange(5):
        case 0:
            return text[:at]
        case 1:
            return text[:at] + chance.choice('{}[]",:\\\0 \u2028é1e-') + text[at:]
        case 2:
            return text[:at] + text[at + 1 :]
        case 3:
            return chance.choice(ODD + BROKEN)
        case _:
            return text + text
