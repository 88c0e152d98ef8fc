"""Users and sessions between SQL and values; decides nothing."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from api.accounts.mails import Waiting
from api.accounts.rules import RefreshToken, User, audience_chosen, reading_ended
from config.db.database import Database, Transaction
from config.db.queries import load_queries
from config.limits import (
    CHANNELS_ENDED_MAX,
    MAIL_TRIES,
    MAILS_WAITING_MAX,
    PROOF_S,
    PROOFS_PER_ADDRESS_MAX,
    REVOCATIONS_KEPT_S,
    REVOCATIONS_MAX,
    SESSIONS_ENDED_PER_USER_MAX,
    SESSIONS_PER_USER_MAX,
)
from rt.auth.revoked import Revocation

EMAIL_CONSTRAINT: Final = "users_email"

_QUERIES: Final = load_queries(__file__)
_INSERT_USER: Final = _QUERIES["insert_user"]
_USER_BY_ID: Final = _QUERIES["user_by_id"]
_PASSWORD_HASH: Final = _QUERIES["password_hash"]
_USER_BY_EMAIL: Final = _QUERIES["user_by_email"]
_REPLACE_PASSWORD_HASH: Final = _QUERIES["replace_password_hash"]
_INSERT_SESSION: Final = _QUERIES["insert_session"]
_DISPLACE_SESSIONS: Final = _QUERIES["displace_sessions"]
_DROP_OLD_SESSIONS: Final = _QUERIES["drop_old_sessions"]
_INSERT_REFRESH_TOKEN: Final = _QUERIES["insert_refresh_token"]
_LOCK_REFRESH_TOKEN: Final = _QUERIES["lock_refresh_token"]
_MARK_ROTATED: Final = _QUERIES["mark_rotated"]
_REISSUE_NEWEST: Final = _QUERIES["reissue_newest"]
_ADVANCE_SESSION: Final = _QUERIES["advance_session"]
_DROP_EXPIRED_TOKENS: Final = _QUERIES["drop_expired_tokens"]
_END_SESSION: Final = _QUERIES["end_session"]
_AUDIENCES_SINCE: Final = _QUERIES["audiences_since"]
_READING_ENDED_SINCE: Final = _QUERIES["reading_ended_since"]
_SESSIONS_ENDED_SINCE: Final = _QUERIES["sessions_ended_since"]
_ASK_PROOF: Final = _QUERIES["ask_proof"]
_CLAIM_MAIL: Final = _QUERIES["claim_mail"]
_MAIL_DONE: Final = _QUERIES["mail_done"]
_PROOF_KIND: Final = _QUERIES["proof_kind"]
_PROVE_JOIN: Final = _QUERIES["prove_join"]
_PROVE_RESET: Final = _QUERIES["prove_reset"]


async def add_user(tx: Transaction, user: User, password_hash: str, trial_ends_at: datetime) -> None:
    """A new row; violates EMAIL_CONSTRAINT where the address has one already."""
    await tx.execute(
        _INSERT_USER, user.id, user.account_id, user.email, user.name, password_hash, trial_ends_at, user.created_at
    )


async def user_by_id(reader: Database | Transaction, user_id: UUID) -> User | None:
    """The user, or None."""
    row = await reader.fetchrow(_USER_BY_ID, user_id)
    return None if row is None else _user(row)


async def user_by_email(db: Database, email: str) -> tuple[User, str] | None:
    """The user of a normalised address with the password's hash, or None."""
    row = await db.fetchrow(_USER_BY_EMAIL, email)
    return None if row is None else (_user(row), row["password_hash"])


async def password_hash(db: Database, user_id: UUID) -> str | None:
    """What is stored of a user's password; None where there is no such user."""
    row = await db.fetchrow(_PASSWORD_HASH, user_id)
    return None if row is None else row["password_hash"]


async def replace_password_hash(tx: Transaction, user_id: UUID, verified: str, new: str, now: datetime) -> None:
    """Another hash of the same password, unless it was changed meanwhile."""
    await tx.execute(_REPLACE_PASSWORD_HASH, user_id, verified, new, now)


async def add_session(
    tx: Transaction, session_id: UUID, user_id: UUID, token_hash: bytes, now: datetime, expires_at: datetime
) -> list[UUID]:
    """A new session with its first refresh token; the ids of those that were ended for it, by the bound per user."""
    over = now - timedelta(seconds=REVOCATIONS_KEPT_S)
    await tx.execute(_DROP_OLD_SESSIONS, user_id, over, SESSIONS_ENDED_PER_USER_MAX)
    displaced = await tx.fetch(_DISPLACE_SESSIONS, user_id, now, SESSIONS_PER_USER_MAX - 1)
    await tx.execute(_INSERT_SESSION, session_id, user_id, now, expires_at)
    await tx.execute(_INSERT_REFRESH_TOKEN, token_hash, session_id, 1, now, expires_at)
    return [row["id"] for row in displaced]


