"""Balances and ledger entries in PostgreSQL: rows to values; decides nothing."""

from datetime import datetime
from typing import Final
from uuid import UUID

from api.credits.rules import Balance, Entry
from config.db.database import Database, Transaction
from config.db.queries import load_queries

_QUERIES: Final = load_queries(__file__)
_OPEN_ACCOUNT: Final = _QUERIES["open_account"]
_BALANCE: Final = _QUERIES["balance"]
_LEDGER: Final = _QUERIES["ledger"]


async def open_account(
    tx: Transaction, account_id: UUID, transaction_id: UUID, welcome_credits: int, now: datetime
) -> None:
    """A new account with its balance row and, from 1 credit on, the transaction that gives them."""
    await tx.execute(_OPEN_ACCOUNT, account_id, transaction_id, welcome_credits, now)


async def balance(db: Database, user_id: UUID) -> Balance | None:
    """The balance of a user, or None where there is no such user."""
    row = await db.fetchrow(_BALANCE, user_id)
    return None if row is None else Balance(row["credits"], row["version"])


async def ledger(db: Database, user_id: UUID, before_version: int | None, limit: int) -> list[Entry]:
    """At most `limit` entries of a user, newest first."""
    return [Entry(**row) for row in await db.fetch(_LEDGER, user_id, before_version, limit)]
