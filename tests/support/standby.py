"""A streaming replica of a test's own PostgreSQL, made by pg_basebackup; to pause, to kill and to start again."""

import subprocess
from typing import Final

from config.embedded import binaries
from config.embedded.account import own, runnable, unprivileged
from config.embedded.ports import free_port
from config.embedded.postgres import SUPERUSER, PostgresServer
from tests.support.stores import TestStores

COPY_S: Final = 60


class Standby(PostgresServer):
    """It answers as soon as it takes readers, in recovery."""

    def _answers(self) -> bool:
        try:
            lines = (self._cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "standby" and lines[0] == str(self.pid)


def standby_of(stores: TestStores) -> Standby:
    """A standby that runs, follows the PostgreSQL of `stores`, and has its passwords."""
    account, primary = unprivileged(), stores.postgres
    folder = primary.folder.parent / "standby"
    program = runnable(binaries.postgres(), account, folder.parent / "programs").with_name("pg_basebackup")
    own(folder, account)
    address = primary.url(SUPERUSER, "postgres")
    subprocess.run(
        [str(program), "-d", address, "-D", str(folder / "cluster"), "-R", "-c", "fast", "-X", "stream"],
        check=True,
        timeout=COPY_S,
        cwd=folder,
        user=None if account is None else account.uid,
        group=None if account is None else account.gid,
    )
    made = Standby(folder, port=free_port(), passwords=primary._passwords, account=account)
    made.start()
    return made
