"""Proof of an address: joining and a new password by a link in a mail.

Whoever asks hears the same whether the address has an account or not, and the same work is done for it: a hash, and one
statement. What is different is in the mail.
"""

from datetime import datetime, timedelta
from uuid import UUID

import structlog

from api.accounts import store
from api.accounts.passwords import Caller, Passwords
from api.accounts.revocations import Revocations
from api.accounts.rules import new_password, normal_email, registration, token_hash
from config import metrics
from config.db.database import Database, Transaction
from config.errors import BadInput
from config.ids import uuid7
from config.settings import Settings

log = structlog.get_logger()


class Proofs:
    """Use cases over one database."""

    def __init__(self, db: Database, revocations: Revocations, passwords: Passwords, settings: Settings) -> None:
        self._db = db
        self._revocations = revocations
        self._passwords = passwords
        self._settings = settings

    async def join(self, email: str, password: str, name: str, now: datetime, caller: Caller) -> None:
        """Mails a link that opens the account, or that there is one. Raises BadInput."""
        wish = registration(email, password, name)
        password_hash = await self._passwords.hashed(wish.password, caller)
        await self._ask("join", wish.email, wish.name, password_hash, now)

    async def verify(self, token: str, now: datetime) -> None:
        """Opens the account that the link is for. Raises BadInput where it is none, used or over."""
        account_id, trial_ends_at = uuid7(), now + timedelta(days=self._settings.trial_days)
        ids = (uuid7(), account_id, uuid7())
        welcome = self._settings.welcome_credits
        if not await store.prove_join(self._db, token_hash(token), *ids, welcome, trial_ends_at, now):
            raise _not_good()
        metrics.SIGN_INS.labels("registered").inc()
        log.info("user_registered", account=str(account_id))

    async def reset(self, email: str, now: datetime, caller: Caller) -> None:
        """Mails a link for a new password where the address has an account."""
        # A place in the line of hashes: it bounds what one address may ask of us.
        await self._passwords.fits(None, ("",), caller)
        try:
            normal = normal_email(email)
        except BadInput:
            return
        if self._settings.mails:
            await self._ask("reset", normal, None, None, now)

    async def confirm(self, token: str, password: str, now: datetime, caller: Caller) -> None:
        """Sets the password and ends every session. Raises BadInput; for a bad password the link stays good."""
        chosen, hashed_token = new_password(password), token_hash(token)
        if await store.proof_kind(self._db, hashed_token, now) != "reset":
            raise _not_good()
        password_hash = await self._passwords.hashed(chosen, caller)

        async def work(tx: Transaction) -> list[UUID] | None:
            return await store.prove_reset(tx, hashed_token, password_hash, now)

        ended = await self._db.write(work)
        if ended is None:
            raise _not_good()
        metrics.SIGN_INS.labels("password_reset").inc()
        log.info("password_reset", sessions=len(ended))
        if ended:
            await self._revocations.tell(ended)

    async def _ask(self, wish: str, email: str, name: str | None, password_hash: str | None, now: datetime) -> None:
        if not await store.ask_proof(self._db, uuid7(), wish, email, name, password_hash, now):
            metrics.MAILS.labels("withheld").inc()


def _not_good() -> BadInput:
    return BadInput("The link is not good any more: please ask for another one", "token")
