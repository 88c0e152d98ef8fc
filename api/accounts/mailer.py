"""Sends what waits in `proofs`: each mail once where the server takes it, and a few times where nobody knows.

Nobody waits for it: it looks every MAIL_EVERY_S, so that no answer, and no answer after it, tells by its time whether a
mail is sent. A token is made as its mail leaves: only its hash is stored, and it is in no dump of the database.
"""

import asyncio
import smtplib
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid, parseaddr
from typing import Final

import structlog

from api.accounts import store
from api.accounts.mails import link_of, message_of
from api.accounts.rules import token_hash
from api.accounts.tokens import new_token
from config.db.database import Database
from config.db.postgres import ERRORS
from config.errors import RetryLater
from config.metrics import FAILURES, MAILS
from config.settings import Settings
from config.smtp import MailServer, mail_server

log = structlog.get_logger()

MAIL_EVERY_S: Final = 1.0
MAIL_AGAIN_S: Final = 30.0  # then 2 and 8 minutes
SMTP_S: Final = 5.0  # for each word of the mail server


class Mailer:
    """See the module. Without SMTP_URL, in development, links are logged."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._settings = settings
        url = settings.smtp_url.get_secret_value()
        self._server = mail_server(url) if url else None

    async def run(self) -> None:
        """For as long as the process lives; several APIs do so side by side."""
        while self._settings.mails:
            try:
                while await self.send_one():
                    pass
            except (*ERRORS, RetryLater) as error:
                FAILURES.labels("mails").inc()
                log.debug("mails_not_read", error=type(error).__name__)
            await asyncio.sleep(MAIL_EVERY_S)

    async def send_one(self) -> bool:
        """Tries the mail that has waited longest; False where none is due. Raises what the database raises."""
        now, token = datetime.now(UTC), new_token()
        mail = await store.claim_mail(self._db, token_hash(token), now, MAIL_AGAIN_S)
        if mail is None:
            return False
        link = link_of(mail.kind, self._settings.page_url, token)
        if self._server is None:
            log.info("mail_not_sent_without_smtp_url", kind=mail.kind, link=link)
            await store.mail_done(self._db, mail.id)
            return True
        server, message = self._server, message_of(mail.kind, mail.email, self._settings.mail_from, link)
        message["Date"] = format_datetime(now)
        message["Message-ID"] = make_msgid(domain=parseaddr(self._settings.mail_from)[1].rpartition("@")[2])
        try:
            await _beside(lambda: _send(server, message))
        except (OSError, smtplib.SMTPException) as error:
            refused = _for_good(error)
            MAILS.labels("refused" if refused else "failed").inc()
            log.warning("mail_not_sent", kind=mail.kind, error=type(error).__name__, tries=mail.tries)
            if not refused:
                return True  # it is due again, or was tried often enough
        else:
            MAILS.labels("sent").inc()
        await store.mail_done(self._db, mail.id)
        return True


def _send(server: MailServer, message: EmailMessage) -> None:
    """Hands one mail over. Raises OSError and SMTPException."""
    context = ssl.create_default_context()
    connection = (
        smtplib.SMTP_SSL(server.host, server.port, timeout=SMTP_S, context=context)
        if server.tls == "implicit"
        else smtplib.SMTP(server.host, server.port, timeout=SMTP_S)
    )
    with connection:
        if server.tls == "starttls":
            connection.starttls(context=context)
        if server.user:
            connection.login(server.user, server.password)
        connection.send_message(message)


def _for_good(error: Exception) -> bool:
    """Whether the server takes no mail for this address, today and later (RFC 5321, 4.2.1: 5yz)."""
    return isinstance(error, smtplib.SMTPRecipientsRefused) and all(
        code >= 500 for code, _ in error.recipients.values()
    )


async def _beside(work: Callable[[], None]) -> None:
    """Runs `work` in a thread that no end of the process waits for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: Exception | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        error: Exception | None = None
        try:
            work()
        except Exception as raised:  # noqa: BLE001 - it is the caller's
            error = raised
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=run, name="mail", daemon=True).start()
    await done
