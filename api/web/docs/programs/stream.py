"""Follows a channel and prints an id and an event a line, for ever: stream.py ADDRESS [TOKEN], Python alone.

ADDRESS is of /api/v1/feed/stream, with its query; TOKEN an access token.
"""

import json
import random
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

SILENCE_S = 45  # the gateway says something every 15 s


def told(lines: Iterator[bytes]) -> Iterator[tuple[str, str, str]]:
    """Each `event`, `data` and `id` as a block ends; an id without data, too."""
    kind, data, place = "message", list[str](), ""
    for line in lines:
        name, _, value = line.decode().rstrip("\r\n").partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            data.append(value)
        elif name == "id":
            place = value
        elif not name and not value and line.strip() != b":":
            yield kind, "\n".join(data), place
            kind, data = "message", []


def follow(address: str, token: str = "") -> Iterator[tuple[str, Any]]:
    """(id, event) without a hole or a repeat; comes back by itself. Raises HTTPError where that is of no use."""
    last, failures = "", 0
    while True:
        headers = {"Accept": "text/event-stream"}
        headers |= {"Last-Event-ID": last} if last else {}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        try:
            with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=SILENCE_S) as answer:
                failures = 0
                for kind, data, place in told(iter(answer)):
                    last = place or last
                    if kind == "event":
                        yield last, json.loads(data)["event"]
                    elif kind == "gap":
                        print("missed some: the pages of the GraphQL API have them", file=sys.stderr)
        except urllib.error.HTTPError as refusal:
            if refusal.code not in (429, 502, 503, 504):
                raise
            time.sleep(float(refusal.headers.get("Retry-After", 0)))
        except OSError:
            pass  # cut, or silent
        time.sleep(random.uniform(0, min(30, 2**failures)))
        failures += 1


if __name__ == "__main__":
    for place, event in follow(*sys.argv[1:3]):
        print(place, json.dumps(event), flush=True)
