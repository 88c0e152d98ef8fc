"""A streaming replica of a test's own PostgreSQL, made by pg_basebackup; to pause, to kill and to start again."""

import subprocess
from typing import Final

from config.embedded import binaries
from config.embedded.account import own, runnable, unprivileged
from config.embedded.ports import free_port
from config.embedded.postgres import SUPERUSER, PostgresServer
from tests.support.stores import TestStores

COPY_S: Final = 60


def standby_of(stores: TestStores) -> PostgresServer:
    """A standby that runs, follows the PostgreSQL of `stores`, and has its passwords."""
    account, primary = unprivileged(), stores.postgres
    folder = primary.folder.parent / "standby"
    program = runnable(binaries.postgres(), account, folder.parent / "programs").with_name("pg_basebackup")
    own(folder, account)
    address = primary.url(SUPERUSER, "postgres")
    subprocess.run(
        [str(program), "-d", address, "-D", str(folder / "cluster"), "-R", "-c", "fast", "-X", "stream", "--no-sync"],
        check=True,
        timeout=COPY_S,
        cwd=folder,
        user=None if account is None else account.uid,
        group=None if account is None else account.gid,
    )
    made = PostgresServer(folder, port=free_port(), passwords=primary._passwords, account=account, durable=False)
    made.start()
    return made
