"""The use cases of accounts: join, sign in, refresh, sign out, who am I."""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg
import structlog

from api.accounts import store
from api.accounts.passwords import Caller, Passwords
from api.accounts.revocations import Revocations
from api.accounts.rules import (
    Presented,
    User,
    judge,
    normal_email,
    registration,
    spellings,
    successor,
    token_hash,
)
from api.accounts.tokens import Signer, new_token
from api.credits.service import open_account
from config import metrics
from config.db.database import Database, Transaction
from config.errors import BadInput, Conflict, Unauthenticated
from config.ids import uuid7
from config.limits import PASSWORD_CHARS_MAX
from config.settings import Settings

log = structlog.get_logger()


class SignedIn(NamedTuple):
    """What a sign-in or a refresh gives: the access token for the client, the refresh token for the cookie."""

    user: User
    access_token: str
    refresh_token: str


class _Refreshed(NamedTuple):
    """What a transaction made of a presented refresh token."""

    presented: Presented
    session_id: UUID | None = None
    user: User | None = None


class Accounts:
    """Use cases over one database. Messages never tell whether an address has an account, but for joining without proof
    of an address. Logs name accounts by their pseudonym: they outlive whoever it is."""

    def __init__(
        self, db: Database, revocations: Revocations, signer: Signer, passwords: Passwords, settings: Settings
    ) -> None:
        self._db = db
        self._revocations = revocations
        self._signer = signer
        self._passwords = passwords
        self._settings = settings

    async def register(self, email: str, password: str, name: str, now: datetime, caller: Caller) -> User:
        """A new user with account, trial and welcome credits, in one transaction. Raises BadInput or Conflict."""
        wish = registration(email, password, name)
        password_hash = await self._passwords.hashed(wish.password, caller)
        user = User(uuid7(), uuid7(), wish.email, wish.name, ("user",), "free", "everyone", now)
        trial_ends_at = now + timedelta(days=self._settings.trial_days)

        async def work(tx: Transaction) -> User:
            await open_account(tx, user.account_id, self._settings.welcome_credits, now)
            await store.add_user(tx, user, password_hash, trial_ends_at)
            return user

        async def settle(tx: Transaction) -> User | None:
            return await store.user_by_id(tx, user.id)

        try:
            joined = await self._db.of(user.id).write(work, settle=settle)
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name != store.EMAIL_CONSTRAINT:
                raise
            raise Conflict("There is an account with this e-mail address already") from None
        metrics.SIGN_INS.labels("registered").inc()
        log.info("user_registered", account=str(joined.account_id))
        return joined

    async def login(self, email: str, password: str, now: datetime, caller: Caller) -> SignedIn:
        """A new session. Raises Unauthenticated, for an unknown address as for a wrong password."""
        if len(password) > PASSWORD_CHARS_MAX:
            raise BadInput(f"Password: at most {PASSWORD_CHARS_MAX} characters", "password")
        try:
            found = await store.user_by_email(self._db, normal_email(email))
        except BadInput:
            found = None  # as unknown as any other address, and as slow
        user, password_hash = found or (None, None)
        typed = spellings(password)
        fitting = await self._passwords.fits(password_hash, typed, caller)
        if user is None or password_hash is None or fitting is None:
            metrics.SIGN_INS.labels("failed").inc()
            log.warning("sign_in_failed", account=str(user.account_id) if user else None)
            raise _wrong()
        session_id, token = uuid7(), new_token()
        # Hashed before passwords were normalised: from now on it fits however it is typed.
        new_hash = None if fitting == typed[0] else await self._passwords.hashed(typed[0], caller)

        async def work(tx: Transaction) -> list[UUID]:
            if new_hash is not None:
                await store.replace_password_hash(tx, user.id, password_hash, new_hash, now)
            return await store.add_session(tx, session_id, user.id, token_hash(token), now, self._end(now))

        try:
            displaced = await self._db.of(user.id).write(work, lane=user.id)
        except asyncpg.ForeignKeyViolationError:  # the account was deleted meanwhile
            raise _wrong() from None
        metrics.SIGN_INS.labels("signed_in").inc()
        log.info("signed_in", account=str(user.account_id), displaced=len(displaced))
        if displaced:
            await self._revocations.tell(displaced)
        return SignedIn(user, self._signer.access_token(user, session_id, now), token)

    async def refresh(self, token: str, now: datetime) -> SignedIn:
        """The successor of a refresh token with a new access token. Raises Unauthenticated.

        The answer may have been lost: until the successor is used, the same token gets it again. After that the token
        was copied, and ends its session, here and on every open socket.
        """
        old_hash = token_hash(token)
        new_token = successor(token, self._signer.refresh_secret)

        async def work(tx: Transaction) -> _Refreshed:
            stored = await store.lock_token(tx, old_hash)
            if stored is None:
                return _Refreshed(Presented.DEAD)
            presented = judge(stored, now)
            if presented is Presented.STOLEN:
                await store.end_session(tx, stored.session_id, now, "reuse")
            elif presented is Presented.CURRENT:
                await store.rotate(tx, stored, old_hash, token_hash(new_token), now, self._end(now))
            elif presented is Presented.RETRIED:
                await store.reissue(tx, stored, token_hash(new_token))
            return _Refreshed(presented, stored.session_id, await store.user_by_id(tx, stored.user_id))

        async def settle(_: Transaction) -> _Refreshed | None:
            return None  # done or not, running it again gives the same successor

        done = await self._db.write(work, lane=old_hash, settle=settle)
        if done.presented is Presented.STOLEN:
            metrics.SIGN_INS.labels("reuse").inc()
            log.warning("refresh_token_reused", account=str(done.user.account_id) if done.user else None)
            if done.session_id is not None:
                await self._revocations.tell([done.session_id])
        if done.presented not in (Presented.CURRENT, Presented.RETRIED) or done.user is None or done.session_id is None:
            raise Unauthenticated("The session has ended; please sign in")
        metrics.SIGN_INS.labels("refreshed").inc()
        return SignedIn(done.user, self._signer.access_token(done.user, done.session_id, now), new_token)

    async def logout(self, token: str | None, access: tuple[UUID, UUID] | None, now: datetime) -> None:
        """Ends the session of a refresh token or, without one, of an access token (its user and session). No error
        where there is none."""
        user_id, session_id = access or (None, None)

        async def work(tx: Transaction) -> UUID | None:
            stored = await store.lock_token(tx, token_hash(token)) if token else None
            wanted = stored.session_id if stored else session_id
            if wanted is not None:
                await store.end_session(tx, wanted, now, "logout")
            return wanted  # the gateways may hear it again, and of one that has no row any more

        async def settle(_: Transaction) -> UUID | None:
            return session_id

        ended = await self._db.of(user_id).write(work, settle=settle)
        if ended is not None:
            metrics.SIGN_INS.labels("signed_out").inc()
            log.info("signed_out")
            await self._revocations.tell([ended])

    async def verified(self, user_id: UUID, password: str, caller: Caller) -> str | None:
        """What is stored of the password, where it is this one; None for another and for an account that is gone."""
        if len(password) > PASSWORD_CHARS_MAX:
            return None
        stored = await store.password_hash(self._db, user_id)
        return stored if await self._passwords.fits(stored, spellings(password), caller) is not None else None

    async def exists(self, user_id: UUID) -> bool:
        """Whether the account is there."""
        return await store.user_by_id(self._db, user_id) is not None

    async def me(self, user_id: UUID) -> User:
        """The signed-in user. Raises Unauthenticated where the account is gone."""
        user = await store.user_by_id(self._db, user_id)
        if user is None:
            raise Unauthenticated
        return user

    def _end(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self._settings.refresh_token_s)


def _wrong() -> Unauthenticated:
    return Unauthenticated("E-mail address or password is wrong")
