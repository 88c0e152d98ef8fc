"""Publishes each line of the standard input as an event: publish.py ADDRESS NAMESPACE CHANNEL, Python alone.

The server key is in APP_KEY. Prints an id a line as soon as its event is durable. What is cut or refused for now is
sent again with the same ids, so nothing is published twice.
"""

import json
import os
import random
import sys
import time
import urllib.error
import urllib.request
import uuid
from itertools import islice
from typing import Any

AT_ONCE = 100
LATER = (429, 500, 502, 503, 504)


def publish(address: str, key: str, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The result of each event, once all are durable. Raises HTTPError where the same again is of no use."""
    body = json.dumps({"events": events}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    failures = 0
    while True:
        wait = random.uniform(0, min(30, 2**failures))
        try:
            with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=30) as answer:
                results: list[dict[str, Any]] = json.load(answer)["results"]
                return results
        except urllib.error.HTTPError as refusal:
            if refusal.code not in LATER:
                raise
            wait += float(refusal.headers.get("Retry-After", 0))
        except OSError:
            pass  # cut: nobody knows whether it was published, and it does not matter
        time.sleep(wait)
        failures += 1


def main(address: str, namespace: str, channel: str) -> None:
    """Sends lines as they are read, up to a hundred at once."""
    url = f"{address}/api/v1/apps/{namespace}/events"
    while lines := list(islice(sys.stdin, AT_ONCE)):
        events = [
            {"channel": channel, "id": str(uuid.uuid4()), "type": "line", "data": {"text": line.rstrip()}}
            for line in lines
        ]
        for result in publish(url, os.environ["APP_KEY"], events):
            print(result["id"], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:4])
