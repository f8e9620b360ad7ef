"""Groups, as far as clients have a say in them: who has read what (operations 13)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from improto import payloads
from improto.codes import ConversationType
from improto.operations import Topic
from improto_client.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from improto.messages import Conversation
    from improto_client.link import Link
    from improto_client.values import Message, Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Readership:
    """Who has read a message of a group."""

    members: int
    """All who could, that is without the sender."""
    readers: tuple[tuple[str, int], ...]
    """User ids with the times of their reading."""


class Groups:
    """``im.groups``.

    Groups are made by the application's own server (operations 13); their messages are sent,
    received and read like all others. All methods raise Refused with 35003 if the server has
    not switched on receipts of this kind (navigation: grpRRVer 1) and with 22406 if the user is
    not in the group, and what every request raises.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    async def confirm(self, messages: Iterable[Message]) -> None:
        """Tell that this user has read messages of one group (messages 8.3).

        Malformed if there are none, of several conversations, or of one that is no group.
        """
        chosen = list(messages)
        places = {message.conversation for message in chosen}
        if len(places) != 1:
            raise Malformed("messages of exactly one group are confirmed at a time")
        group = _group(places.pop())
        payload = payloads.GrpReadReceiptMsg(msgId=[message.uid for message in chosen])
        await self._link.query(Topic.RR_MSG, group, payload, may_repeat=True)

    async def readers(self, message: Reference) -> Readership:
        """Who has read a message of this user. Malformed if it was not said in a group."""
        reply = await self._link.ask(
            Topic.RR_LIST,
            _group(message.conversation),
            payloads.GrpReadReceiptMsg(msgId=[message.uid]),
            payloads.GrpReadReceiptQryResp,
            may_repeat=True,
        )
        return Readership(
            members=reply.totalMemberNum,
            readers=tuple((reader.userId, reader.readTime) for reader in reply.list),
        )


def _group(conversation: Conversation) -> str:
    if conversation.type != ConversationType.GROUP:
        raise Malformed("only groups have readers")
    return conversation.target_id
