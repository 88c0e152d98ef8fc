"""The use cases of credits: open an account, say the balance, page through the ledger."""

from datetime import datetime
from uuid import UUID

from api.credits import store
from api.credits.rules import Balance, Entry, check_amount
from api.pages import Page, bad_cursor, decode_cursor, make_page, page_size
from config.db.database import Database, Transaction
from config.errors import Unauthenticated
from config.ids import uuid7


async def open_account(tx: Transaction, account_id: UUID, welcome_credits: int, now: datetime) -> None:
    """A new account with its balance and welcome credits, within the transaction of a registration, before the row of
    the user, which refers to it."""
    await store.open_account(tx, account_id, uuid7(), check_amount(welcome_credits), now)


async def balance(db: Database, user_id: UUID) -> Balance:
    """What a user has. Raises Unauthenticated where the account is gone."""
    found = await store.balance(db, user_id)
    if found is None:
        raise Unauthenticated
    return found


async def ledger(db: Database, user_id: UUID, first: int | None = None, after: str | None = None) -> Page[Entry]:
    """A page of a user's entries, newest first. Raises BadInput."""
    size = page_size(first)
    before = None if after is None else _version(after)
    return make_page(await store.ledger(db, user_id, before, size + 1), size, lambda entry: (entry.version,))


def _version(cursor: str) -> int:
    (text,) = decode_cursor(cursor, 1)
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise bad_cursor()
    return int(text)
