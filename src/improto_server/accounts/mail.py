"""Sends mails: to an SMTP server, or into a directory.

What is to be sent waits in the store (:mod:`improto_server.store.mails`), is tried again for
16 hours if the mail server is away, and is then given up with a line in the log.
"""

from __future__ import annotations

import logging
import os
import smtplib
import ssl
import time
from email.message import EmailMessage
from email.utils import formatdate
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import anyio
from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from improto_server.accounts.settings import SmtpSecurity
from improto_server.errors import ServiceError
from improto_server.store import mails as table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from improto_server.accounts.records import Records
    from improto_server.accounts.settings import AccountSettings
    from improto_server.store.mails import Mail, Waiting

SMTP_SECONDS: Final = 20.0
"""For each step of the conversation with the mail server."""

MOST_TRIES: Final = 12
FIRST_PAUSE: Final = 60
LONGEST_PAUSE: Final = 4 * 60 * 60
"""Seconds until the second try; then twice as long every time. The last try is after 16 hours, when
most links in mails are good no more."""

LOOK_EVERY: Final = 30.0
"""Seconds between two looks for mails whose time has come."""

_AT_ONCE: Final = 20
"""Mails that are read at a time."""

_FINAL: Final = range(500, 600)
"""Answers of a mail server that will not change."""

_logger = logging.getLogger(__name__)


class UndeliverableError(Exception):
    """To try again would not help."""


class Sender(Protocol):
    """Where mails go. Blocks, so it belongs into a worker thread."""

    def send(self, mail: Mail) -> None:
        """Send a mail. Raises OSError (SMTP's errors are some) or
        UndeliverableError."""


class Directory:
    """Mails become files, for those who have no mail server. It is made for the first one."""

    def __init__(self, path: Path, *, sender: str) -> None:
        self._path = path
        self._sender = sender

    def send(self, mail: Mail) -> None:
        """It appears as a whole; by their names they are in order."""
        # There are links in it that let people in.
        self._path.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{time.time_ns()}.eml"
        hidden = self._path / f".{name}"
        hidden.write_bytes(message(mail, sender=self._sender).as_bytes())
        os.replace(hidden, self._path / name)


class Smtp:
    """An SMTP server, with a connection for each mail."""

    def __init__(self, settings: AccountSettings) -> None:
        self._settings = settings

    def send(self, mail: Mail) -> None:
        """UndeliverableError: the server wants it now and never."""
        settings = self._settings
        try:
            with self._connected() as server:
                if settings.smtp_security is SmtpSecurity.STARTTLS:
                    server.starttls(context=ssl.create_default_context())
                if settings.smtp_user:
                    server.login(settings.smtp_user, settings.smtp_password)
                server.send_message(message(mail, sender=settings.mail_from))
        except smtplib.SMTPRecipientsRefused as error:
            if all(code in _FINAL for code, _ in error.recipients.values()):
                raise UndeliverableError("the mail server does not know the recipient") from error
            raise
        except smtplib.SMTPDataError as error:
            if error.smtp_code in _FINAL:
                raise UndeliverableError("the mail server does not take it") from error
            raise

    def _connected(self) -> smtplib.SMTP:
        host, port = self._settings.smtp_host, self._settings.smtp_port
        if self._settings.smtp_security is SmtpSecurity.TLS:
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(host, port, timeout=SMTP_SECONDS, context=context)
        return smtplib.SMTP(host, port, timeout=SMTP_SECONDS)


def message(mail: Mail, *, sender: str) -> EmailMessage:
    """A mail as it is sent. Its parts cannot become headers: the library refuses line breaks."""
    made = EmailMessage()
    made["From"] = sender
    made["To"] = mail.recipient
    made["Subject"] = mail.subject
    made["Date"] = formatdate()
    # Whoever is away does not answer a machine.
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(mail.body)
    return made


class Outbox:
    """Sends what waits. ``now``: milliseconds since 1970."""

    def __init__(self, records: Records, sender: Sender, *, now: Callable[[], int]) -> None:
        self._records = records
        self._sender = sender
        self._now = now
        self._limiter = CapacityLimiter(1)
        self._is_wanted = anyio.Event()

    def look(self) -> None:
        """There is something new."""
        self._is_wanted.set()

    async def deliver_regularly(self) -> None:
        """Send what waits, again and again."""
        while True:
            self._is_wanted = anyio.Event()
            try:
                await self.deliver()
            except ServiceError as error:
                _logger.error("mails could not be sent: %s", error)
            with anyio.move_on_after(LOOK_EVERY):
                await self._is_wanted.wait()

    async def deliver(self) -> None:
        """Try all mails whose time has come, once."""
        until = self._now()
        while waiting := await self._records.read(partial(table.due, now=until, most=_AT_ONCE)):
            for each in waiting:
                await self._try(each)

    async def _try(self, waiting: Waiting) -> None:
        send = partial(self._sender.send, waiting.mail)
        try:
            # Who stops the server need not wait for the mail server; it is sent the next time.
            await run_sync(send, limiter=self._limiter, abandon_on_cancel=True)
        except UndeliverableError as error:
            _logger.error("a mail to %s is given up: %s", waiting.mail.recipient, error)
        except Exception as error:
            # A mail that the library cannot write must not take the server down.
            if waiting.tries + 1 < MOST_TRIES:
                _logger.warning("a mail could not be sent and will be tried again: %r", error)
                pause = min(FIRST_PAUSE * 2**waiting.tries, LONGEST_PAUSE)
                due = self._now() + pause * 1000
                await self._records.write(partial(table.postpone, id=waiting.id, due=due))
                return
            _logger.error("a mail to %s is given up: %r", waiting.mail.recipient, error)
        await self._records.write(partial(table.remove, id=waiting.id))
