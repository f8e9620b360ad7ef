"""Mails: what waits is sent, tried again and given up."""

from __future__ import annotations

import logging
import smtplib
import socket
import ssl
import stat
from collections import deque
from contextlib import contextmanager, suppress
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

import anyio
import pytest

from improto.codes import ErrorCode
from improto_server.accounts import mail as mail_module
from improto_server.accounts.mail import (
    FIRST_PAUSE,
    MOST_TRIES,
    Directory,
    Outbox,
    Smtp,
    UndeliverableError,
    message,
)
from improto_server.accounts.settings import AccountSettings, SmtpSecurity
from improto_server.errors import ServiceError
from improto_server.store import mails
from improto_server.store.mails import Mail
from tests.accounts.account_tools import PATIENCE, World, play

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAIL = Mail("alice@example.org", "Hello", "A body\nwith two lines, ünd Ümläute.\n")


class Fake:
    """Sends nothing, and fails as it is told."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = deque(errors)
        self.sent: list[Mail] = []

    def send(self, mail: Mail) -> None:
        if self.errors:
            raise self.errors.popleft()
        self.sent.append(mail)


async def put(world: World, mail: Mail = MAIL) -> None:
    records = world.accounts.house.records
    assert await records.write(partial(mails.put, mail=mail, now=world.wall, most=100))


async def waiting(world: World) -> int:
    query = partial(mails.due, now=2**60, most=100)
    return len(await world.accounts.house.records.read(query))


def outbox(world: World, sender: Fake) -> Outbox:
    return Outbox(world.accounts.house.records, sender, now=lambda: world.wall)


# -- what waits ---------------------------------------------------------------------------------


def test_a_mail_server_that_is_away_loses_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(world: World) -> None:
        sender = Fake(ConnectionRefusedError("nobody there"), smtplib.SMTPServerDisconnected())
        box = outbox(world, sender)
        await put(world)
        await box.deliver()
        await box.deliver()
        assert (len(sender.errors), await waiting(world)) == (1, 1)
        world.advance(FIRST_PAUSE)
        await box.deliver()
        world.advance(FIRST_PAUSE)
        await box.deliver()
        assert sender.sent == []
        world.advance(FIRST_PAUSE)
        await box.deliver()
        assert (sender.sent, await waiting(world)) == ([MAIL], 0)

    play(tmp_path, scenario)
    assert caplog.text.count("will be tried again") == 2


def test_it_is_given_up_after_some_hours(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(world: World) -> None:
        sender = Fake(*[OSError("away")] * 99)
        box = outbox(world, sender)
        await put(world)
        begin, last = world.wall, world.wall
        while await waiting(world):
            before = len(sender.errors)
            await box.deliver()
            if len(sender.errors) < before:
                last = world.wall
            world.advance(600)
        assert len(sender.errors) == 99 - MOST_TRIES
        assert 16 <= (last - begin) / 3_600_000 < 18

    play(tmp_path, scenario)
    assert "a mail to alice@example.org is given up: OSError('away')" in caplog.text


def test_what_never_will_be_taken_is_given_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(world: World) -> None:
        sender = Fake(UndeliverableError("no such person"))
        await put(world)
        await put(world, MAIL._replace(recipient="bob@example.org"))
        await outbox(world, sender).deliver()
        assert [each.recipient for each in sender.sent] == ["bob@example.org"]
        assert await waiting(world) == 0

    play(tmp_path, scenario)
    assert "a mail to alice@example.org is given up: no such person" in caplog.text


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_chore_sends_what_is_new_and_goes_on_after_a_mistake(
    tmp_path: Path, backend: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        sender = Fake()
        box = outbox(world, sender)
        real, tries = box.deliver, anyio.Semaphore(0)
        fails = [True]

        async def deliver() -> None:
            if fails:
                fails.pop()
                tries.release()
                raise ServiceError(ErrorCode.INTERNALERRROR)
            await real()
            tries.release()

        monkeypatch.setattr(box, "deliver", deliver)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(box.deliver_regularly)
            await tries.acquire()
            await put(world)
            box.look()
            await tries.acquire()
            assert sender.sent == [MAIL]
            tasks.cancel_scope.cancel()

    monkeypatch.setattr(mail_module, "LOOK_EVERY", PATIENCE)
    play(tmp_path, scenario, backend=backend)
    assert "mails could not be sent" in caplog.text


# -- where they go ------------------------------------------------------------------------------


def test_a_mail_is_plain_text_and_cannot_have_other_headers() -> None:
    made = message(MAIL, sender="improto@example.org")
    assert made["To"] == "alice@example.org"
    assert made["From"] == "improto@example.org"
    assert made["Auto-Submitted"] == "auto-generated"
    assert made.get_content_type() == "text/plain"
    assert made.get_content() == MAIL.body
    with pytest.raises(ValueError, match="linefeed"):
        message(MAIL._replace(recipient="a@b\r\nBcc: c@d"), sender="improto@example.org")


def test_files(tmp_path: Path) -> None:
    place = tmp_path / "mails"
    sender = Directory(place, sender="improto@localhost")
    for subject in ("one", "two"):
        sender.send(MAIL._replace(subject=subject))
    files = sorted(place.iterdir())
    assert [b"Subject: one" in each.read_bytes() for each in files] == [True, False]
    assert {each.suffix for each in files} == {".eml"}
    # Whoever reads them can come in.
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


class MailServer:
    """An SMTP server on the loopback, which answers by a list."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers
        self.heard: list[str] = []

    @contextmanager
    def listening(self) -> Iterator[int]:
        """For one connection; gives the port."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(PATIENCE)
            thread = Thread(target=self._serve_until_it_breaks, args=(listener,))
            thread.start()
            yield listener.getsockname()[1]
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def _serve_until_it_breaks(self, listener: socket.socket) -> None:
        # Who wanted something else ends in the middle.
        with suppress(ConnectionError):
            self._serve(listener)

    def _serve(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.settimeout(PATIENCE)
        with connection, connection.makefile("rwb") as stream:

            def say(line: str) -> None:
                stream.write(line.encode() + b"\r\n")
                stream.flush()

            say("220 here")
            is_data = False
            for raw in stream:
                line = raw.decode("latin-1").rstrip("\r\n")
                self.heard.append(line)
                if is_data:
                    if line == ".":
                        is_data = False
                        say(self.answers.get(".", "250 taken"))
                    continue
                word = line.split(" ")[0].upper()
                default = {
                    "EHLO": "250-here\r\n250-STARTTLS\r\n250 AUTH PLAIN",
                    "AUTH": "235 welcome",
                    "DATA": "354 go on",
                    "QUIT": "221 bye",
                }
                answer = self.answers.get(word, default.get(word, "250 ok"))
                say(answer)
                is_data = word == "DATA" and answer.startswith("354")
                if word == "QUIT":
                    return


def smtp(port: int, **more: object) -> Smtp:
    settings = {"smtp_security": SmtpSecurity.NONE, "mail_from": "improto@example.org", **more}
    return Smtp(AccountSettings(smtp_host="127.0.0.1", smtp_port=port, **settings))  # type: ignore[arg-type]


def test_smtp() -> None:
    server = MailServer({})
    with server.listening() as port:
        smtp(port, smtp_user="improto", smtp_password="secret").send(MAIL)
    assert any(line.startswith("AUTH PLAIN") for line in server.heard)
    assert "mail FROM:<improto@example.org>" in server.heard
    assert "rcpt TO:<alice@example.org>" in server.heard
    assert "To: alice@example.org" in server.heard


@pytest.mark.parametrize(
    ("word", "answer", "error"),
    [
        ("RCPT", "550 no such person", UndeliverableError),
        ("RCPT", "450 later", smtplib.SMTPRecipientsRefused),
        (".", "554 no", UndeliverableError),
        (".", "451 later", smtplib.SMTPDataError),
        ("MAIL", "421 closing", smtplib.SMTPException),
    ],
)
def test_what_a_mail_server_refuses(word: str, answer: str, error: type[Exception]) -> None:
    server = MailServer({word: answer})
    with server.listening() as port, pytest.raises(error):
        smtp(port).send(MAIL)


def test_encryption_is_insisted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    server = MailServer({"STARTTLS": "454 not now"})
    with server.listening() as port, pytest.raises(smtplib.SMTPException):
        smtp(port, smtp_security=SmtpSecurity.STARTTLS).send(MAIL)
    assert not any("RCPT" in line.upper() for line in server.heard)
    # A server that speaks no TLS is no mail server for who wants it.
    with MailServer({}).listening() as port, pytest.raises(ssl.SSLError):
        smtp(port, smtp_security=SmtpSecurity.TLS).send(MAIL)


def test_the_settings_are_shown_without_the_password() -> None:
    assert "secret" not in repr(AccountSettings(smtp_password="secret"))


def test_somebody_else_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(OSError, match="refused"):
        smtp(1).send(MAIL)
