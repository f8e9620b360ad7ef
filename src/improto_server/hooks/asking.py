"""Asking the application before a message is sent (rest 10.4): once, and not for long.

Questions are asked beside each other. How many there are at a time is the service's business
(:mod:`improto_server.services.audit`), and so is what it means if there is no answer.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import anyio
import msgspec

from improto_server.hooks.calling import CallFailed
from improto_server.services.audit import SECONDS, Question, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from improto_server.hooks.calling import Caller
    from improto_server.services.audit import Audit

_logger = logging.getLogger(__name__)


class _Reply(msgspec.Struct, frozen=True):
    """Names as the application writes them."""

    passes: int = msgspec.field(default=1, name="pass")
    content: str | None = None


_decode_reply = msgspec.json.Decoder(_Reply).decode


class Asker:
    """Asks all apps. ``callers`` and ``urls``: by app."""

    def __init__(
        self, audit: Audit, *, callers: Mapping[str, Caller], urls: Mapping[str, str]
    ) -> None:
        self._audit = audit
        self._callers = callers
        self._urls = urls

    async def run(self) -> None:
        """Ask, until cancelled."""
        send, receive = anyio.create_memory_object_stream[Question](math.inf)
        async with send, receive, anyio.create_task_group() as tasks:
            self._audit.on_question = send.send_nowait
            try:
                async for question in receive:
                    tasks.start_soon(self._ask, question)
            finally:
                self._audit.on_question = None

    async def _ask(self, question: Question) -> None:
        """Ask, and have the message sent or not."""
        verdict: Verdict | None = None
        try:
            verdict = await self._verdict(question)
        except CallFailed as error:
            _logger.warning("app %s is not asked: %s", question.app, error)
        except Exception:
            # A mistake in here must not take the server down.
            _logger.exception("app %s is not asked", question.app)
        try:
            question.answer.settle(verdict)
        except Exception:
            # A mistake in what follows must not take the server down.
            _logger.exception("an answer of app %s could not be used", question.app)

    async def _verdict(self, question: Question) -> Verdict | None:
        caller, url = self._callers[question.app], self._urls[question.app]
        answer = await caller.form(url, question.fields, seconds=SECONDS)
        if not 200 <= answer.status < 300:
            raise CallFailed(f"status {answer.status}")
        try:
            reply = _decode_reply(answer.body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            # Whatever else is answered delivers (rest 10.4).
            return Verdict(passes=True)
        content = reply.content
        return Verdict(reply.passes != 0, None if content is None else content.encode())
