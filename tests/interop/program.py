"""A program with our own client, on asyncio or trio."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
import anyio.lowlevel

import improto_asyncio
import improto_trio
from improto import contents, payloads
from improto.codes import ConversationType
from improto.contents import UpFlag
from improto.errors import RequestRefused
from improto.messages import Conversation, compose
from improto.messages import request as improto_request
from improto.operations import Kind, Topic, clean_topic, history_topic
from improto.session import ClientSession
from tests.interop import translate
from tests.interop.party import (
    CHATROOM,
    ENTRY,
    EXPANSION,
    PATIENCE,
    SETTLING,
    TEXT,
    Listed,
    Party,
    Place,
    Readers,
    Refused,
    RoomInfo,
    Sent,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from concurrent.futures import Future

    from anyio.abc import TaskStatus
    from anyio.from_thread import BlockingPortal

    from improto._async_client import Client
    from improto.events import PublishAcknowledged
    from tests.interop.party import Content, Heard
    from tests.interop.server import ImServer

T = TypeVar("T")
M = TypeVar("M", bound=payloads.Message)

_MENTIONING: Final = UpFlag.STORED | UpFlag.COUNTED | UpFlag.MENTION
_EXPANDABLE: Final = UpFlag.STORED | UpFlag.COUNTED | UpFlag.EXPANDABLE

CONNECT = {"asyncio": improto_asyncio.connect, "trio": improto_trio.connect}
"""By the name of the loop."""

POLLING: Final = " polling"
"""Behind the name of a loop: by long polling."""


class Program(Party):
    """A client that lives on the loop of ``portal`` and keeps its session between connections."""

    def __init__(self, portal: BlockingPortal, loop: str, server: ImServer, user: str) -> None:
        super().__init__(user)
        self._portal = portal
        self._open = CONNECT[loop.removesuffix(POLLING)]
        self._transport = "polling" if loop.endswith(POLLING) else "websocket"
        self._server = server
        self._session = ClientSession()
        self._messages: list[Heard] = []
        self._places: dict[str, Conversation] = {}
        """Of messages, by their uids."""
        self._client: Client
        self._life: Future[None] | None = None
        self._news: anyio.Event

    def connect(self) -> None:
        self._life, _ = self._portal.start_task(self._live)

    def disconnect(self) -> None:
        self._portal.call(self._client.aclose)
        self.wait_disconnected()

    def wait_disconnected(self) -> None:
        """Wait for the end of the connection, whoever causes it."""
        assert self._life is not None
        self._life.result(PATIENCE)
        self._life = None

    def leave(self) -> None:
        """Disconnect if connected."""
        if self._life is not None:
            self.disconnect()

    def send_all(
        self,
        to: Place | str,
        contents: Sequence[Content],
        *,
        kind: str = TEXT,
        only: Sequence[str] = (),
        is_mentioning: bool = False,
        is_expandable: bool = False,
        is_status: bool = False,
    ) -> list[Sent]:
        flags = (_MENTIONING if is_mentioning else 0) | (_EXPANDABLE if is_expandable else 0)
        send = partial(
            self._client.send,
            translate.conversation(to),
            receivers=tuple(only),
            flags=flags or None,
            kind=Kind.STATUS if is_status else None,
        )
        sent: list[Sent] = self._call(
            self._send_all, send, [translate.content(kind, c) for c in contents]
        )
        self._places |= dict.fromkeys([message.uid for message in sent], translate.conversation(to))
        return sent

    def publish(self, topic: Topic, to: str, content: Content, *, kind: str = TEXT) -> Sent:
        """Send a message by a topic that its conversation does not say."""
        outgoing = compose(Conversation.private(to), translate.content(kind, content))
        return translate.sent(self._call(self._client.publish, replace(outgoing, topic=topic)))

    def history(
        self, of: Place | str, *, time: int = 0, count: int, is_forward: bool = False
    ) -> tuple[list[Heard], bool]:
        place = Place.of(of)
        request = payloads.HistoryMsgInput(
            targetId=place.id, time=time, count=count, order=int(is_forward)
        )
        topic = history_topic(ConversationType(place.type))
        target = place.id if place.type == CHATROOM else self.user
        page = self._ask(topic, target, request, payloads.HistoryMsgOuput)
        found = [
            translate.heard(translate.chat_message(item, self.user, place)) for item in page.list
        ]
        return found[::-1], bool(page.hasMsg)

    def delete(self, of: Place | str, messages: Sequence[Heard]) -> None:
        place = Place.of(of)
        request = payloads.DeleteMsgInput(type=place.type, conversationId=place.id)
        for message in messages:
            request.msgs.add(
                msgId=message.uid, msgDataTime=message.time, direct=1 if message.is_mine else 2
            )
        self._ask(Topic.DEL_MSG, self.user, request)

    def clear(self, of: Place | str, *, until: int) -> None:
        place = Place.of(of)
        topic = clean_topic(ConversationType(place.type))
        self._ask(topic, self.user, payloads.CleanHisMsgInput(targetId=place.id, dataTime=until))

    def recall(self, message: Heard | Sent) -> Sent:
        place = self._places[message.uid]
        command = contents.RecallCommand(
            message_uid=message.uid,
            conversation_type=place.type,
            target_id=place.target_id,
            sent_time=message.time,
        )
        outgoing = compose(Conversation.private(self.user), command, flags=0)
        answer = self._call(self._client.publish, replace(outgoing, topic=Topic.RECALL_MSG))
        return translate.sent(answer)

    def expand(self, uid: str, pairs: Mapping[str, str]) -> None:
        self._change_expansion(uid, {"mid": uid, "put": dict(pairs)})

    def remove_expansion(self, uid: str, keys: Sequence[str]) -> None:
        self._change_expansion(uid, {"mid": uid, "del": list(keys)})

    def _change_expansion(self, uid: str, change: Content) -> None:
        content = translate.content(EXPANSION, change)
        self._call(self._client.send, self._places[uid], content)

    def take_expansions(self, count: int) -> list[tuple[str, Any]]:
        messages = self.take(count)
        assert {message.kind for message in messages} == {EXPANSION}
        changes = [message.content for message in messages]
        return [(change["mid"], change.get("put") or change.get("del")) for change in changes]

    def report_read(self, group: str, uids: Sequence[str]) -> None:
        self._ask(Topic.RR_MSG, group, payloads.GrpReadReceiptMsg(msgId=uids))

    def readers(self, group: str, uid: str) -> Readers:
        request = payloads.GrpReadReceiptMsg(msgId=[uid])
        answer = self._ask(Topic.RR_LIST, group, request, payloads.GrpReadReceiptQryResp)
        return Readers(answer.totalMemberNum, [reader.userId for reader in answer.list])

    def conversations(self, count: int = 100) -> list[Listed]:
        request = payloads.RelationQryInput(type=1, count=count, startTime=0, order=0)
        page = self._ask(Topic.QRY_RELATION_R, self.user, request, payloads.RelationsOutput)
        return [
            Listed(
                place=Place(entry.type, entry.userId),
                uid=entry.msg.msgId,
                content=json.loads(entry.msg.content),
            )
            for entry in page.info
        ]

    def remove_conversation(self, of: Place | str) -> None:
        place = Place.of(of)
        self._ask(Topic.DEL_RELATION, place.id, payloads.RelationQryInput(type=place.type))

    def make_tag(self, tag: str, name: str) -> None:
        request = payloads.SessionTagAddInput(version=0)
        request.tags.add(tagId=tag, name=name)
        self._ask(Topic.ADD_SE_TAG, self.user, request)

    def remove_tag(self, tag: str) -> None:
        request = payloads.SessionTagDelInput(version=0)
        request.tags.add(tagId=tag)
        self._ask(Topic.DEL_SE_TAG, self.user, request)

    def tag(self, tag: str, places: Sequence[Place]) -> None:
        request = payloads.SessionStateModifyReq(version=0)
        for place in places:
            state = request.state.add(type=place.type, channelId=place.id, time=0)
            state.stateItem.add(sessionStateType=3, value="").tags.add(tagId=tag)
        self._ask(Topic.ADD_TAG, self.user, request)

    def wait_until_tagged(self, tag: str, places: Sequence[Place]) -> None:
        # What is asked for is what the server knows now.
        request = payloads.SessionReq(time=0)
        states = self._ask(Topic.PULL_SE_ATTS, self.user, request, payloads.SessionStates)
        found = {
            Place(state.type, state.channelId)
            for state in states.state
            for item in state.stateItem
            for each in item.tags
            if each.tagId == tag
        }
        assert found == set(places)

    def join(self, room: str, *, count: int) -> None:
        self._ask(Topic.JOIN_CHRM, room, payloads.ChrmInput(nothing=1), payloads.ChrmOutput)
        self._call(partial(self._client.follow_room, room, count=count))

    def quit(self, room: str) -> None:
        self._ask(Topic.EXIT_CHRM, room, payloads.ChrmInput(nothing=1), payloads.ChrmOutput)
        self._call(self._forget_room, room)

    def room_info(self, room: str, *, count: int) -> RoomInfo:
        request = payloads.QueryChatroomInfoInput(count=count, order=1)
        reply = self._ask(Topic.QUERY_CHRM_I, room, request, payloads.QueryChatroomInfoOutput)
        return RoomInfo(
            total=reply.userTotalNums, members=[member.id for member in reply.userInfos]
        )

    def set_entry(
        self,
        room: str,
        key: str,
        value: str,
        *,
        force: bool = False,
        auto_delete: bool = False,
        is_told: bool = False,
    ) -> None:
        entry = payloads.ChrmKVEntity(
            key=key, value=value, status=auto_delete * 1 | force * 2, uid=self.user
        )
        request = payloads.SetChrmKV(entry=entry)
        if is_told:
            notice = {"type": 1, "key": key, "value": value, "extra": ""}
            data = json.dumps(notice).encode()
            told = payloads.UpStreamMessage(sessionId=1, classname=ENTRY, content=data)
            request = payloads.SetChrmKV(entry=entry, bNotify=True, notification=told, type=4)
        self._ask(Topic.SET_KV, room, request, payloads.ChrmOutput)

    def remove_entry(self, room: str, key: str, *, force: bool = False) -> None:
        entry = payloads.ChrmKVEntity(key=key, value="", status=4 | force * 2, uid=self.user)
        self._ask(Topic.DEL_KV, room, payloads.SetChrmKV(entry=entry), payloads.ChrmOutput)

    def entries(self, room: str) -> dict[str, str]:
        request = payloads.QueryChrmKV(timestamp=0)
        reply = self._ask(Topic.PULL_KV, room, request, payloads.ChrmKVOutput)
        return {entry.key: entry.value for entry in reply.entries}

    def mute(self, place: Place | str, *, is_muted: bool, is_top: bool) -> None:
        where = Place.of(place)
        request = payloads.SessionStateModifyReq(version=0)
        state = request.state.add(type=where.type, channelId=where.id, time=0)
        state.stateItem.add(sessionStateType=1, value=str(int(is_muted)))
        state.stateItem.add(sessionStateType=2, value=str(int(is_top)))
        self._ask(Topic.SET_SE_ATT, self.user, request, payloads.SessionStateModifyResp)

    def ask(
        self, topic: Topic, target: str, request: payloads.Message, reply: type[M] | None
    ) -> Any:
        """Ask the server anything else."""
        return self._ask(topic, target, request, reply)

    def settle(self) -> None:
        for _ in range(SETTLING):
            self._portal.call(self._ask_history)

    def heard(self, least: int = 0) -> list[Heard]:
        self._portal.call(self._wait_for, least)
        return self._messages.copy()

    async def _live(self, *, task_status: TaskStatus[None]) -> None:
        self._news = anyio.Event()
        async with self._open(
            self._server.host,
            self._server.port,
            app_key=self._server.app_key,
            token=self._server.token(self.user),
            session=self._session,
            transport=self._transport,
        ) as self._client:
            task_status.started()
            async for message in self._client.messages():
                self._messages.append(translate.heard(message))
                self._places[self._messages[-1].uid] = message.conversation
                self._news.set()
                self._news = anyio.Event()

    async def _wait_for(self, count: int) -> None:
        with anyio.move_on_after(PATIENCE):
            while len(self._messages) < count:
                await self._news.wait()
        assert len(self._messages) >= count, (
            f"{self.user} has heard {len(self._messages)} of {count} messages"
        )

    async def _send_all(
        self,
        send: Callable[[contents.Content], Awaitable[PublishAcknowledged]],
        messages: Sequence[contents.Content],
    ) -> list[Sent]:
        sent: list[Sent | Exception | None] = [None] * len(messages)

        async def send_one(index: int) -> None:
            try:
                sent[index] = translate.sent(await send(messages[index]))
            except RequestRefused as refusal:
                sent[index] = refusal

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                for index in range(len(messages)):
                    tasks.start_soon(send_one, index)
                    # Without it trio would start them in any order.
                    await anyio.lowlevel.checkpoint()
        for message in sent:
            if isinstance(message, Exception):
                raise message
        return [message for message in sent if isinstance(message, Sent)]

    def _call(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        try:
            return self._portal.call(function, *arguments)
        except RequestRefused as refusal:
            raise Refused(refusal.code) from None

    def _ask(
        self,
        topic: Topic,
        target: str,
        request: payloads.Message,
        reply: type[Any] | None = None,
    ) -> Any:
        async def ask() -> Any:
            with anyio.fail_after(PATIENCE):
                data = await self._client.query(improto_request(topic, target, request))
                return None if reply is None else payloads.decode(reply, data)

        return self._call(ask)

    async def _forget_room(self, room: str) -> None:
        self._client.forget_room(room)

    async def _ask_history(self) -> None:
        request = payloads.HistoryMsgInput(targetId=self.user, time=0, count=1, order=0)
        with anyio.fail_after(PATIENCE):
            await self._client.ask(Topic.QRY_P_MSG, self.user, request, payloads.HistoryMsgOuput)
