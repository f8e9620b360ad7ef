"""Messages that the application sends in the name of users, and takes back (rest 6, 7, 8).

Gags, mutes and memberships of the sender do not matter here, and nobody needs to be registered.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ConversationType
from improto.contents import RecallCommand, UpFlag
from improto_server.api.endpoints import Call, Endpoint, Mark, Reply
from improto_server.api.message_parts import (
    BODY,
    CONTENT,
    CONTENT_BYTES,
    COUNTED,
    FROM,
    NO_PUSH,
    OBJECT_NAME,
    OPTIONS,
    WITH_SENDER,
    flags,
    message,
    shown,
)
from improto_server.api.parameters import (
    Flag,
    Ids,
    ListOfPairs,
    Number,
    Text,
    is_discussion_id,
    is_group_id,
    user_ids,
)
from improto_server.api.replies import Code, RefusedError
from improto_server.services.accounts import is_user_id
from improto_server.services.rosters import is_place_id
from improto_server.steps import together

if TYPE_CHECKING:
    from collections.abc import Mapping

    from improto_server.services.groups import Groups
    from improto_server.services.letters import Sent
    from improto_server.services.messages import Messages
    from improto_server.services.recall import Recalls
    from improto_server.services.standings import Standings

_TO_USERS: Final = user_ids("toUserId", most=1000)
_TO_100_USERS: Final = user_ids("toUserId", most=100)
_NAMED: Final = user_ids("toUserId", most=1000, is_required=False)
_TO_GROUPS: Final = Ids("toGroupId", most=3, fits=is_group_id)
_TO_DISCUSSIONS: Final = Ids("toDiscussionId", most=3, fits=is_discussion_id)
_TO_ROOMS: Final = Ids("toChatroomId", most=100, fits=is_user_id)
_MENTIONED: Final = Flag("isMentioned")
_CHECKED: Final = Flag("verifyBlacklist")
_EACH_USER: Final = Ids("toUserId", most=1000, fits=is_user_id, is_parallel=True)
_VALUES: Final = ListOfPairs("values", most=1000, most_keys=100, most_characters=4096)
_TEMPLATE: Final = (FROM, _EACH_USER, OBJECT_NAME, CONTENT, _VALUES, COUNTED, NO_PUSH)

_TYPE: Final = Number("conversationType", least=1, most=10, default=1, is_required=True)
_TARGET: Final = Text("targetId", most_bytes=64, is_required=True)
_UID: Final = Text("messageUID", most_bytes=64, is_required=True)
_SENT_TIME: Final = Number("sentTime", least=0, most=10**15, default=0, is_required=True)
_ADMIN: Final = Flag("isAdmin")
_DELETE: Final = Flag("isDelete")

_RECALLED: Final = frozenset(
    {
        ConversationType.PRIVATE,
        ConversationType.DISCUSSION,
        ConversationType.GROUP,
        ConversationType.CHATROOM,
        ConversationType.SYSTEM,
    }
)
_PLACES: Final = frozenset({ConversationType.GROUP, ConversationType.DISCUSSION})


class MessageCalls:
    """Calls about messages."""

    def __init__(
        self,
        *,
        messages: Messages,
        recalls: Recalls,
        groups: Groups,
        standings: Standings,
    ) -> None:
        self._messages = messages
        self._recalls = recalls
        self._groups = groups
        self._standings = standings

    def endpoints(self) -> list[Endpoint]:
        """Its part of the table."""
        return [
            Endpoint(
                path="/message/private/publish",
                mark=Mark.CORE,
                about="Send a message to users, to each a copy of his own.",
                parameters=(FROM, _TO_USERS, *BODY, _CHECKED, *OPTIONS),
                call=self.send_private,
                reply="messageUIDs: [{userId, messageUID}]",
            ),
            Endpoint(
                path="/message/private/publish_template",
                mark=Mark.CORE,
                about="Send each user the same message with other words filled in.",
                parameters=(*_TEMPLATE, _CHECKED),
                call=self.send_private_template,
                reply="messageUIDs: [{userId, messageUID}]",
                is_json=True,
            ),
            Endpoint(
                path="/message/system/publish",
                mark=Mark.CORE,
                about="Send a message to users, in a conversation of type 6.",
                parameters=(FROM, _TO_100_USERS, *BODY, *OPTIONS),
                call=self.send_system,
                reply="messageUIDs: [{userId, messageUID}]",
            ),
            Endpoint(
                path="/message/system/publish_template",
                mark=Mark.CORE,
                about="The same with other words for each user.",
                parameters=_TEMPLATE,
                call=self.send_system_template,
                reply="messageUIDs: [{userId, messageUID}]",
                is_json=True,
            ),
            Endpoint(
                path="/message/group/publish",
                mark=Mark.GROUP,
                about="Send a message to groups, or to some members of one.",
                parameters=(FROM, _TO_GROUPS, _NAMED, *BODY, _MENTIONED, *OPTIONS),
                call=self.send_group,
                reply="messageUIDs: [{groupId, messageUID}]",
            ),
            Endpoint(
                path="/message/discussion/publish",
                mark=Mark.OPTIONAL,
                about="Send a message to discussions, which users have made.",
                parameters=(FROM, _TO_DISCUSSIONS, *BODY, *OPTIONS),
                call=self.send_discussion,
                reply="messageUIDs: [{discussionId, messageUID}]",
            ),
            Endpoint(
                path="/message/chatroom/publish",
                mark=Mark.CHATROOM,
                about="Send a message to chatrooms.",
                parameters=(FROM, _TO_ROOMS, *BODY, *OPTIONS),
                call=self.send_chatroom,
                reply="messageUIDs: [{chatroomId, messageUID}]",
            ),
            Endpoint(
                path="/statusmessage/private/publish",
                mark=Mark.CORE,
                about="Show a message to those users who are there; it is kept nowhere.",
                parameters=(FROM, _TO_USERS, *BODY, _CHECKED),
                call=self.show_private,
                reply="messageUIDs: [{userId, messageUID}]",
            ),
            Endpoint(
                path="/statusmessage/group/publish",
                mark=Mark.GROUP,
                about="Show a message to those members of groups who are there.",
                parameters=(FROM, _TO_GROUPS, *BODY),
                call=self.show_group,
                reply="messageUIDs: [{groupId, messageUID}]",
            ),
            Endpoint(
                path="/message/recall",
                mark=Mark.CORE,
                about="Take back a message that the user has sent; one that is unknown is taken"
                " back in the clients.",
                parameters=(FROM, _TYPE, _TARGET, _UID, _SENT_TIME, _ADMIN, _DELETE),
                call=self.recall,
            ),
        ]

    # -- sending ---------------------------------------------------------------------

    async def send_private(self, call: Call) -> Reply:
        """Whoever blocks the sender is left out, if that is wanted."""
        users = call[_TO_USERS]
        if call[_CHECKED]:
            users = await self._willing(call, users)
        return await self._send(call, ConversationType.PRIVATE, users, "userId")

    async def send_system(self, call: Call) -> Reply:
        """To at most 100 users."""
        return await self._send(call, ConversationType.SYSTEM, call[_TO_100_USERS], "userId")

    async def send_group(self, call: Call) -> Reply:
        """INVALID: members are named beside several groups."""
        groups, named = call[_TO_GROUPS], call[_NAMED]
        if named and len(groups) > 1:
            raise RefusedError(Code.INVALID, "toUserId goes with one toGroupId only")
        up = message(call)
        up.userId.extend(named)
        if call[_MENTIONED]:
            up.sessionId |= UpFlag.MENTION
        return await self._send(call, ConversationType.GROUP, groups, "groupId", up)

    async def send_discussion(self, call: Call) -> Reply:
        """A discussion that does not exist has nobody in it."""
        targets = call[_TO_DISCUSSIONS]
        return await self._send(call, ConversationType.DISCUSSION, targets, "discussionId")

    async def send_chatroom(self, call: Call) -> Reply:
        """A room that does not exist has nobody in it."""
        return await self._send(call, ConversationType.CHATROOM, call[_TO_ROOMS], "chatroomId")

    async def send_private_template(self, call: Call) -> Reply:
        """Whoever blocks the sender is left out, if that is wanted."""
        users = set(call[_EACH_USER])
        if call[_CHECKED]:
            users = set(await self._willing(call, [*users]))
        return await self._fill(call, ConversationType.PRIVATE, users)

    async def send_system_template(self, call: Call) -> Reply:
        """To each his own words."""
        return await self._fill(call, ConversationType.SYSTEM, set(call[_EACH_USER]))

    async def show_private(self, call: Call) -> Reply:
        """Whoever blocks the sender is left out, if that is wanted."""
        users = call[_TO_USERS]
        if call[_CHECKED]:
            users = await self._willing(call, users)
        up = shown(call)
        found = []
        for user in users:
            sent = self._messages.show(
                call.app, call[FROM], ConversationType.PRIVATE, user, up, receivers=[user]
            )
            found.append({"userId": user, "messageUID": sent.uid})
        return {"messageUIDs": found}

    async def show_group(self, call: Call) -> Reply:
        """To members only, and not to the sender."""
        sender, up = call[FROM], shown(call)
        found = []
        for group in call[_TO_GROUPS]:
            members = await self._groups.members(call.app, group)
            others = [member for member in members if member != sender]
            sent = self._messages.show(
                call.app, sender, ConversationType.GROUP, group, up, receivers=others
            )
            found.append({"groupId": group, "messageUID": sent.uid})
        return {"messageUIDs": found}

    async def recall(self, call: Call) -> Reply:
        """INVALID: no such conversation can be, or somebody else has sent the message."""
        number, target = call[_TYPE], call[_TARGET]
        if number not in _RECALLED:
            raise RefusedError(Code.INVALID, "conversationType is none of those")
        type = ConversationType(number)
        if not (is_place_id(type, target) if type in _PLACES else is_user_id(target)):
            raise RefusedError(Code.INVALID, "targetId cannot be such an id")
        command = RecallCommand(
            message_uid=call[_UID],
            conversation_type=number,
            target_id=target,
            sent_time=call[_SENT_TIME],
            is_admin=call[_ADMIN],
            is_delete=call[_DELETE],
        )
        await self._recalls.take_back(call.app, call[FROM], type, command)
        return None

    # -- how it is done --------------------------------------------------------------

    async def _send(
        self,
        call: Call,
        type: ConversationType,
        targets: list[str],
        name: str,
        up: payloads.UpStreamMessage | None = None,
    ) -> Reply:
        """Send the same to each target; ``name`` is what the reply calls them."""
        letter = message(call) if up is None else up
        sent = await together(
            self._messages.post(
                call.app, call[FROM], type, target, letter, in_sent_box=call[WITH_SENDER]
            )
            for target in targets
        )
        return _uids(name, zip(targets, sent, strict=True))

    async def _fill(self, call: Call, type: ConversationType, users: set[str]) -> Reply:
        """Send to these users what the template makes for each. INVALID: values are missing."""
        values = call[_VALUES]
        if len(values) != len(call[_EACH_USER]):
            raise RefusedError(Code.INVALID, "values must have one item for each toUserId")
        letters = [
            (user, filled(call[CONTENT], words))
            for user, words in zip(call[_EACH_USER], values, strict=True)
            if user in users
        ]
        if any(len(content.encode()) > CONTENT_BYTES for _, content in letters):
            raise RefusedError(Code.TOO_LONG, f"content is longer than {CONTENT_BYTES} bytes")
        marks = flags(call) | UpFlag.STORED
        sent = await together(
            self._messages.post(
                call.app,
                call[FROM],
                type,
                user,
                payloads.UpStreamMessage(
                    sessionId=marks, classname=call[OBJECT_NAME], content=content.encode()
                ),
                in_sent_box=False,
            )
            for user, content in letters
        )
        return _uids("userId", zip([user for user, _ in letters], sent, strict=True))

    async def _willing(self, call: Call, users: list[str]) -> list[str]:
        """Those of the users who do not block the sender."""
        standings = await together(self._standings.load((call.app, user)) for user in users)
        return [
            user
            for user, standing in zip(users, standings, strict=True)
            if call[FROM] not in standing.blocked
        ]


def filled(content: str, words: Mapping[str, str]) -> str:
    """A template with each of the keys replaced by its value, wherever it stands."""
    keys = sorted((key for key in words if key), key=len, reverse=True)
    if not keys:
        return content
    return re.sub("|".join(map(re.escape, keys)), lambda found: words[found[0]], content)


def _uids(name: str, sent: zip[tuple[str, Sent]]) -> Reply:
    return {"messageUIDs": [{name: target, "messageUID": each.uid} for target, each in sent]}
