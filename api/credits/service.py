"""The use cases of credits: open an account, say the balance, page through the ledger."""

from datetime import datetime
from uuid import UUID

from api.credits import store
from api.credits.rules import Balance, Entry, check_amount, version_of
from api.pages import Page, make_page, page_size
from config.db.database import Database, Transaction
from config.errors import Unauthenticated
from config.ids import uuid7


class Credits:
    """Use cases over one database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def balance(self, user_id: UUID) -> Balance:
        """What a user has. Raises Unauthenticated where the account is gone."""
        found = await store.balance(self._db, user_id)
        if found is None:
            raise Unauthenticated
        return found

    async def ledger(self, user_id: UUID, first: int | None = None, after: str | None = None) -> Page[Entry]:
        """A page of a user's entries, newest first. Raises BadInput."""
        size = page_size(first)
        before = None if after is None else version_of(after)
        return make_page(await store.ledger(self._db, user_id, before, size + 1), size, lambda entry: (entry.version,))


async def open_account(tx: Transaction, account_id: UUID, welcome_credits: int, now: datetime) -> None:
    """A new account with its balance and welcome credits, within the transaction of a registration, before the row of
    the user, which refers to it."""
    await store.open_account(tx, account_id, uuid7(), check_amount(welcome_credits), now)
