"""What the benchmark sends to the peers, and when."""

import json
from itertools import pairwise

from config.limits import RELAY_BATCH
from loadtest.bench.peer_publish import due


def test_events_are_stamped_when_they_were_due() -> None:
    """Seen failing with the time of sending: what waits for a slow server would not count against it."""
    stamps, rate = [], 500.0
    for batch in due(40, rate, 150):
        stamps += [json.loads(body)["t"] for body in batch]
    assert len(stamps) == 40
    assert {round((late - early) * rate / 1e9, 3) for early, late in pairwise(stamps)} == {1.0}


def test_what_is_due_together_goes_out_together_within_a_batch() -> None:
    """Seen failing without RELAY_BATCH: a backlog went out as one request of any size."""
    batches = list(due(3 * RELAY_BATCH + 1, 1e9, 150))
    assert {len(batch) for batch in batches[1:-1]} == {RELAY_BATCH}
    assert [json.loads(body)["id"] for batch in batches for body in batch] == list(range(3 * RELAY_BATCH + 1))


def test_events_have_the_size_that_was_asked_for() -> None:
    """Failed before: the peers carried 120 bytes where the gateway carried 150."""
    assert {len(body) for batch in due(12, 1e9, 150) for body in batch} == {150}
    assert all(json.loads(body)["type"] == "workout_completed" for batch in due(2, 1e9, 10) for body in batch)
