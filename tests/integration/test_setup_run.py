"""`make run`: one line where to look, one line why not, and nothing left behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support.commands import Command, processes_with, wait_gone
from tests.support.processes import Fleet, get_status
from tests.support.stores import ROOT

RUN = "config.embedded.run"
STOP_S = 10.0


@pytest.fixture
def data_dir(stores_folder: Path, tmp_path: Path) -> Iterator[Path]:
    """A DATA_DIR of the test's own; nothing that uses it may outlive the test."""
    folder = stores_folder / tmp_path.name
    yield folder
    wait_gone(str(folder))


@pytest.fixture(scope="module")
def kept(stores_folder: Path) -> Path:
    """The DATA_DIR of the tests that start everything: the first makes it, the others find it as the last one left it,
    killed or not. Seen failing with the folder written into Valkey's settings: a space ended it."""
    return stores_folder / "kept here"


@pytest.fixture
def kept_data_dir(kept: Path) -> Iterator[Path]:
    """`kept`; nothing that uses it may outlive the test."""
    yield kept
    wait_gone(str(kept))


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.chaos)])
def test_it_serves_a_page_and_stops_within_ten_seconds(kept_data_dir: Path, number: signal.Signals) -> None:
    """Seen failing with no handler for SIGTERM, and with a stop that waited for honcho without telling it."""
    with Command(RUN, DATA_DIR=str(kept_data_dir)) as command:
        address = command.wait_line(r"ready: (http://\S+)")[1]
        assert "<html" in httpx2.get(address, timeout=5, trust_env=False).text.lower()
        assert in_a_shell(kept_data_dir, "python -m api.apps widget-token --origin http://gym.test")
        begun = time.monotonic()
        command.process.send_signal(number)
        assert command.wait_end() == 0
        wait_gone(str(kept_data_dir))
        with pytest.raises(subprocess.CalledProcessError) as none:
            in_a_shell(kept_data_dir, "true")
        assert none.value.stderr.startswith("nothing runs on ")
        assert time.monotonic() - begun < STOP_S


def in_a_shell(data_dir: Path, command: str) -> str:
    """What a command says in a shell that `make env` has led to what runs there."""
    led = f'led="$("{sys.executable}" -m config.embedded.env)" && eval "$led" && {command}'
    env = {"PATH": os.defpath, "DATA_DIR": str(data_dir)}
    return subprocess.run(["sh", "-ec", led], cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout


def test_nothing_stays_when_all_of_it_is_killed(kept_data_dir: Path) -> None:
    """kill -9 of the command and honcho at once is what a closed container does. Seen failing without
    PR_SET_PDEATHSIG: the stores stayed."""
    with Command(RUN, DATA_DIR=str(kept_data_dir)) as command:
        command.wait_line("ready: http")
        os.killpg(command.process.pid, signal.SIGKILL)
        wait_gone(str(kept_data_dir), STOP_S)


def test_one_process_that_ends_takes_the_others_along(kept_data_dir: Path) -> None:
    """Seen failing with the check of honcho removed: it waited for ever."""
    with Command(RUN, DATA_DIR=str(kept_data_dir)) as command:
        command.wait_line("ready: http")
        (worker,) = [pid for pid in processes_with(str(kept_data_dir)) if _words(pid)[1:] == ["-m", "worker"]]
        os.kill(worker, signal.SIGKILL)
        command.wait_line("a process ended, and the others with it")
        assert command.wait_end() == 1


def _words(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")


@pytest.mark.parametrize(
    ("system", "machine", "libc"),
    [
        ("Darwin", "arm64", ("", "")),
        ("Linux", "armv7l", ("glibc", "2.36")),
        ("Linux", "x86_64", ("", "")),
        ("Linux", "x86_64", ("glibc", "2.17")),
    ],
)
def test_another_machine_hears_in_one_line_what_to_do(
    tmp_path: Path, system: str, machine: str, libc: tuple[str, str]
) -> None:
    """From `make run` itself, before anything is made. Seen failing without the look at the machine, and with one
    that asked for the system alone."""
    (tmp_path / "sitecustomize.py").write_text(
        "import platform\n"
        f"platform.system, platform.machine = lambda: {system!r}, lambda: {machine!r}\n"
        f"platform.libc_ver = lambda: {libc!r}\n"
    )
    # Not as a part of the `make` that runs the tests: it would say where it is.
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    env["PYTHONPATH"] = str(tmp_path)
    done = subprocess.run(
        ["make", "run", f"PYTHON={sys.executable}", "VENV=/nowhere"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said, *others = done.stderr.splitlines()
    assert re.match(rf"this is {system} {machine}.* runs on Linux \(x86-64 or ARM64, .*: run it there", said)
    assert done.returncode != 0
    assert done.stdout == ""
    assert [line for line in others if not line.startswith("make: ")] == []


@pytest.mark.parametrize("role", ["API", "RT", "WORKER"])
def test_a_port_in_use_is_one_line_and_nothing_starts(data_dir: Path, role: str) -> None:
    """Also one that is held with SO_REUSEPORT, which would let the gateway start beside it. Seen failing with a probe
    that sets SO_REUSEPORT itself."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with Command(RUN, DATA_DIR=str(data_dir), **{f"{role}_PORT": str(port)}) as command:
            assert command.wait_end() == 1
        assert command.lines == [f"port {port} is in use: set {role}_PORT to a free one"]
    assert not data_dir.exists()


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"API_PORT": "8o"}, "bad setting API_PORT: "),
        ({"MAP_K": "0,1,1"}, "bad setting: MAP_K must be at least 1 each"),
        ({"ALLOWED_ORIGINS": "*"}, "bad setting: ALLOWED_ORIGINS must be origins as browsers send them"),
        ({"API_PORT": "18999", "RT_PORT": "18999"}, "API_PORT and RT_PORT are both 18999: set one of them"),
        ({"DATA_DIR": "/dev/null/data"}, "/dev/null/data: Not a directory: set DATA_DIR to a folder of your own"),
    ],
)
def test_a_bad_setting_is_one_line_that_names_it(data_dir: Path, settings: dict[str, str], line: str) -> None:
    """Seen failing with the settings read without `load`, and with a folder that cannot be made: a traceback."""
    with Command(RUN, **({"DATA_DIR": str(data_dir)} | settings)) as command:
        assert command.wait_end() == 1
    assert len(command.lines) == 1
    assert command.lines[0].startswith(line)


async def test_the_three_processes_start_alone_and_stop_when_asked(fleet: Fleet) -> None:
    """Seen failing with processes that knew SIGINT only."""
    for service in fleet.services.values():
        assert await get_status(service.port, "/health") == 200
        assert await get_status(service.port, "/metrics") == 200
    for service in fleet.services.values():
        assert await service.stop() == 0
    await fleet.rt.start()
