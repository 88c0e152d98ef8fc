"""A PostgreSQL that cannot do what is asked of it, with any SQLSTATE: a policy on its tables raises it."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import asyncpg

from tests.support.proxy import Proxy
from tests.support.stores import Database

# One of each class of PostgreSQL's appendix A, those that operators meet, and one that there is not.
STATES: Final = (
    *("03000", "08000", "08006", "08P01", "09000", "0A000", "0P000", "20000", "21000", "22001", "22P02", "23505"),
    *("23514", "24000", "25000", "25006", "25P02", "25P03", "26000", "28P01", "2D000", "34000", "39000", "3B000"),
    *("3D000", "3F000", "40001", "40P01", "42501", "42703", "42P01", "42P05", "44000", "53100", "53200", "53300"),
    *("53400", "54001", "55006", "55P03", "57014", "57P01", "57P02", "57P03", "57P04", "57P05", "58030", "72000"),
    *("F0000", "HV000", "P0001", "XX000", "XX001", "99999"),
)
# One of each kind of config/db/sqlstates.py, and one that nobody foresaw.
SOME_STATES: Final = ("08006", "40001", "57014", "25006", "22P02", "99999")
# A defect of ours: the values that we gave.
OURS: Final = frozenset({"21000", "22001", "22P02", "23505", "23514", "44000", "54001", "P0001"})

# A policy is asked of each row: a table without one fails nobody.
_INSTALL: Final = """
SELECT open_account('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 100, now());
INSERT INTO users (id, account_id, email, name, password_hash, trial_ends_at, created_at, updated_at) VALUES
  ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000001', 'e@example.com', 'E', '', now(),
   now(), now());
INSERT INTO sessions (id, user_id, created_at, expires_at, revoked_at, revoked_reason) VALUES
  ('00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000003', now(), now() + interval '1 day',
   now(), 'logout');
INSERT INTO audits VALUES ('whole', now(), now(), 0, 1);
INSERT INTO flags VALUES ('challenges', 0, now());
INSERT INTO apps (namespace, created_at) VALUES ('polls', now());
CREATE TABLE sabotage (state text, victims text[]);
INSERT INTO sabotage VALUES (NULL, '{}');
GRANT SELECT ON sabotage TO PUBLIC;
CREATE FUNCTION sabotaged(victim text) RETURNS boolean STABLE LANGUAGE plpgsql AS $$
DECLARE found text;
BEGIN
  SELECT state INTO found FROM sabotage WHERE victims = '{}' OR victim = ANY (victims);
  IF found IS NOT NULL THEN
    RAISE EXCEPTION 'injected' USING ERRCODE = found;
  END IF;
  RETURN true;
END $$;
DO $$
DECLARE name text;
BEGIN
  FOR name IN SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
    AND NOT relispartition AND relname NOT IN ('sabotage', 'schema_migrations') LOOP
    IF NOT (SELECT relrowsecurity FROM pg_class WHERE oid = name::regclass) THEN
      EXECUTE format('CREATE POLICY everybody ON %I USING (true)', name);
      EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
    END IF;
    EXECUTE format(
      'CREATE POLICY sabotage ON %I AS RESTRICTIVE USING (sabotaged(%L)) WITH CHECK (sabotaged(%L))', name, name, name);
  END LOOP;
END $$;
"""
_DONE: Final = re.compile(rb"2\0\0\0\x04[CDs]")  # bound, and then no error


class Sabotage:
    """`url` and `worker_url` lead to the database through a proxy that counts errors (`met`) and statements that ran
    (`served`)."""

    def __init__(self, owner: asyncpg.Connection, url: str, worker_url: str) -> None:
        self._owner = owner
        self.worker_url = worker_url
        self._state: str | None = None
        self.url = url
        self.met = 0
        self.served = 0

    async def begin(self, state: str, victims: Sequence[str] = ()) -> None:
        """From now on the application's statements on these tables (none = all) raise `state`."""
        self._state = state
        await self._owner.execute("UPDATE sabotage SET state = $1, victims = $2", state, list(victims))

    async def end(self) -> None:
        """The database is well again."""
        await self._owner.execute("UPDATE sabotage SET state = NULL")
        self._state = None

    def hear(self, chunk: bytes) -> None:
        """What the server said."""
        if self._state is not None and b"C" + self._state.encode() + b"\0" in chunk:
            self.met += 1
        else:
            self.served += len(_DONE.findall(chunk))


@asynccontextmanager
async def sabotaged(database: Database) -> AsyncIterator[Sabotage]:
    """The database, prepared, with an ended session in it and an audit."""
    parts = urlsplit(database.url)
    assert parts.hostname
    assert parts.port
    owner = await asyncpg.connect(database.superuser_url)  # whom no policy holds
    proxy = Proxy(parts.hostname, parts.port)
    try:
        async with proxy.running():
            await owner.execute(_INSTALL)
            made = Sabotage(owner, proxy.url(database.url), proxy.url(database.worker_url))
            proxy.heard = made.hear
            yield made
    finally:
        await owner.close()
