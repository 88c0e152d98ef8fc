"""Subscribes by GraphQL and prints a place and an event a line, for ever: subscribe.py ADDRESS [SINCE] [TOKEN]

ADDRESS is of /api/graphql/ws; SINCE `epoch:offset`, as a page of the feed or an earlier line says; TOKEN an access
token. Needs `pip install websockets`.
"""

import json
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect
from websockets.typing import Subprotocol

QUERY = "subscription { event: communityFeed { id type createdAt data } }"
FINAL = (4400, 4401, 4409, 4429)  # closed for what this program said: the same again is of no use
LATER = ("RETRY_LATER", "RATE_LIMITED", "UNAVAILABLE")


class RefusedError(Exception):
    """The subscription was ended; `later`: the same again may be granted."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors[0]["message"])
        self.later = errors[0].get("extensions", {}).get("code") in LATER


def told(address: str, since: Any, token: str) -> Iterator[tuple[Any, Any]]:
    """(position, event) of one connection; the event is None where some were missed. Raises what ends it."""
    with connect(address, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
        who = {"authorization": f"Bearer {token}"} if token else {}
        socket.send(json.dumps({"type": "connection_init", "payload": who}))
        while json.loads(socket.recv(timeout=30))["type"] != "connection_ack":
            pass
        payload = {"query": QUERY, "extensions": {"since": since} if since else {}}
        socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        for frame in socket:
            message = json.loads(frame)
            if message["type"] == "ping":
                socket.send(json.dumps({"type": "pong"}))
            elif message["type"] == "error":
                raise RefusedError(message["payload"])
            elif message["type"] == "next":
                data, extensions = message["payload"]["data"], message["payload"]["extensions"]
                yield extensions["position"], data and data["event"]


def follow(address: str, since: Any = None, token: str = "") -> Iterator[tuple[Any, Any]]:
    """The same across connections, without a hole or a repeat. Raises where coming back is of no use."""
    failures = 0
    while True:
        try:
            for position, event in told(address, since, token):
                since, failures = position, 0
                yield position, event
        except ConnectionClosed as closed:
            if closed.rcvd and closed.rcvd.code in FINAL:
                raise
        except RefusedError as refused:
            if not refused.later:
                raise
        except (OSError, WebSocketException):
            pass  # cut, silent, or answered by a proxy while the gateway restarts
        time.sleep(random.uniform(0, min(30, 2**failures)))
        failures += 1


if __name__ == "__main__":
    address, *more = sys.argv[1:]
    epoch, _, offset = (more[0] if more else "").rpartition(":")
    begin = {"epoch": epoch, "offset": int(offset)} if epoch else None
    for position, event in follow(address, begin, *more[1:2]):
        if event is None:
            print("missed some: the pages of the GraphQL API have them", file=sys.stderr)
        else:
            print(f"{position['epoch']}:{position['offset']}", json.dumps(event), flush=True)
