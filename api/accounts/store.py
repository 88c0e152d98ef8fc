"""Users and sessions between SQL and values; decides nothing."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from api.accounts.rules import RefreshToken, User
from config.db.database import Database, Transaction
from config.db.queries import load_queries
from config.limits import (
    REVOCATIONS_KEPT_S,
    REVOCATIONS_MAX,
    SESSIONS_ENDED_PER_USER_MAX,
    SESSIONS_PER_USER_MAX,
)

EMAIL_CONSTRAINT: Final = "users_email"

_queries = load_queries(__file__)
_insert_user = _queries["insert_user"]
_user_by_id = _queries["user_by_id"]
_user_by_email = _queries["user_by_email"]
_replace_password_hash = _queries["replace_password_hash"]
_insert_session = _queries["insert_session"]
_displace_sessions = _queries["displace_sessions"]
_drop_old_sessions = _queries["drop_old_sessions"]
_insert_refresh_token = _queries["insert_refresh_token"]
_lock_refresh_token = _queries["lock_refresh_token"]
_mark_rotated = _queries["mark_rotated"]
_reissue_newest = _queries["reissue_newest"]
_advance_session = _queries["advance_session"]
_drop_expired_tokens = _queries["drop_expired_tokens"]
_end_session = _queries["end_session"]
_sessions_ended_since = _queries["sessions_ended_since"]


async def add_user(tx: Transaction, user: User, password_hash: str, trial_ends_at: datetime) -> None:
    """A new row; violates EMAIL_CONSTRAINT where the address has one already."""
    await tx.execute(
        _insert_user, user.id, user.account_id, user.email, user.name, password_hash, trial_ends_at, user.created_at
    )


async def user_by_id(reader: Database | Transaction, user_id: UUID) -> User | None:
    """The user, or None."""
    row = await reader.fetchrow(_user_by_id, user_id)
    return None if row is None else _user(row)


async def user_by_email(db: Database, email: str) -> tuple[User, str] | None:
    """The user of a normalised address with the password's hash, or None."""
    row = await db.fetchrow(_user_by_email, email)
    return None if row is None else (_user(row), row["password_hash"])


async def replace_password_hash(tx: Transaction, user_id: UUID, verified: str, new: str, now: datetime) -> None:
    """Another hash of the same password, unless it was changed meanwhile."""
    await tx.execute(_replace_password_hash, user_id, verified, new, now)


async def add_session(
    tx: Transaction, session_id: UUID, user_id: UUID, token_hash: bytes, now: datetime, expires_at: datetime
) -> list[UUID]:
    """A new session with its first refresh token; the ids of those that were ended for it, by the bound per user."""
    over = now - timedelta(seconds=REVOCATIONS_KEPT_S)
    await tx.execute(_drop_old_sessions, user_id, over, SESSIONS_ENDED_PER_USER_MAX)
    displaced = await tx.fetch(_displace_sessions, user_id, now, SESSIONS_PER_USER_MAX - 1)
    await tx.execute(_insert_session, session_id, user_id, now, expires_at)
    await tx.execute(_insert_refresh_token, token_hash, session_id, 1, now, expires_at)
    return [row["id"] for row in displaced]


async def lock_token(tx: Transaction, token_hash: bytes) -> RefreshToken | None:
    """The refresh token with its session locked, or None."""
    row = await tx.fetchrow(_lock_refresh_token, token_hash)
    return None if row is None else RefreshToken(**dict(row))


async def rotate(
    tx: Transaction, token: RefreshToken, old_hash: bytes, new_hash: bytes, now: datetime, expires_at: datetime
) -> None:
    """Makes the token of `new_hash` the newest of its session."""
    await tx.execute(_drop_expired_tokens, token.session_id, now)
    await tx.execute(_mark_rotated, old_hash, now)
    await tx.execute(_insert_refresh_token, new_hash, token.session_id, token.newest + 1, now, expires_at)
    await tx.execute(_advance_session, token.session_id, token.newest + 1, expires_at)


async def reissue(tx: Transaction, token: RefreshToken, new_hash: bytes) -> None:
    """Makes the newest token of the session, which was never used, that of `new_hash`: after a change of the key the
    successor is made anew."""
    await tx.execute(_reissue_newest, token.session_id, token.newest, new_hash)


async def end_session(tx: Transaction, session_id: UUID, now: datetime, reason: str) -> bool:
    """Ends a session; False where it had ended or is none."""
    return await tx.fetchval(_end_session, session_id, now, reason) is not None


async def sessions_ended_since(db: Database, since: datetime) -> list[UUID]:
    """Sessions that were ended at `since` or later, for whatever reason; no more than gateways remember."""
    return [row["id"] for row in await db.fetch(_sessions_ended_since, since, REVOCATIONS_MAX)]


def _user(row: Any) -> User:
    return User(
        id=row["id"],
        account_id=row["account_id"],
        email=row["email"],
        name=row["name"],
        roles=tuple(row["roles"]),
        tier=row["tier"],
        audience=row["audience"],
        created_at=row["created_at"],
        xp=row["xp"],
        level=row["level"],
    )
