"""Publishes stamped events on the Redis channel `rt:community` for peers that have no relay.

python -m loadtest.bench.plain_publish REDIS_URL EVENTS RATE SIZE
"""

import sys
import time

from redis import Redis


def main(redis_url: str, events: int, rate: float, size: int) -> None:
    """Sends `events` messages of about `size` bytes at `rate` a second and returns."""
    padding = "x" * max(0, size - 90)
    with Redis.from_url(redis_url) as redis:
        started = time.perf_counter()
        for number in range(events):
            wait_s = started + number / rate - time.perf_counter()
            if wait_s > 0:
                time.sleep(wait_s)
            stamp = time.monotonic_ns()
            redis.publish("rt:community", f'{{"id":{number},"t":{stamp},"type":"workout_completed","p":"{padding}"}}')


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
