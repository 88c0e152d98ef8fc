"""Whose death a relay may be sure of."""

import subprocess
import sys
import time

import pytest

from config.limits import RELAY_LEASE_S
from worker.leader import Lease, surely_dead, this_process


def test_a_living_process_is_not_dead() -> None:
    assert not surely_dead(this_process(), this_process())


def test_a_process_that_ended_here_is_dead() -> None:
    """Failed against: comparing the process id alone."""
    code = "from worker.leader import this_process; print(this_process())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    me = this_process()
    assert surely_dead(other, me)
    assert surely_dead(f"{me.rpartition('/')[0]}/1", me)  # the id is in use again, by a process of another start


def test_a_process_that_may_not_be_seen_is_not_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under ProtectProc=invisible /proc has no process of another account, and only kill(2) tells. Failed against: a
    look into /proc alone, by which two workers of two units took the lease from each other."""

    def of_another_account(pid: int, number: int) -> None:
        raise PermissionError

    me = this_process()
    other = f"{me.rpartition('/')[0].rpartition('/')[0]}/4194305/77"  # no process has so high an id
    assert surely_dead(other, me)
    monkeypatch.setattr("os.kill", of_another_account)
    assert not surely_dead(other, me)


def test_nobody_can_be_sure_about_another_machine() -> None:
    """Failed against: no look at the machine."""
    me = this_process()
    assert not surely_dead(f"other-boot/{me.partition('/')[2].rpartition('/')[0]}/1", me)
    for odd in ("", "x", "a/b", "a/b/c", "/" * 5):
        assert not surely_dead(odd, me)


def test_a_lease_is_sure_only_for_its_time() -> None:
    """Failed against: counting from the answer instead of from the question."""
    now = time.monotonic()
    assert Lease("relay", "me", 1, now).surely_held
    assert not Lease("relay", "me", 1, now - RELAY_LEASE_S + 0.4).surely_held
