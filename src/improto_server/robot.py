"""A user that answers: an example of a bot, and somebody to talk to on a fresh server.

It is an ordinary client of the server that runs it. It answers private messages, and group
messages that mention it. What it has read is kept in a file, so after a restart it goes on
with what it has missed; and an answer carries a number made from the question, so a question
that comes twice is answered once.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import re
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

import anyio

from improto import ClientSession
from improto.codes import ConversationType
from improto.contents import DownFlag, Text
from improto.errors import ImprotoError, LocalProtocolError, RequestRefused

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from improto.messages import ChatMessage
    from improto_asyncio import Client

    class Connect(Protocol):
        """``connect`` of either adapter, with everything filled in but the session."""

        def __call__(self, *, session: ClientSession) -> AbstractAsyncContextManager[Client]:
            """Open a connection."""
            ...


USER: Final = "robot"
"""Its user id."""

NAME: Final = "Robot"
"""What clients that ask for robots show."""

HELP: Final = (
    "I answer to: echo TEXT, time, dice, dice 2d6 (up to 20d1000), help."
    " In a group I answer who mentions me."
)

_DICE: Final = re.compile(r"dice(?: (\d{1,2})?d(\d{1,4}))?")
_MOST_DICE: Final = 20
_MOST_SIDES: Final = 1000
_PAUSE: Final = 1.0
"""Seconds until it tries to connect again."""

_logger = logging.getLogger(__name__)


def answer(text: str, *, now: float, roll: Callable[[int, int], int]) -> str:
    """What the robot says to ``text``.

    ``now``: seconds since 1970; ``roll``: a whole number from one to another, both included.
    """
    asked = text.strip()
    command, _, rest = asked.partition(" ")
    dice = _DICE.fullmatch(asked.lower())
    if command.lower() == "echo" and rest:
        return rest
    if asked.lower() == "time":
        return time.strftime("It is %H:%M:%S on %Y-%m-%d, UTC.", time.gmtime(now))
    if dice is not None:
        count, sides = int(dice[1] or 1), int(dice[2] or 6)
        if 1 <= count <= _MOST_DICE and 2 <= sides <= _MOST_SIDES:
            rolled = [roll(1, sides) for _ in range(count)]
            shown = " + ".join(map(str, rolled))
            return shown if count == 1 else f"{shown} = {sum(rolled)}"
    return HELP


def question(message: ChatMessage) -> str | None:
    """The text to answer, None if the message is not for the robot."""
    content = message.decoded()
    if not isinstance(content, Text) or not content.content or message.sender_id == USER:
        return None
    if message.conversation.type == ConversationType.PRIVATE:
        return content.content
    if message.status & DownFlag.MENTIONED:
        return re.sub(rf"^\s*@{USER}\b", "", content.content)
    return None


class Robot:
    """The user; ``memory`` is the file in which it keeps what it has read."""

    def __init__(self, connect: Connect, memory: Path) -> None:
        self._connect = connect
        self._memory = memory

    async def run(self) -> None:
        """Answer until cancelled, over as many connections as it takes."""
        session = self._remembered()
        while True:
            try:
                async with self._connect(session=session) as client:
                    async for message in client.messages():
                        await self._reply(client, message)
                        self._write(session)
            except (OSError, ImprotoError) as error:
                _logger.info("the robot has lost its connection: %s", error)
            await anyio.sleep(_PAUSE)

    async def _reply(self, client: Client, message: ChatMessage) -> None:
        asked = question(message)
        if asked is None:
            return
        said = answer(asked, now=time.time(), roll=random.randint)
        try:
            await client.send(
                message.conversation, Text(said), unique_id=_number(message.uid or "")
            )
        except RequestRefused as refusal:
            # Whoever has blocked the robot gets no answer; the others wait for theirs.
            _logger.info("the robot may not answer %s: %s", message.sender_id, refusal)

    def _remembered(self) -> ClientSession:
        try:
            state: dict[str, Any] = json.loads(self._memory.read_text(encoding="utf-8"))
            return ClientSession.from_state(state)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, LocalProtocolError) as error:
            _logger.warning("the robot cannot read %s and begins anew: %s", self._memory, error)
        return ClientSession()

    def _write(self, session: ClientSession) -> None:
        # Whole or not at all: the machine may stop at any moment.
        fresh = self._memory.with_name(f"{self._memory.name}.new")
        fresh.write_text(json.dumps(session.to_state()), encoding="utf-8")
        fresh.replace(self._memory)


def _number(uid: str) -> int:
    """A number of 63 bits that always belongs to this message."""
    return int.from_bytes(hashlib.sha256(uid.encode()).digest()[:8], "big") >> 1
