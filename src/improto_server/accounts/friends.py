"""Friends, as a page asks for them: the message server's own (sdk5 8.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from improto import payloads
from improto_server.accounts.bodies import Count, Id, Ids, Line, Text
from improto_server.accounts.visits import Reply, Visit
from improto_server.services.friend_rules import BOTH, Answer, ApplicationStatus, ApplicationType
from improto_server.services.pages import ListType
from improto_server.waiting import finished

if TYPE_CHECKING:
    from improto_server.services.friends import Friends

_NEWEST_FIRST = 1
"""``order`` of a list."""


class Page(Struct, forbid_unknown_fields=True, kw_only=True):
    """A piece of a list."""

    after: Line = ""
    """``next`` of the piece before."""
    count: Count = 50

    def wanted(self, *, order: int = 0) -> payloads.ChannelsPageParam:
        """What services take."""
        return payloads.ChannelsPageParam(size=self.count, pageToken=self.after, order=order)


class Ask(Struct, forbid_unknown_fields=True, kw_only=True):
    """Ask somebody to be a friend, or answer him."""

    user: Id
    text: Text = ""


class Note(Struct, forbid_unknown_fields=True, kw_only=True):
    """How to call a friend; empty: as he is called."""

    user: Id
    note: Line


class Part(Struct, forbid_unknown_fields=True, kw_only=True):
    """Whose friend not to be any more."""

    users: Ids


class FriendCalls:
    """The calls."""

    def __init__(self, friends: Friends) -> None:
        self._friends = friends

    async def friends(self, visit: Visit, body: Page) -> Reply:
        """By when they became friends, the oldest first."""
        result = await self._listed(visit, ListType.FRIENDS, body.wanted())
        found = payloads.decode(payloads.FriendUserInfos, result.result)
        return Reply(
            {
                "friends": [
                    {
                        "user": one.userId,
                        "name": one.name,
                        "portrait": one.portraitUrl,
                        "note": one.remarkName,
                        "since": one.relationTime,
                        "isBlocked": bool(one.flag),
                    }
                    for one in found.list
                ],
                **next_page(result),
            }
        )

    async def applications(self, visit: Visit, body: Page) -> Reply:
        """What was asked, by others and of others, the newest first."""
        result = await self._listed(
            visit, ListType.FRIEND_APPLICATIONS, body.wanted(order=_NEWEST_FIRST)
        )
        found = payloads.decode(payloads.FriendInviteInfos, result.result)
        return Reply(
            {
                "applications": [
                    {
                        "user": one.userId,
                        "name": one.name,
                        "portrait": one.portraitUrl,
                        "isMine": one.type == ApplicationType.SENT,
                        "status": ApplicationStatus(one.status).name.lower(),
                        "text": one.info,
                        "time": one.operateTime,
                    }
                    for one in found.list
                ],
                **next_page(result),
            }
        )

    async def add(self, visit: Visit, body: Ask) -> Reply:
        """Ask; he may be a friend at once."""
        request = payloads.FriendInput(targetId=body.user, type=BOTH, info=body.text)
        reply = await finished(self._friends.add(visit.caller, "", request))
        return Reply({"isFriend": reply.processCode == 0})

    async def accept(self, visit: Visit, body: Ask) -> Reply:
        """Yes."""
        return await self._answer(visit, body, Answer.ACCEPT)

    async def refuse(self, visit: Visit, body: Ask) -> Reply:
        """No."""
        return await self._answer(visit, body, Answer.REFUSE)

    async def remove(self, visit: Visit, body: Part) -> Reply:
        """Friends no longer, on both sides."""
        request = payloads.FriendsInput(targetId=body.users, type=BOTH)
        await finished(self._friends.remove(visit.caller, "", request))
        return Reply({})

    async def note(self, visit: Visit, body: Note) -> Reply:
        """Nobody else sees it."""
        request = payloads.FriendProfileInput(targetId=body.user, remarkName=body.note)
        await finished(self._friends.describe(visit.caller, "", request))
        return Reply({})

    async def _answer(self, visit: Visit, body: Ask, answer: Answer) -> Reply:
        request = payloads.FriendInput(targetId=body.user, type=int(answer), info=body.text)
        await finished(self._friends.answer(visit.caller, "", request))
        return Reply({})

    async def _listed(
        self, visit: Visit, kind: ListType, page: payloads.ChannelsPageParam
    ) -> payloads.ChannelsListResult:
        request = payloads.FriendQueryInput(queryType=int(kind), page=page, friendType=BOTH)
        return await finished(self._friends.query(visit.caller, "", request))


def next_page(result: payloads.ChannelsListResult) -> dict[str, Any]:
    """How to ask for the next piece; empty: there is none."""
    return {"next": result.page.pageToken}
