"""Bots: functions that are called with messages."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from improto.contents import BaseContent
    from improto.messages import Conversation
    from improto_client.im import Im
    from improto_client.values import Message

    Handler: TypeAlias = Callable[[Message], Awaitable[object]]

_logger = logging.getLogger(__name__)


class _Rule(NamedTuple):
    handler: Handler
    kinds: tuple[type[BaseContent], ...]
    conversation: Conversation | None
    where: Callable[[Message], bool] | None

    def fits(self, message: Message) -> bool:
        return (
            (not self.kinds or isinstance(message.content, self.kinds))
            and (self.conversation is None or message.conversation == self.conversation)
            and (self.where is None or self.where(message))
        )


class Bot:
    """Calls functions with the messages of others, one message after the other.

    A message counts as taken when its functions are done; the bot that dies in between gets it
    again. A function that raises is logged and does not stop the bot.
    """

    def __init__(self, im: Im) -> None:
        self._im = im
        self._rules: list[_Rule] = []

    def on(
        self,
        *kinds: type[BaseContent],
        conversation: Conversation | None = None,
        where: Callable[[Message], bool] | None = None,
    ) -> Callable[[Handler], Handler]:
        """Decorate an async function of one message, for messages of these kinds, or of any.

        Every function that fits is called, in the order in which they were given.
        """

        def decorate(handler: Handler) -> Handler:
            self._rules.append(_Rule(handler, kinds, conversation, where))
            return handler

        return decorate

    async def run(self) -> None:
        """Work until the client is disconnected.

        Raises why, if the connection has ended for good for another reason.
        """
        async with self._im.messages.only(where=_is_of_others) as reader:
            async for message in reader:
                await self._handle(message)

    async def _handle(self, message: Message) -> None:
        for rule in self._rules:
            # What is asked of a message is the program's, too.
            try:
                if rule.fits(message):
                    await rule.handler(message)
            except Exception:
                name = getattr(rule.handler, "__qualname__", repr(rule.handler))
                _logger.exception("%s has failed with message %s", name, message.uid)


def _is_of_others(message: Message) -> bool:
    return not message.is_mine
