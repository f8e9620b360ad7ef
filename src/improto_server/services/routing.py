"""May he, and to whom: everything that must be known before a message is sent.

What is asked here is known at once, or :meth:`Routing.missing` says how to find it out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto.codes import ConversationType, ErrorCode
from improto.contents import SyncReadStatus
from improto_server.services.letters import Route
from improto_server.services.rosters import DISCUSSION_MARK
from improto_server.store import Place

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from improto.operations import Operation
    from improto_server.clock import MessageClock, UserKey
    from improto_server.services.chatrooms import Room, Rooms
    from improto_server.services.letters import Letter
    from improto_server.services.rosters import Roster, Rosters
    from improto_server.services.silences import Silences
    from improto_server.services.standings import Standings
    from improto_server.store.relations import Standing

GROUPS: Final = frozenset({ConversationType.GROUP, ConversationType.DISCUSSION})
"""Types of conversations that have a roster."""

_ONE_TO_ONE: Final = frozenset(
    {
        ConversationType.PRIVATE,
        ConversationType.CUSTOMER_SERVICE,
        ConversationType.APP_PUBLIC_SERVICE,
        ConversationType.PUBLIC_SERVICE,
    }
)
_SYNC_READ_STATUS: Final = SyncReadStatus.object_name


class Routing:
    """The way of a letter.

    ``accounts``: those that are services, and the type of all conversations with them; other
    services put theirs in. ``has_white_lists``: users get private messages only from those on
    their white lists (rest 9.1).
    """

    def __init__(
        self,
        *,
        clock: MessageClock,
        standings: Standings,
        silences: Silences,
        rosters: Rosters,
        rooms: Rooms,
        has_white_lists: bool = False,
    ) -> None:
        self._clock = clock
        self._standings = standings
        self._silences = silences
        self._has_white_lists = has_white_lists
        self._rosters = rosters
        self._rooms = rooms
        self.accounts: dict[UserKey, ConversationType] = {}

    def type_of(self, operation: Operation, sender: UserKey, target: str) -> ConversationType:
        """What the conversation is: topics of the newer SDKs do not tell (operations 2)."""
        type = operation.conversation
        assert type is not None
        if type is ConversationType.PRIVATE and target.startswith(DISCUSSION_MARK):
            return ConversationType.DISCUSSION
        return self.type_between(sender, target, type) if type in _ONE_TO_ONE else type

    def type_between(
        self, user: UserKey, other: str, otherwise: ConversationType
    ) -> ConversationType:
        """The type of the conversation of two accounts: that of the service, if one of them is."""
        if not self.accounts:
            return otherwise
        own = self.accounts.get(user, otherwise)
        return self.accounts.get((user[0], other), own)

    def missing(self, letter: Letter) -> Coroutine[Any, Any, None] | None:
        """What loads the facts that are not known yet, or None."""
        app, _ = letter.sender
        if self._standings.get(letter.sender) is None:
            return self._load(letter)
        if letter.type in GROUPS:
            known: object = self._rosters.get(Place(app, letter.type, letter.target))
        elif letter.type is ConversationType.CHATROOM:
            known = self._rooms.get(app, letter.target)
        else:
            known = self._standings.get((app, letter.target))
        return self._load(letter) if known is None else None

    async def _load(self, letter: Letter) -> None:
        app, _ = letter.sender
        await self._standings.load(letter.sender)
        if letter.type in GROUPS:
            await self._rosters.load(Place(app, letter.type, letter.target))
        elif letter.type is ConversationType.CHATROOM:
            await self._rooms.load(app, letter.target)
        else:
            await self._standings.load((app, letter.target))

    def refusal(self, letter: Letter) -> ErrorCode | None:
        """Why the sender may not (operations 2.2), None if he may."""
        app, sender = letter.sender
        own = self._standings.get(letter.sender)
        if own is None:
            # The store failed and it had to be forgotten again; so with all that follow.
            return ErrorCode.INTERNALERRROR
        now = self._clock.now()
        if own.muted_until > now:
            return ErrorCode.RC_MSG_UNAUTHORIZED
        place: Roster | Room | None
        if letter.type in GROUPS:
            place = self._rosters.get(Place(app, letter.type, letter.target))
        elif letter.type is ConversationType.CHATROOM:
            place = self._rooms.get(app, letter.target)
        else:
            other = self._standings.get((app, letter.target))
            if other is None:
                return ErrorCode.INTERNALERRROR
            if letter.up.classname == _SYNC_READ_STATUS:
                # A read position never comes to the other.
                return None
            if self._is_unwanted(letter, other):
                return ErrorCode.REJECTED_BY_BLACKLIST
            return self._silences.refusal(letter.sender, letter.type, now=now)
        if place is None:
            return ErrorCode.INTERNALERRROR
        refusal = place.refusal(sender, now=now)
        return refusal or self._silences.refusal(letter.sender, letter.type, now=now)

    def _is_unwanted(self, letter: Letter, other: Standing) -> bool:
        _, sender = letter.sender
        if self._has_white_lists and letter.type is ConversationType.PRIVATE:
            return sender not in other.allowed and letter.target != sender
        return sender in other.blocked

    def route(self, letter: Letter) -> Route:
        """To whom a letter goes; what must be known for that is."""
        app, sender = letter.sender
        if letter.up.classname == _SYNC_READ_STATUS:
            # A read position is for the sender's other devices, whoever it is addressed to
            # (messages 8.4).
            return Route(())
        if letter.type in GROUPS:
            roster = self._rosters.get(Place(app, letter.type, letter.target))
            if roster is None:
                return Route(())
            if letter.up.userId:
                named = dict.fromkeys(letter.up.userId)
                chosen = (name for name in named if name in roster.members and name != sender)
                return Route(tuple((app, name) for name in chosen))
            return Route(roster.inboxes, roster=roster)
        if letter.type is ConversationType.CHATROOM:
            return Route((), room=self._rooms.get(app, letter.target))
        # A message to oneself is one that the other devices have sent.
        return Route(((app, letter.target),) if letter.target != sender else ())
