"""What is made of other files: what other sites take of the page, and what the map takes of h3-js. Small."""

import gzip
import re
from pathlib import Path

import pytest

from tests.support.bundles import WEB, bundle, made

KIB = 1024
# Bytes as they travel, the client with each.
MOST = {
    "static/vendor/h3.js": 32 * KIB,
    "npm/client.js": 8 * KIB,
    "built/community-feed.js": 16 * KIB,
    "built/presence-map.js": 48 * KIB,
    "built/widgets.js": 64 * KIB,
}


def test_they_are_what_their_sources_say(tmp_path: Path) -> None:
    """Seen failing with a word of a refusal changed, with a handler more in subscription.js, and with one more function
    taken of h3-js."""
    bundle(tmp_path)
    fresh, kept = made(tmp_path), made(WEB)
    changed = sorted(name for name in fresh.keys() | kept.keys() if fresh.get(name) != kept.get(name))
    assert not changed, f"`make widgets` makes them anew: {changed}"


@pytest.mark.parametrize("name", MOST)
def test_each_is_one_small_file(name: str) -> None:
    """Seen failing with `h3-js` imported whole, and with an import left for the browser."""
    text = (WEB / name).read_text("utf-8")
    assert len(gzip.compress(text.encode(), 9)) <= MOST[name]
    assert not re.search(r"""\bfrom\s*["']|\bimport\s*["'(]""", text)
