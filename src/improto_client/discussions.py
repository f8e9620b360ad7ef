"""Discussions: conversations whose members invite each other (operations 12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from improto import payloads
from improto.codes import ConversationType, OpenStatus
from improto.messages import Conversation
from improto.operations import Topic

if TYPE_CHECKING:
    from collections.abc import Iterable

    from improto_client.link import Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Discussion:
    """What a discussion is now."""

    conversation: Conversation
    name: str
    owner_id: str
    first_members: tuple[str, ...]
    """Ten of them, or all."""
    is_open: bool
    """Every member may invite, not only the owner."""


class Discussions:
    """``im.discussions``. All methods raise Refused and what every request raises; 21406: this
    user is not in the discussion."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def create(self, name: str, members: Iterable[str] = ()) -> Conversation:
        """Make a discussion with this user as its owner; Refused with 21408."""
        reply = await self._link.ask(
            Topic.CR_DIZ,
            None,
            payloads.CreateDiscussionInput(name=name),
            payloads.CreateDiscussionOutput,
        )
        made = Conversation(type=ConversationType.DISCUSSION, target_id=reply.id)
        invited = list(members)
        if invited:
            await self.add(made.target_id, invited)
        return made

    async def get(self, discussion_id: str) -> Discussion:
        """Its name, owner and first members."""
        reply = await self._link.ask(
            Topic.DIZ_INF,
            discussion_id,
            payloads.ChannelInfoInput(nothing=1),
            payloads.ChannelInfoOutput,
            may_repeat=True,
        )
        return Discussion(
            conversation=Conversation(type=ConversationType.DISCUSSION, target_id=reply.channelId),
            name=reply.channelName,
            owner_id=reply.adminUserId,
            first_members=tuple(reply.firstTenUserIds),
            is_open=reply.openStatus == OpenStatus.OPEN,
        )

    async def add(self, discussion_id: str, users: Iterable[str]) -> None:
        """Let users in; Refused with 21409 if it is closed and this user not the owner."""
        payload = payloads.ChannelInvitationInput(users=list(users))
        await self._link.query(Topic.INVT_DIZ, discussion_id, payload)

    async def remove(self, discussion_id: str, user_id: str) -> None:
        """Put somebody out; for the owner, others are Refused with 20406."""
        payload = payloads.ChannelEvictionInput(user=user_id)
        await self._link.query(Topic.EVCT_DIZ, discussion_id, payload)

    async def quit(self, discussion_id: str) -> None:
        """Leave; the owner's place goes to the member who is in it longest."""
        await self._link.query(Topic.QUIT_DIZ, discussion_id, payloads.LeaveChannelInput(nothing=1))

    async def rename(self, discussion_id: str, name: str) -> None:
        """Give it another name."""
        await self._link.query(Topic.RENAME, discussion_id, payloads.RenameChannelInput(name=name))

    async def set_open(self, discussion_id: str, *, on: bool) -> None:
        """Say whether all members may invite; for the owner, others are Refused with 21409."""
        status = OpenStatus.OPEN if on else OpenStatus.CLOSED
        payload = payloads.ModifyPermissionInput(openStatus=status)
        await self._link.query(Topic.PD_OPEN, discussion_id, payload, may_repeat=True)
