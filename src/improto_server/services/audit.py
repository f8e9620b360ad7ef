"""Asking the application before a message is sent (rest 10.4).

A message that is asked about waits, and with it what else its device sends; nobody else does.
The service only keeps the questions: :mod:`improto_server.hooks` takes them, and answers each
within :data:`SECONDS`. Without an answer, and beyond the number of questions that may wait, the
operator's rule counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING, Final, NamedTuple

from improto import payloads
from improto.codes import ErrorCode
from improto.contents import ReadReceipt, SyncReadStatus
from improto_server.errors import ServiceError
from improto_server.services.channels import CHANNELS, source
from improto_server.steps import Pending

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto.codes import ConversationType
    from improto_server.clock import MessageClock, UserKey
    from improto_server.hub import Device
    from improto_server.services.letters import Letter

SECONDS: Final = 3.0
"""How long the application may take (rest 10.4)."""

_NEVER: Final = frozenset({ReadReceipt.object_name, SyncReadStatus.object_name})
"""What clients send by themselves, many a time, and nobody reads."""


class Dropped(Exception):
    """The application wants the message to go nowhere; its sender is not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRules:
    """What the operator decides about it."""

    apps: frozenset[str] = frozenset()
    """Keys of those that are asked."""
    types: frozenset[str] = frozenset()
    """Object names that are asked about; empty: all."""
    passes: bool = True
    """What becomes of a message if there is no answer: it is sent, or else refused."""
    tells_sender: bool = False
    """Whether the sender hears that a message was dropped."""
    most_waiting: int = 1000
    """Questions without an answer, of all apps together."""


class Verdict(NamedTuple):
    """An answer."""

    passes: bool
    content: bytes | None = None
    """What the message says instead; None: what it does."""


class Question(NamedTuple):
    """A message that waits."""

    app: str
    fields: dict[str, str]
    """What the application is told (rest 10.4)."""
    answer: Pending[Verdict | None]
    """None: the application has said nothing."""


class Audit:
    """The service. ``content_bytes``: the longest content."""

    def __init__(self, rules: AuditRules, *, clock: MessageClock, content_bytes: int) -> None:
        self._rules = rules
        self._clock = clock
        self._content_bytes = content_bytes
        self.on_question: Callable[[Question], None] | None = None
        """Who answers. None: nobody, which is as good as no answer."""
        self.waiting = 0
        """How many questions have no answer yet."""
        self.outcomes = {"passed": 0, "changed": 0, "dropped": 0, "unanswered": 0}
        """How often each has happened."""

    def concerns(self, letter: Letter) -> bool:
        """Whether the application is asked about a letter."""
        return (
            bool(self._rules.apps)
            and not letter.is_status
            and letter.type in CHANNELS
            and self.asks(letter.sender[0], letter.up.classname)
        )

    def has_app(self, app: str) -> bool:
        """Whether the app is asked about anything."""
        return app in self._rules.apps

    def asks(self, app: str, object_name: str) -> bool:
        """Whether the app is asked about messages of this type."""
        rules = self._rules
        if app not in rules.apps:
            return False
        return object_name in rules.types if rules.types else object_name not in _NEVER

    async def judge(self, letter: Letter) -> Letter:
        """The letter as it may be sent.

        Raises Dropped if it goes nowhere and nobody is told, and ServiceError: 21501 if its sender
        is to hear that, 20605 if there was no answer and it needs one, or the new content is too
        large.
        """
        up = letter.up
        content = await self.ask(
            letter.sender, letter.device, letter.type, letter.target, up.classname, up.content
        )
        if content == up.content:
            return letter
        changed = payloads.UpStreamMessage()
        changed.CopyFrom(up)
        changed.content = content
        # A copy for the sender's other devices would say what was meant first.
        return letter._replace(up=changed, copied_as=None)

    async def ask(
        self,
        sender: UserKey,
        device: Device | None,
        type: ConversationType,
        target: str,
        object_name: str,
        content: bytes,
    ) -> bytes:
        """What a message is to say. Raises as :meth:`judge` does."""
        app, user = sender
        answer: Pending[Verdict | None] = Pending()
        question = Question(
            app,
            {
                "appKey": app,
                "fromUserId": user,
                "targetId": target,
                "msgType": object_name,
                "content": content.decode(errors="replace"),
                "channelType": CHANNELS[type],
                "msgTimeStamp": str(self._clock.now()),
                "messageId": token_hex(8),
                "os": source(device),
            },
            answer,
        )
        if self.on_question is None or self.waiting >= self._rules.most_waiting:
            answer.settle(None)
        else:
            self.waiting += 1
            answer.call(self._answered)
            self.on_question(question)
        return self._decided(await answer, content)

    def _answered(self) -> None:
        self.waiting -= 1

    def _decided(self, verdict: Verdict | None, content: bytes) -> bytes:
        if verdict is None:
            self.outcomes["unanswered"] += 1
            if self._rules.passes:
                return content
            raise ServiceError(ErrorCode.OPERATION_BLOCKED)
        if not verdict.passes:
            self.outcomes["dropped"] += 1
            if self._rules.tells_sender:
                raise ServiceError(ErrorCode.SENSITIVE_SHIELD)
            raise Dropped
        if verdict.content is None or verdict.content == content:
            self.outcomes["passed"] += 1
            return content
        self.outcomes["changed"] += 1
        if len(verdict.content) > self._content_bytes:
            raise ServiceError(ErrorCode.OPERATION_BLOCKED)
        return verdict.content
