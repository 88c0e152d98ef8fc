"""A PgBouncer of Debian with the file of config/deploy, before the PostgreSQL of the tests."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from config.embedded import child
from config.embedded.account import home, own, unprivileged
from config.embedded.ports import HOST, free_port, is_free
from tests.support.fronts import DEPLOY, filled
from tests.support.programs import needs
from tests.support.stores import Database, TestStores

START_S: Final = 20


@contextmanager
def pgbouncer(
    stores: TestStores, database: Database, folder: Path, *, servers: int | None = None
) -> Iterator[dict[str, str]]:
    """DATABASE_URL and WORKER_DATABASE_URL through it. `servers`: how many connections of its own a role has, where
    that matters: with one, whoever comes next has the last one's."""
    account, port = unprivileged(), free_port()
    place = home(folder, account)
    own(place, account)
    urls = {name: url for name, url in database.urls.items() if name != "DATABASE_OWNER_URL"}
    users = [(urlsplit(url).username, urlsplit(url).password) for url in urls.values()]
    (place / "userlist.txt").write_text("".join(f'"{user}" "{password}"\n' for user, password in users))
    places = {
        "port=5432 dbname=musclemap": f"port={stores.postgres.port} dbname={database.name}",
        "listen_port = 6432": f"listen_port = {port}",
        "/etc/pgbouncer/userlist.txt": str(place / "userlist.txt"),
    }
    if servers is not None:
        places |= {
            "default_pool_size = 60": f"default_pool_size = {servers}",
            "reserve_pool_size = 20": "reserve_pool_size = 0",
        }
    (place / "pgbouncer.ini").write_text(filled((DEPLOY / "pgbouncer.ini").read_text("utf-8"), places))
    log = place / "pgbouncer.log"
    command = [needs("pgbouncer"), str(place / "pgbouncer.ini")]
    process = child.start(command, folder=place, account=account, log=log, at_our_death=signal.SIGTERM)
    try:
        child.wait_until(lambda: not is_free(HOST, port), process, name="PgBouncer", log=log, limit_s=START_S)
        yield {name: re.sub(r"@.*", f"@{HOST}:{port}/musclemap", url) for name, url in urls.items()}
    finally:
        child.stop(process, ((signal.SIGINT, 3.0),))
