"""Makes .venv with exactly the packages of a lock file: `python3 -m config.embedded.bootstrap runtime|development`.

Runs before anything is installed, so it uses the standard library only, and its syntax is old enough for a Python that
is too old to say so. It needs neither python3-venv nor an installed uv: venv without pip is part of every Python, and
pip installs into another interpreter by --python. pip is what the machine is configured for (mirrors, proxies,
certificates), Debian's guard of its own packages does not concern a .venv, and pip checks every hash.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
LOCKS = {"runtime": ROOT / "requirements.lock", "development": ROOT / "requirements-dev.lock"}
OLDEST = (3, 11)
MACHINES = ("x86_64", "aarch64")  # for which each package of the lock has a wheel ...
OLDEST_LIBC = (2, 28)  # ... built for this glibc


def main() -> None:
    """Makes or completes .venv; does nothing when it is there and right."""
    if len(sys.argv) != 2 or sys.argv[1] not in LOCKS:
        sys.exit("usage: python3 -m config.embedded.bootstrap runtime|development")
    _refuse_other_machines()
    _use_new_python()
    wanted = sys.argv[1]
    if not _runs(VENV / "bin" / "python"):
        _make_environment()
    elif _is_installed(wanted):
        return
    _install(wanted)


def _refuse_other_machines() -> None:
    library, version = platform.libc_ver()
    found = " ".join(word for word in (platform.system(), platform.machine(), library, version) if word)
    old = library != "glibc" or tuple(map(int, version.split(".")[:2])) < OLDEST_LIBC
    if platform.system() != "Linux" or platform.machine() not in MACHINES or old:
        sys.exit(
            f"this is {found}, and MuscleMap Live runs on Linux (x86-64 or ARM64, glibc 2.28 or newer): run it there, "
            "in a virtual machine such as Debian 12, or on Windows in WSL"
        )


def _use_new_python() -> None:
    if sys.version_info[:2] >= OLDEST:
        return
    for name in ("python3.14", "python3.13", "python3.12", "python3.11"):
        found = shutil.which(name)
        if found:
            sys.exit(subprocess.run([found, "-m", "config.embedded.bootstrap", *sys.argv[1:]]).returncode)
    sys.exit("Python 3.11 or newer is needed, {} is {}.{}: set PYTHON".format(sys.executable, *sys.version_info[:2]))


def _runs(python: Path) -> bool:
    # A checkout that was moved or copied, or an interpreter that is gone or out of reach, leaves a dead .venv.
    code = "import sys; sys.exit(sys.version_info[:2] < (3, 11) or sys.prefix != sys.argv[1])"
    try:
        return subprocess.run([str(python), "-c", code, str(VENV)], stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def _make_environment() -> None:
    if subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--clear", str(VENV)]).returncode:
        sys.exit(f"{VENV} could not be made: see above (a .venv of another user? remove it)")


def _is_installed(wanted: str) -> bool:
    path, text = _stamp(wanted)
    return path.exists() and path.read_text() == text


def _install(wanted: str) -> None:
    lock = LOCKS[wanted]
    if subprocess.run([sys.executable, "-m", "pip", "--version"], stdout=subprocess.DEVNULL).returncode:
        sys.exit(f"{sys.executable} has no pip: install it (Debian: apt-get install python3-pip)")
    print(f"installing the packages of {lock.name} into .venv", flush=True)
    options = "--require-hashes --no-deps --only-binary=:all: --no-input --disable-pip-version-check --quiet"
    command = [sys.executable, "-m", "pip", "--python", str(VENV / "bin" / "python"), "install", *options.split()]
    env = dict(os.environ, PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0")
    if subprocess.run([*command, "-r", str(lock)], env=env).returncode:
        sys.exit(f"the packages of {lock.name} could not be installed: see above")
    # The packages of development include those of the runtime.
    for name in LOCKS if wanted == "development" else [wanted]:
        path, text = _stamp(name)
        path.write_text(text)


def _stamp(name: str) -> "tuple[Path, str]":
    digest = hashlib.sha256(LOCKS[name].read_bytes()).hexdigest()
    return VENV / f".installed-{name}", digest


if __name__ == "__main__":
    main()
