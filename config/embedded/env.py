"""`make env`: lines for a shell that lead it to what `make run` has started: `eval "$(make env)"`."""

import os
import shlex
import sys
from pathlib import Path

from config.embedded.errors import StoreError
from config.embedded.stores import started
from config.settings import load


def main() -> int:
    """0, or 1 with one line of reason."""
    try:
        urls = started(load().data_dir.resolve())
    except StoreError as error:
        print(error, file=sys.stderr)
        return 1
    for name, value in urls.items():
        print(f"export {name}={shlex.quote(value)}")
    # So that `python` is the one that has the packages.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    print(f"export PATH={shlex.quote(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
