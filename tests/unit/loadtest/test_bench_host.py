"""What the benchmarks read of a process."""

import subprocess
import sys

from loadtest.bench import host


def test_cpu_time_is_finer_than_a_tick() -> None:
    """Seen failing with utime and stime of /proc: they are whole ticks of 10 ms.

    The child tells its own CPU time and then waits, so that hardly anything comes on top.
    """
    command = (sys.executable, "-c", "import time; print(time.process_time(), flush=True); input()")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        told = float(child.stdout.readline())
        assert told <= host.cpu_s(child.pid) < told + 0.002
        child.stdin.close()


def test_who_has_ended_costs_nothing_more() -> None:
    """Seen failing without the suppression: an OSError ended the run."""
    child = subprocess.Popen((sys.executable, "-c", ""))
    child.wait()
    assert host.cpu_s(child.pid) == 0.0


def test_a_family_is_counted_whole() -> None:
    """Seen failing with the process alone: of a supervisor its workers are what works."""
    burn = "import time\nwhile time.process_time() < 0.3: pass\nprint('done', flush=True); input()"
    command = (sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        assert host.cpu_s(child.pid) > 0.3
        child.stdin.close()
