"""Calls: rooms in which programs agree on what they hear and see (operations 18).

This is signalling only. Sound and pictures go through a media server and a media library, neither
of which is here: the server keeps who is in a room and the keys and values they share, and hands
on what they say to each other. Calls between two users need no room: they are the contents
``RC:VC...`` of ordinary messages.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from improto import payloads
from improto.codes import (
    ConversationType,
    IdentityChangeType,
    JoinType,
    RtcRoomType,
    RtcTargetType,
)
from improto.messages import Conversation, compose
from improto.operations import Kind, Topic
from improto_client.call_rooms import (
    DELETED,
    CallChanges,
    CallMember,
    CallRoom,
    json_text,
    notice_of,
    pairs,
    read_members,
    read_values,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from improto.contents import Content
    from improto_client.link import Link

PING_SECONDS: Final = 10.0
"""How often a member should :meth:`Calls.ping` (operations 18)."""

_ASCENDING, _DESCENDING = 1, 2
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Calls:
    """``im.calls``.

    Values have a scope, the room or this user, and are inner ones, which media libraries use among
    themselves, or outer ones, which are the application's. Changes can be told to the other
    members by a message, the ``notice``. What is told and sent in a room arrives in
    ``im.messages`` like all else, in the conversation that :meth:`conversation` gives:
    ``RCRTC:state`` when somebody comes or goes, ``RCRTC:invite`` and others about calls between
    rooms. Nothing of it is kept: it reaches who is online and has fetched what waited for him, so
    ``await im.caught_up()`` before a room is joined.

    All methods raise Refused with 20406 by who is not in the room, and with 33003 for a room id
    that is not 1 to 64 of ``A-Z a-z 0-9 _ . @ : = -`` or values beyond the server's limits (128
    keys of 128 characters, values of 65536); and what every request raises.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    def conversation(self, room_id: str) -> Conversation:
        """Where the messages of a room arrive."""
        return Conversation(type=ConversationType.RTC_ROOM, target_id=room_id)

    # -- coming and going ------------------------------------------------------------

    async def join(
        self,
        room_id: str,
        *,
        type: RtcRoomType = RtcRoomType.RTC,
        elsewhere: JoinType = JoinType.KICK,
        values: Mapping[str, str] = _NOTHING,
        outer: Mapping[str, str] = _NOTHING,
    ) -> CallRoom:
        """Come in, with values of one's own; the room is made if need be.

        Who is in must :meth:`ping` every 10 seconds, and join again after an outage: the library
        does not do it by itself. ``elsewhere`` says what becomes of another device of this user
        that is in; with REFUSE this one is Refused with 20406. So is a user in 16 rooms.
        """
        payload = payloads.RtcInput(
            roomType=type, joinType=elsewhere, innerDatas=pairs(values), outerDatas=pairs(outer)
        )
        return await self._room(Topic.RTC_R_JOIN_DATA, room_id, payload)

    async def leave(self, room_id: str) -> None:
        """Go, as a member or viewer. Harmless if this user is not in."""
        payload = payloads.SetUserStatusInput()
        await self._link.query(Topic.RTC_R_EXIT, room_id, payload, may_repeat=True)

    async def ping(self, room_id: str) -> None:
        """Say that this user is still there. Refused with 40003: he is out, so join again."""
        payload = payloads.RtcInput(roomType=RtcRoomType.RTC)
        await self._link.query(Topic.RTC_PING, room_id, payload, may_repeat=True)

    async def watch(self, room_id: str) -> CallRoom:
        """Come in as a viewer, who sees everything and changes nothing, for as long as he is
        online. Refused with 20406 if nobody is in. Members are not told."""
        reply = await self._link.ask(
            Topic.VIEWER_JOIN_R,
            room_id,
            payloads.RtcInput(roomType=RtcRoomType.LIVE),
            payloads.RtcViewerJoinedOutput,
            may_repeat=True,
        )
        return CallRoom(
            room_id=room_id,
            session_id="",
            token=reply.rtcToken,
            members=(),
            values=read_values(reply.entries),
            synced=reply.syncTime,
            kicked_after=0,
        )

    async def change_role(self, room_id: str, role: IdentityChangeType) -> CallRoom:
        """A member becomes a viewer, or a viewer a member."""
        payload = payloads.RtcInput(roomType=RtcRoomType.LIVE, identityChangeType=role)
        return await self._room(Topic.RTC_IDENTITY_CHANGE, room_id, payload)

    async def joined(self) -> dict[str, int]:
        """The rooms that this user is a member of, and since when."""
        reply = await self._link.ask(
            Topic.RTC_QUERY_JOINED,
            None,
            payloads.RtcQueryUserJoinedInput(userId=self._link.user_id),
            payloads.RtcQueryUserJoinedOutput,
            may_repeat=True,
        )
        return {each.roomId: each.joinTime for each in reply.info}

    async def token(self, room_id: str) -> str:
        """A new token for the media server."""
        reply = await self._link.ask(
            Topic.RTC_TOKEN,
            room_id,
            payloads.RtcInput(roomType=RtcRoomType.RTC),
            payloads.RtcTokenOutput,
            may_repeat=True,
        )
        return reply.rtcToken

    async def bind(self, chatroom_id: str, room_id: str) -> None:
        """Tell the application that a room belongs to a chatroom, which this user is in (23406)."""
        payload = payloads.SetRtcRoomIdInput(rtcRoomId=room_id)
        await self._link.query(Topic.SET_RTC_ROOM_ID, chatroom_id, payload, may_repeat=True)

    async def report(self, room_id: str, text: str) -> None:
        """Write a text into the server's log."""
        await self._link.query(Topic.RTC_USER_STATE, room_id, payloads.MCFollowInput(id=text))

    async def engine_key(self, engine: int, channel: str, *, extra: str = "") -> str:
        """A key for a call engine. Refused with 24014 where there is none, as on our server."""
        payload = payloads.VoipDynamicInput(engineType=engine, channelName=channel)
        if extra:
            payload.channelExtra = extra
        reply = await self._link.ask(Topic.QRY_VOIP_K, None, payload, payloads.VoipDynamicOutput)
        return reply.dynamicKey

    # -- who and what is in ----------------------------------------------------------

    async def members(
        self, room_id: str, *, with_values: bool = True, newest_first: bool = False
    ) -> tuple[CallMember, ...]:
        """Who is in, by when they came."""
        reply = await self._link.ask(
            Topic.RTC_U_DATA if with_values else Topic.RTC_U_LIST,
            room_id,
            payloads.RtcQueryListInput(order=_DESCENDING if newest_first else _ASCENDING),
            payloads.RtcUserListOutput,
            may_repeat=True,
        )
        return read_members(reply.list)

    async def values(
        self,
        room_id: str,
        keys: Iterable[str] = (),
        *,
        scope: RtcTargetType = RtcTargetType.ROOM,
        is_outer: bool = False,
    ) -> dict[str, str]:
        """Values of the room or of this user, those that are named, or all."""
        reply = await self._link.ask(
            Topic.RTC_QRY_DATA,
            room_id,
            payloads.RtcDataInput(interior=not is_outer, target=scope, key=keys),
            payloads.RtcQryOutput,
            may_repeat=True,
        )
        return {each.key: each.value for each in reply.outInfo}

    async def outer_values(
        self, room_id: str, user_ids: Iterable[str]
    ) -> dict[str, Mapping[str, str]]:
        """Outer values of those of some users who are in."""
        reply = await self._link.ask(
            Topic.RTC_QRY_USER_OUT_DATA,
            room_id,
            payloads.RtcQryUserOutDataInput(userId=user_ids),
            payloads.RtcUserOutDataOutput,
            may_repeat=True,
        )
        return {each.user_id: each.values for each in read_members(reply.user)}

    async def changes(self, room_id: str, *, since: int = 0) -> CallChanges:
        """Inner values of the room that have changed after a time, or all if it is long ago."""
        reply = await self._link.ask(
            Topic.RTC_PULL_KV,
            None,
            payloads.RtcPullKV(timestamp=since, roomId=room_id),
            payloads.RtcKVOutput,
            may_repeat=True,
        )
        return CallChanges(
            values=read_values(reply.entries),
            removed=frozenset(each.key for each in reply.entries if each.status & DELETED),
            is_everything=reply.bFullUpdate,
            synced=reply.syncTime,
        )

    # -- changing it -----------------------------------------------------------------

    async def set_value(
        self,
        room_id: str,
        key: str,
        value: str,
        *,
        scope: RtcTargetType = RtcTargetType.ROOM,
        is_outer: bool = False,
        notice: Content | None = None,
    ) -> None:
        """Set a value of the room or of this user."""
        name, text = notice_of(notice)
        payload = payloads.RtcSetDataInput(
            interior=not is_outer,
            target=scope,
            key=key,
            value=value,
            objectName=name,
            content=text,
        )
        await self._link.query(Topic.RTC_SET_DATA, room_id, payload)

    async def delete_values(
        self,
        room_id: str,
        keys: Iterable[str],
        *,
        scope: RtcTargetType = RtcTargetType.ROOM,
        is_outer: bool = False,
        notice: Content | None = None,
    ) -> None:
        """Delete values of the room or of this user. Those that there are not do no harm."""
        name, text = notice_of(notice)
        payload = payloads.RtcDataInput(
            interior=not is_outer, target=scope, key=keys, objectName=name, content=text
        )
        await self._link.query(Topic.RTC_DEL_DATA, room_id, payload)

    async def set_outer_values(
        self,
        room_id: str,
        values: Mapping[str, str],
        *,
        scope: RtcTargetType = RtcTargetType.PERSON,
        notice: Content | None = None,
    ) -> None:
        """Set several outer values at once."""
        name, text = notice_of(notice)
        payload = payloads.RtcSetOutDataInput(
            target=scope, valueInfo=pairs(values), objectName=name, content=text
        )
        await self._link.query(Topic.RTC_SET_OUT_DATA, room_id, payload)

    async def publish(
        self,
        room_id: str,
        resources: Mapping[str, str],
        *,
        object_name: str,
        news: Content | None = None,
    ) -> None:
        """Set several inner values of this user: what he sends, as media libraries describe it.

        The others are told twice: what is new, by ``news``, and all of it, by a message named
        ``object_name`` with the values as a JSON object.
        """
        payload = payloads.RtcUserSetDataInput(valueInfo=pairs(resources), objectName=object_name)
        if news is not None:
            name, text = notice_of(news)
            payload.content.add(key=name, value=text)
        await self._link.query(Topic.USER_SET_DATA, room_id, payload)

    async def send(self, room_id: str, content: Content, *, only: Iterable[str] = ()) -> None:
        """Say something to the other members who are there, or to some; it is not kept."""
        to = self.conversation(room_id)
        await self._link.publish(
            to,
            content,
            lambda unique_id: compose(
                to,
                content,
                kind=Kind.STATUS,
                receivers=tuple(only),
                unique_id=unique_id,
            ),
        )

    # -- calls between rooms ---------------------------------------------------------

    async def invite(
        self,
        room_id: str,
        user_id: str,
        other_room_id: str,
        *,
        session_id: str,
        info: Mapping[str, Any] = _NOTHING,
        seconds: int = 30,
    ) -> None:
        """From a room that this user is in, call somebody in another one: ``RCRTC:invite``.

        ``session_id`` names the call, ``info`` is a JSON object. How long it rings is the
        clients' business. Refused with 20406 if he is not in that room.
        """
        payload = payloads.RtcInviteInput(
            invitedUserId=user_id,
            timeoutTime=seconds,
            invitedRoomId=other_room_id,
            inviteInfo=json_text(info),
            inviteSessionId=session_id,
        )
        await self._link.query(Topic.RTC_INVITE, room_id, payload)

    async def cancel_invitation(
        self,
        room_id: str,
        user_id: str,
        other_room_id: str,
        *,
        session_id: str,
        info: Mapping[str, Any] = _NOTHING,
    ) -> None:
        """Call no longer: ``RCRTC:cancelInvite``. Arguments as of :meth:`invite`."""
        payload = payloads.RtcCancelInviteInput(
            invitedUserId=user_id,
            invitedRoomId=other_room_id,
            inviteInfo=json_text(info),
            inviteSessionId=session_id,
        )
        await self._link.query(Topic.RTC_CANCEL_INVITE, room_id, payload)

    async def answer_invitation(
        self,
        room_id: str,
        user_id: str,
        other_room_id: str,
        *,
        session_id: str,
        is_accepted: bool,
        info: Mapping[str, Any] = _NOTHING,
        key: str = "",
        value: str = "",
    ) -> None:
        """Take or refuse a call of a user in another room: ``RCRTC:answerInvite``.

        If it is taken, ``key`` and ``value`` become inner values of both rooms, until
        :meth:`end_invitation` names the key.
        """
        payload = payloads.RtcInviteAnswerInput(
            inviteUserId=user_id,
            answerCode=int(is_accepted),
            inviteRoomId=other_room_id,
            inviteSessionId=session_id,
            content=json_text(info),
            key=key,
            value=value,
        )
        await self._link.query(Topic.RTC_INVITE_ANSWER, room_id, payload)

    async def end_invitation(
        self,
        room_id: str,
        other_room_id: str,
        *,
        session_id: str,
        info: Mapping[str, Any] = _NOTHING,
        keys: Iterable[str] = (),
    ) -> None:
        """End the call with another room: ``RCRTC:endInvite`` to all who are there."""
        payload = payloads.RtcEndInviteInput(
            inviteRoomId=other_room_id,
            inviteSessionId=session_id,
            inviteContent=json_text(info),
            inviteRoomKeys=keys,
        )
        await self._link.query(Topic.RTC_END_INVITE, room_id, payload)

    # -- inside ----------------------------------------------------------------------

    async def _room(self, topic: Topic, room_id: str, payload: payloads.RtcInput) -> CallRoom:
        reply = await self._link.ask(
            topic, room_id, payload, payloads.RtcUserListOutput, may_repeat=True
        )
        return CallRoom(
            room_id=room_id,
            session_id=reply.sessionId,
            token=reply.token,
            members=read_members(reply.list),
            values=MappingProxyType({each.key: each.value for each in reply.roomInfo}),
            synced=reply.syncTime,
            kicked_after=reply.offlineKickTime,
        )
