"""Credits as values. Amounts are whole numbers; a charge is negative in the account's own entries. Pure."""

from datetime import datetime
from uuid import UUID

import msgspec

from api.pages import bad_cursor, decode_cursor

CREDITS_MAX = 2_147_483_647  # what GraphQL's Int can say; the table's CHECK has the same bound


class Balance(msgspec.Struct, frozen=True):
    """What an account has; `version` is that of its newest entry and only rises."""

    credits: int
    version: int


class Entry(msgspec.Struct, frozen=True):
    """One line of an account's ledger. `id` is that of its transaction, which touches an account once."""

    id: UUID
    amount: int
    balance_after: int
    version: int
    reason: str
    workout_id: UUID | None
    created_at: datetime


def version_of(cursor: str) -> int:
    """The version before which the page after `cursor` begins. Raises BadInput."""
    (text,) = decode_cursor(cursor, 1)
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise bad_cursor()
    return int(text)


def check_amount(amount: int) -> int:
    """The amount, where it is a whole number from 0 to CREDITS_MAX. Raises ValueError: amounts come from our settings
    and prices, so another one is a mistake of ours."""
    if isinstance(amount, bool) or not isinstance(amount, int) or not 0 <= amount <= CREDITS_MAX:
        raise ValueError(f"an amount is a whole number of credits from 0 to {CREDITS_MAX}")
    return amount