async def lock_token(tx: Transaction, token_hash: bytes) -> RefreshToken | None:
    """The refresh token with its session locked, or None."""
    row = await tx.fetchrow(_LOCK_REFRESH_TOKEN, token_hash)
    return None if row is None else RefreshToken(**dict(row))


async def rotate(
    tx: Transaction, token: RefreshToken, old_hash: bytes, new_hash: bytes, now: datetime, expires_at: datetime
) -> None:
    """Makes the token of `new_hash` the newest of its session."""
    await tx.execute(_DROP_EXPIRED_TOKENS, token.session_id, now)
    await tx.execute(_MARK_ROTATED, old_hash, now)
    await tx.execute(_INSERT_REFRESH_TOKEN, new_hash, token.session_id, token.newest + 1, now, expires_at)
    await tx.execute(_ADVANCE_SESSION, token.session_id, token.newest + 1, expires_at)


async def reissue(tx: Transaction, token: RefreshToken, new_hash: bytes) -> None:
    """Makes the newest token of the session, which was never used, that of `new_hash`: after a change of the key the
    successor is made anew."""
    await tx.execute(_REISSUE_NEWEST, token.session_id, token.newest, new_hash)


async def end_session(tx: Transaction, session_id: UUID, now: datetime, reason: str) -> bool:
    """Ends a session; False where it had ended or is none."""
    return await tx.fetchval(_END_SESSION, session_id, now, reason) is not None


async def sessions_ended_since(db: Database, since: datetime) -> list[UUID]:
    """Sessions that were ended at `since` or later, for whatever reason; no more than gateways remember."""
    return [row["id"] for row in await db.fetch(_SESSIONS_ENDED_SINCE, since, REVOCATIONS_MAX)]


async def ask_proof(
    db: Database, proof_id: UUID, wish: str, email: str, name: str | None, password_hash: str | None, now: datetime
) -> bool:
    """Queues a mail to a normalised address; False where it gets no more for now."""
    end, since = now + timedelta(seconds=PROOF_S), now - timedelta(seconds=PROOF_S)
    bounds = (PROOFS_PER_ADDRESS_MAX, MAILS_WAITING_MAX)
    args = (proof_id, wish, email, name, password_hash, now, end, since, *bounds)
    return bool((await db.once(_ASK_PROOF, *args))[0])


async def claim_mail(db: Database, token_hash: bytes, now: datetime, again_s: float) -> Waiting | None:
    """The mail whose turn it is, with the token of this hash in it; it is tried again unless `mail_done` is said."""
    row = await db.once(_CLAIM_MAIL, token_hash, now, MAIL_TRIES, again_s)
    return None if row is None else Waiting(**dict(row))


async def mail_done(db: Database, proof_id: UUID) -> None:
    """No more tries."""
    await db.once(_MAIL_DONE, proof_id)


async def proof_kind(db: Database, token_hash: bytes, now: datetime) -> str | None:
    """What the link of this token is for; None where it is none, used or over."""
    row = await db.fetchrow(_PROOF_KIND, token_hash, now)
    return None if row is None else row["kind"]


async def prove_join(
    db: Database,
    token_hash: bytes,
    user_id: UUID,
    account_id: UUID,
    transaction_id: UUID,
    welcome_credits: int,
    trial_ends_at: datetime,
    now: datetime,
) -> bool:
    """Opens the account of a sign-up; False where the link is not good. The ids are fresh."""
    args = (token_hash, user_id, account_id, transaction_id, welcome_credits, trial_ends_at, now)
    return bool((await db.once(_PROVE_JOIN, *args, twins=frozenset({EMAIL_CONSTRAINT})))[0])


async def prove_reset(tx: Transaction, token_hash: bytes, password_hash: str, now: datetime) -> list[UUID] | None:
    """Changes the password; the sessions that ended, or None where the link is not good."""
    ended: list[UUID] | None = await tx.fetchval(_PROVE_RESET, token_hash, password_hash, now)
    return ended


async def audiences_since(db: Database, since: datetime) -> list[Revocation]:
    """Audiences that were chosen at `since` or later, the newest of each user."""
    rows = await db.fetch(_AUDIENCES_SINCE, since, REVOCATIONS_MAX)
    return [audience_chosen(row["user_id"], row["audience"], row["at"]) for row in rows]


async def reading_ended_since(db: Database, since: datetime) -> list[Revocation]:
    """What somebody, or everybody, was kept from reading at `since` or later."""
    rows = await db.fetch(_READING_ENDED_SINCE, since, CHANNELS_ENDED_MAX)
    return [reading_ended(row["owner_id"], row["reader_id"], row["void_before"]) for row in rows]


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
        time_zone=row["time_zone"],
        archetype_id=row["archetype_id"],
        xp=row["xp"],
        level=row["level"],
        subscribed_until=row["subscribed_until"],
    )
