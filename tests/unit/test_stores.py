"""What runs of the tests leave in memory."""

import os
from pathlib import Path

import pytest

from tests.support import stores


def test_what_a_killed_run_left_goes_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen failing without the look at who still lives."""
    gone = 2**22 + 1  # above what Linux numbers processes with
    left = {f"musclemap-run-{gone}-a", f"musclemap-tests-{gone}-b", f"faketime_shm_{gone}", f"sem.faketime_sem_{gone}"}
    kept = {f"musclemap-run-{os.getpid()}-a", "musclemap-run-x", "somebody-elses", f"other-{gone}"}
    for name in left | kept:
        (tmp_path / name).mkdir() if "musclemap" in name else (tmp_path / name).touch()
    monkeypatch.setattr(stores, "MEMORY", tmp_path)
    stores.forget_the_dead()
    assert {path.name for path in tmp_path.iterdir()} == kept
