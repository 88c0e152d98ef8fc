"""DATA_DIR: who may use it, and how it is forgotten (`python3 -m config.embedded.folder`, `make clean-data`)."""

import fcntl
import os
import shutil
import sys
from pathlib import Path
from typing import Final, TextIO

from config.embedded.account import elsewhere
from config.embedded.errors import StoreError

# By name, never the whole folder: DATA_DIR may hold what is not ours.
OURS: Final = ("postgres", "valkey", "programs", "stores.json", "jwt-private.pem", "stores.lock")


def lock(data_dir: Path) -> TextIO:
    """Takes DATA_DIR until the file is closed or the process ends, also by kill -9. Raises StoreError if taken."""
    file = (data_dir / "stores.lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        raise StoreError(f"{data_dir} is in use by {holder}: stop it, or set DATA_DIR to another folder") from None
    file.truncate(0)
    file.write(f"process {os.getpid()}")
    file.flush()
    return file


def forget(data_dir: Path) -> None:
    """Deletes the data of the stores and the signing key. Raises StoreError while the stores run."""
    if not data_dir.exists():
        return
    with lock(data_dir):
        shutil.rmtree(elsewhere(data_dir), ignore_errors=True)
        for name in OURS:
            path = data_dir / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def main() -> int:
    """0, or 1 with one line of reason."""
    try:
        forget(Path(os.environ.get("DATA_DIR") or ".data").resolve())
    except (StoreError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
