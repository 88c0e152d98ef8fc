"""luacheck over each script as Redis gets it: the preludes of a presence partition in front."""

import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Final

from rt.presence.store import partition_script
from tests.support.programs import needs
from tests.support.stores import ROOT

PRESENCE: Final = ROOT / "rt" / "presence"
PRELUDES: Final = (PRESENCE / "clock.lua", PRESENCE / "counts.lua")  # as rt/presence/store.py puts them in front
# What Redis gives a script; all else that Lua has it takes away, or leaves out.
GLOBALS: Final = (
    *("redis", "KEYS", "ARGV", "cjson", "cmsgpack", "bit", "struct", "math", "string", "table"),
    *("error", "ipairs", "next", "pairs", "pcall", "select", "tonumber", "tostring", "type", "unpack"),
)
UNUSED: Final = "(W2"
RUN_S: Final = 60


def test_luacheck_finds_nothing(tmp_path: Path) -> None:
    """What a prelude defines may be unused in one script, not in all of them.

    Failed before: a line of 121, and two values that nothing reads. Seen failing with a misspelt `ARVG` in revoke.lua,
    with a `local` that nothing uses in reap.lua, with `os.time()` in lead.lua, and with a function of counts.lua that
    no script calls.
    """
    program = needs("luacheck")
    tops = ("api", "config", "rt")
    scripts = [one for top in tops for one in sorted((ROOT / top).rglob("*.lua")) if one not in PRELUDES]
    for number, script in enumerate(scripts):
        text = "".join(part.read_text("utf-8") for part in parts_of(script))
        (tmp_path / f"{number}.lua").write_text(text, "utf-8")
    done = subprocess.run(
        [program, ".", "--no-config", "--formatter", "plain", "--codes", "--std", "none", "--read-globals", *GLOBALS],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    places = [lines_of(script) for script in scripts]
    warnings = re.findall(r"^(?:\./)?(\d+)\.lua:(\d+):\d+: (.*)$", done.stdout, re.MULTILINE)
    assert len(warnings) == len(done.stdout.splitlines())
    found = Counter((*places[int(number)][int(line) - 1], what) for number, line, what in warnings)
    users = Counter(part for script in scripts for part in parts_of(script))
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for (path, line, what), times in found.items()
        if path not in PRELUDES or not what.startswith(UNUSED) or times == users[path]
    ]
    assert not wrong, "\n".join(sorted(wrong))


def parts_of(script: Path) -> list[Path]:
    """The files that make up what Redis gets; a script of a presence partition says that its keys are counts.lua's."""
    text = script.read_text("utf-8")
    if script.parent != PRESENCE or "KEYS 1-8: counts.lua" not in text:
        return [script]
    source = partition_script(script.stem).source
    return [*(one for one in PRELUDES if one.read_text("utf-8") in source), script]


def lines_of(script: Path) -> list[tuple[Path, int]]:
    """Where each line of the joined script stands."""
    return [
        (part, number)
        for part in parts_of(script)
        for number, _ in enumerate(part.read_text("utf-8").splitlines(), start=1)
    ]
