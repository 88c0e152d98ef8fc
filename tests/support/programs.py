"""Programs of the system that tests run beside the product; `.ci/run` installs them."""

import os
import shutil
from typing import Final, NoReturn

import pytest

from config.embedded import binaries

# Debian keeps servers where the path of an ordinary account does not lead.
_PATH: Final = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))


def needs(*names: str) -> str:
    """The path of the first of these programs that is installed; without any, see `lacks`."""
    found = next(filter(None, (shutil.which(name, path=_PATH) for name in names)), None)
    return found or lacks(f"{' or '.join(names)} is not installed")


def clients_of() -> str:
    """The folder of PostgreSQL's clients that are as new as the tests' server: pg_dump refuses a newer one."""
    programs = binaries.postgres()
    folder = (programs.root / programs.server).parent
    if not (folder / "pg_dump").exists():
        lacks("pg_dump of the tests' PostgreSQL is not installed")
    return str(folder)


def lacks(what: str) -> NoReturn:
    """Skips the test and says why. Where CI is set nothing may be missing: there the test fails."""
    reason = f"{what}: `bash .ci/run` installs what tests need"
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(reason)
    pytest.skip(reason)
