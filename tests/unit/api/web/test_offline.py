"""What the service worker keeps, and that any change of it is a new version."""

import re

from api.web import offline, page

STATIC = page.FOLDER


def read(name: str) -> bytes:
    return (STATIC / name).read_bytes()


def version(changed: str = "") -> str:
    """As the worker has it, and as the page asks for it."""

    def reading(name: str) -> bytes:
        return read(name) + (b" " if name == changed else b"")

    found = re.search(rb'"version":"([0-9a-f]{32})"', offline.worker(reading))
    assert found
    assert found[1].decode() == offline.version(reading)
    return found[1].decode()


def test_all_that_the_page_starts_with_is_kept() -> None:
    parts = offline.parts(read)
    assert {f"page/{name}" for name in ("style.css", "chunk.js", "signin.js", "workout.js")} | {
        "land-110m.json"
    } <= set(parts)
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
        "index.html": b'<script type="module" src="/static/in/a.js">',
        "in/a.js": b'import{b}from"./b.js";export{c}from"./c.js";const d=()=>import("./d.js");import"../vendor/h3.js"',
        "in/b.js": b'import "./e.js";\n',
        "in/c.js": b'import { a } from "./a.js";\n',
        "in/d.js": b"",
        "in/e.js": b"",
    }
    assert offline.parts(files.__getitem__) == ["in/a.js", "in/b.js", "in/c.js", "in/d.js", "in/e.js"]
