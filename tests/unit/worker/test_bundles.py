"""What clients of other apps hear of what an app published together."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rt.wire.channels import app_channel
from worker.bundles import BEGINS, renditions_of_bundle
from worker.relay import renditions_of
from worker.translate import EventUnreadableError

AT = datetime(2026, 11, 28, 1, 2, 3, 456_789, tzinfo=UTC)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def bundle(**changes: Any) -> str:
    """As PostgreSQL writes it."""
    made = {"app": "poll", "channel": "votes", "at": AT.isoformat(), "user": {"id": "app:poll:votes"}}
    text = orjson.dumps({**made, "ids": ["1"], "bodies": ["{}"], **changes}).decode()
    return text.replace('{"app":', '{"app" : ', 1)


@given(st.lists(st.tuples(TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=3)), max_size=20))
def test_each_event_is_told_as_it_was_written_in_its_order(events: list[tuple[str, dict[str, str]]]) -> None:
    """Seen failing with bodies that were parsed and written again."""
    bodies = [orjson.dumps({"id": one, "data": data}, option=orjson.OPT_INDENT_2).decode() for one, data in events]
    made = renditions_of_bundle(bundle(ids=[one for one, _ in events], bodies=bodies))
    assert [one.body.decode() for one in made] == bodies
    assert {one.channel for one in made} <= {app_channel("poll", "votes")}
    assert len({one.event_id for one in made}) == len({one for one, _ in events})
    assert all(one.event_at == AT and one.source is None for one in made)


@pytest.mark.parametrize(
    "changes",
    [{"channel": "a b"}, {"app": "musclemap"}, {"app": "musclemap", "channel": "community"}, {"ids": []}, {"at": "x"}],
)
def test_what_is_no_bundle_stops_nothing(changes: dict[str, Any]) -> None:
    """An app reaches no channel of ours. Seen failing with any channel that there is."""
    text = bundle(**changes)
    assert text.startswith(BEGINS)
    with pytest.raises(EventUnreadableError):
        renditions_of_bundle(text)
    assert [one.channel.name for one in renditions_of([text, bundle()])] == ["votes"]
