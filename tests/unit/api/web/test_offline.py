"""What the service worker keeps, and that any change of it is a new version."""

import re

from api.web import offline, page

STATIC = page.FOLDER


def read(name: str) -> bytes:
    return (STATIC / name).read_bytes()


def version(changed: str = "") -> str:
    script = offline.worker(lambda name: read(name) + (b" " if name == changed else b""))
    found = re.search(rb'"version":"([0-9a-f]{32})"', script)
    assert found
    return found[1].decode()


def test_all_that_the_page_starts_with_is_kept() -> None:
    parts = offline.parts(read)
    assert {"app.js", "style.css", "land-110m.json", "client.js", "timers.js", "outbox.js", "store.js"} <= set(parts)
    for name in parts:
        assert (STATIC / name).is_file(), name
    assert not [name for name in parts if name.startswith("vendor/")]  # large, and of no use without a network


def test_a_change_of_any_part_is_a_new_version() -> None:
    assert version() == version()
    versions = [version(name) for name in ("", "index.html", *offline.parts(read))]
    assert len(set(versions)) == len(versions)
    assert version("graphiql.js") == version()


def test_modules_name_each_other_beside_themselves() -> None:
    files = {
        "index.html": b'<script type="module" src="/static/a.js">',
        "a.js": b'import {\n  b,\n} from "./in/b.js";\nexport { c } from "./c.js";\nconst d = await import("./d.js");\n'
        b'const v = { load: () => import("./views/v.js") };',
        "d.js": b"",
        "in/b.js": b'import "./e.js";\n',
        "in/e.js": b"",
        "c.js": b'import { a } from "./a.js";\n',
    }
    assert offline.parts(files.__getitem__) == ["a.js", "c.js", "d.js", "in/b.js", "in/e.js"]
