"""Sending: from a PUBLISH to the store, and from there to whom it concerns.

The order of things is the service's promise (architecture 2):

* A message gets its time and uid when it arrives; its PUBACK leaves after the commit, and
  before anything that tells a device about it.
* Times rise strictly within every inbox and within every conversation, in the order of
  the commits.
* Who may send, and to whom it goes, is known at once or loaded first. Until it is known, what
  else the same device sends waits behind it, so that nobody overtakes himself.
* Messages to a group go into its stream, once. Only messages for some of the members go into
  the boxes of these, and history never knows them (operations 2.1).
"""

from __future__ import annotations

import logging
import re
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from msgspec import Struct

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.contents import ReadReceipt, SyncReadStatus, Typing, UpFlag
from improto.errors import DecodeError
from improto.frames import TimeMs
from improto.operations import Kind
from improto_server.errors import ServiceError
from improto_server.inbox import Entry
from improto_server.services.accounts import is_user_id
from improto_server.services.items import Mentions, mentions, received_item, sent_item
from improto_server.services.reading import read_until
from improto_server.services.reserve import Reserve
from improto_server.services.rosters import DISCUSSION_MARK, is_place_id
from improto_server.steps import Pending, start
from improto_server.store import NewMessage, Place, StoreError
from improto_server.uids import UidMaker

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence
    from typing import Any

    from improto.config import Limits
    from improto.frames import MessageId
    from improto.operations import Operation
    from improto_server.clock import MessageClock, UserKey
    from improto_server.hub import Device, DevicePolicy, Hub
    from improto_server.services.chatrooms import Room, Rooms
    from improto_server.services.data import Data
    from improto_server.services.delivery import Delivery
    from improto_server.services.rosters import Roster, Rosters
    from improto_server.services.standings import Standings
    from improto_server.store import Store, Stored

OBJECT_NAME_CHARACTERS: Final = 64
"""The longest object name. SDKs and applications stay below 32 (messages 4)."""

# Plain numbers: members of enumerations are slow in protobuf and in SQLite.
_STORED: Final = int(UpFlag.STORED)
_PRIVATE: Final = int(ConversationType.PRIVATE)
_GROUPS: Final = frozenset({ConversationType.GROUP, ConversationType.DISCUSSION})
_ONE_TO_ONE: Final = frozenset(
    {
        ConversationType.PRIVATE,
        ConversationType.CUSTOMER_SERVICE,
        ConversationType.APP_PUBLIC_SERVICE,
        ConversationType.PUBLIC_SERVICE,
    }
)
_TYPING: Final = Typing.object_name
_SYNC_READ_STATUS: Final = SyncReadStatus.object_name
_READ_MARKS: Final = frozenset({ReadReceipt.object_name, SyncReadStatus.object_name})

_JSON_NULL: Final = re.compile(rb"[ \t\r\n]*null[ \t\r\n]*")
"""The newer SDKs fail on a content that is the JSON value null (messages 5)."""

_logger = logging.getLogger(__name__)


class Sent(Struct, frozen=True, kw_only=True, gc=False):
    """What became of a message."""

    uid: str
    time: TimeMs


class Letter(NamedTuple):
    """What is sent, and by whom; where to is known already."""

    sender: UserKey
    type: ConversationType
    target: str
    up: payloads.UpStreamMessage
    is_status: bool
    """It is shown to those who are there, and forgotten (operations 2.1)."""
    device: Device | None
    """Where it was sent; it needs no copy."""
    copied_as: tuple[Operation, bytes] | None
    """The operation and the payload by which the sender's other devices are shown it."""


Done: TypeAlias = "Callable[[Sent | ErrorCode], None]"

Check: TypeAlias = "Callable[[Letter], Coroutine[Any, Any, None]]"
"""Looks at a letter before it is sent and does what else it means; refuses by ServiceError."""


class _Route(NamedTuple):
    """To whom a letter goes."""

    inboxes: Sequence[UserKey]
    """Whose inboxes get it, the sender's not counted in."""
    roster: Roster | None = None
    """All its members get it."""
    room: Room | None = None


class Messages:
    """The service. What other services put in:

    * ``checks``, by object name: called before a letter is sent.
    * ``sequels``, by object name: called when a letter of a device is stored, and acknowledged.
    * ``accounts``: those that are services, and the type of all conversations with them.
    """

    def __init__(
        self,
        *,
        store: Store,
        data: Data,
        clock: MessageClock,
        hub: Hub,
        delivery: Delivery,
        standings: Standings,
        rosters: Rosters,
        rooms: Rooms,
        limits: Limits,
        devices: DevicePolicy,
        monotonic: Callable[[], float],
    ) -> None:
        self._store = store
        self._clock = clock
        self._hub = hub
        self._delivery = delivery
        self._standings = standings
        self._rosters = rosters
        self._rooms = rooms
        self._limits = limits
        self._devices = devices
        self._monotonic = monotonic
        self._uids = UidMaker()
        self.reserve = Reserve(data)
        """Through which status messages have to go."""
        self.checks: dict[str, Check] = {}
        self.sequels: dict[str, Callable[[Letter], None]] = {}
        self.accounts: dict[UserKey, ConversationType] = {}
        self._failures: list[StoreError] = []

    # -- what devices send -----------------------------------------------------------

    def send(
        self,
        device: Device,
        message_id: MessageId,
        *,
        operation: Operation,
        target: str,
        data: bytes,
    ) -> None:
        """A device sends a message; ``data`` is its UpStreamMessage.

        Refused are: too many per second (20604); an UpStreamMessage that does not parse, a
        target that cannot be an id (20407 for those of groups), an object name that is empty or
        too long, and a content that is JSON null (33003); a content above
        ``limits.content_bytes`` (30016); and what operations 2.2 says of those who may not send.
        """
        done = partial(self._acknowledge, device, message_id)
        if not device.allowance.take(now=self._monotonic()):
            done(ErrorCode.SEND_FREQUENCY_TOO_FAST)
            return
        try:
            up = payloads.decode(payloads.UpStreamMessage, data)
        except DecodeError:
            done(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
            return
        type = self._type_of(operation, device.user.key, target)
        fault = self._fault(type, target, up)
        if fault is not None:
            done(fault)
            return
        letter = Letter(
            sender=device.user.key,
            type=type,
            target=target,
            up=up,
            is_status=operation.kind is Kind.STATUS
            or (up.sessionId == 0 and up.classname == _TYPING),
            device=device,
            # A copy on the same topic would be filed under the wrong type.
            copied_as=(operation, data) if type is operation.conversation else None,
        )
        if device.backlog is None:
            self._submit(letter, done)
        else:
            device.backlog.append(partial(self._submit, letter, done))

    async def post(
        self,
        app: str,
        sender: str,
        type: ConversationType,
        target: str,
        up: payloads.UpStreamMessage,
        *,
        device: Device | None = None,
        copied_as: tuple[Operation, bytes] | None = None,
    ) -> Sent:
        """Send a message that a service makes: notices, recalls, what REST sends.

        Who may send is not asked: that is the caller's business. Raises ServiceError.
        """
        fault = self._fault(type, target, up)
        if fault is not None:
            raise ServiceError(fault)
        letter = Letter((app, sender), type, target, up, False, device, copied_as)
        if type in _GROUPS:
            await self._rosters.load(Place(app, type, target))
        elif type is ConversationType.CHATROOM:
            await self._rooms.load(app, target)
        answer: Pending[Sent] = Pending()

        def done(sent: Sent | ErrorCode) -> None:
            if isinstance(sent, Sent):
                answer.settle(sent)
            else:
                answer.fail(ServiceError(sent))

        self._accept(letter, self._direct(letter), done)
        return await answer

    def show(
        self,
        app: str,
        sender: str,
        type: ConversationType,
        target: str,
        up: payloads.UpStreamMessage,
        *,
        receivers: Iterable[str],
    ) -> Sent:
        """Show a message to those of the receivers who are there, and forget it (operations 2.1).

        Who may send is not asked. Raises ServiceError.
        """
        fault = self._fault(type, target, up)
        if fault is not None:
            raise ServiceError(fault)
        inboxes = tuple((app, name) for name in receivers)
        letter = Letter((app, sender), type, target, up, True, None, None)
        answers: list[Sent | ErrorCode] = []
        self._accept(letter, _Route(inboxes), answers.append)
        (sent,) = answers
        assert isinstance(sent, Sent)
        return sent

    def _acknowledge(self, device: Device, message_id: MessageId, sent: Sent | ErrorCode) -> None:
        if not device.is_open:
            return
        if isinstance(sent, Sent):
            device.peer.acknowledge(message_id, timestamp=sent.time, uid=sent.uid)
        else:
            device.peer.acknowledge(message_id, timestamp=self._clock.now(), status=sent)

    def _fault(
        self, type: ConversationType, target: str, up: payloads.UpStreamMessage
    ) -> ErrorCode | None:
        if len(up.content) > self._limits.content_bytes:
            return ErrorCode.RC_MSG_CONTENT_EXCEED_LIMIT
        if (
            not 0 < len(up.classname) <= OBJECT_NAME_CHARACTERS
            or _JSON_NULL.fullmatch(up.content)
            or (type not in _GROUPS and not is_user_id(target))
        ):
            return ErrorCode.BIZ_ERROR_INVALID_PARAMETER
        if type in _GROUPS and not is_place_id(type, target):
            return ErrorCode.RC_DISCUSSION_GROUP_ID_INVALID
        return None

    def report(self) -> None:
        """Log what the last batch of the store has lost, in one line."""
        if self._failures:
            _logger.error("%d messages not stored: %s", len(self._failures), self._failures[-1])
            self._failures.clear()

    # -- may he, and to whom ---------------------------------------------------------

    def _type_of(self, operation: Operation, sender: UserKey, target: str) -> ConversationType:
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

    def _submit(self, letter: Letter, done: Done) -> None:
        """Send a letter, or make everything that its device sends wait for what is missing."""
        check = self.checks.get(letter.up.classname)
        missing = self._missing(letter)
        if check is None and missing is None:
            self._judge(letter, done)
            return
        backlog: deque[Callable[[], None]] = deque()
        device = letter.device
        assert device is not None
        device.backlog = backlog

        def found(result: Exception | None) -> None:
            device.backlog = None
            if isinstance(result, ServiceError):
                done(result.code)
            elif result is not None:
                _logger.error("a message could not be judged", exc_info=result)
                done(ErrorCode.INTERNALERRROR)
            else:
                self._judge(letter, done)
            while backlog:
                if device.backlog is None:
                    backlog.popleft()()
                else:
                    device.backlog.extend(backlog)
                    return

        start(self._prepare(letter, missing, check), found)

    async def _prepare(
        self, letter: Letter, missing: Coroutine[Any, Any, None] | None, check: Check | None
    ) -> None:
        if missing is not None:
            await missing
        if check is not None:
            refusal = self._refusal(letter)
            if refusal is not None:
                raise ServiceError(refusal)
            await check(letter)

    def _missing(self, letter: Letter) -> Coroutine[Any, Any, None] | None:
        """What loads the facts that are not known yet, or None."""
        app, _ = letter.sender
        if self._standings.get(letter.sender) is None:
            return self._load(letter)
        if letter.type in _GROUPS:
            known: object = self._rosters.get(Place(app, letter.type, letter.target))
        elif letter.type is ConversationType.CHATROOM:
            known = self._rooms.get(app, letter.target)
        else:
            known = self._standings.get((app, letter.target))
        return self._load(letter) if known is None else None

    async def _load(self, letter: Letter) -> None:
        app, _ = letter.sender
        await self._standings.load(letter.sender)
        if letter.type in _GROUPS:
            await self._rosters.load(Place(app, letter.type, letter.target))
        elif letter.type is ConversationType.CHATROOM:
            await self._rooms.load(app, letter.target)
        else:
            await self._standings.load((app, letter.target))

    def _judge(self, letter: Letter, done: Done) -> None:
        refusal = self._refusal(letter)
        if refusal is None:
            self._accept(letter, self._direct(letter), done)
        else:
            done(refusal)

    def _refusal(self, letter: Letter) -> ErrorCode | None:
        """Why the sender may not (operations 2.2), None if he may."""
        app, sender = letter.sender
        own = self._standings.get(letter.sender)
        if own is not None and own.muted_until > self._clock.now():
            return ErrorCode.RC_MSG_UNAUTHORIZED
        if letter.type in _GROUPS:
            roster = self._rosters.get(Place(app, letter.type, letter.target))
            if roster is None:
                # The store failed and it had to be forgotten again.
                return ErrorCode.INTERNALERRROR
            return roster.refusal(sender, now=self._clock.now())
        if letter.type is ConversationType.CHATROOM:
            room = self._rooms.get(app, letter.target)
            return room.refusal(sender, now=self._clock.now()) if room is not None else None
        other = self._standings.get((app, letter.target))
        if other is not None and sender in other.blocked:
            return ErrorCode.REJECTED_BY_BLACKLIST
        return None

    def _direct(self, letter: Letter) -> _Route:
        """To whom a letter goes; what must be known for that is."""
        app, sender = letter.sender
        if letter.up.classname == _SYNC_READ_STATUS:
            # A read position is for the sender's other devices, whoever it is addressed to
            # (messages 8.4).
            return _Route(())
        if letter.type in _GROUPS:
            roster = self._rosters.get(Place(app, letter.type, letter.target))
            if roster is None:
                return _Route(())
            if letter.up.userId:
                named = dict.fromkeys(letter.up.userId)
                chosen = (name for name in named if name in roster.members and name != sender)
                return _Route(tuple((app, name) for name in chosen))
            return _Route(roster.inboxes, roster=roster)
        if letter.type is ConversationType.CHATROOM:
            return _Route((), room=self._rooms.get(app, letter.target))
        # A message to oneself is one that the other devices have sent.
        return _Route(((app, letter.target),) if letter.target != sender else ())

    # -- on its way ------------------------------------------------------------------

    def _accept(self, letter: Letter, route: _Route, done: Done) -> None:
        app, sender = letter.sender
        type, target, up = int(letter.type), letter.target, letter.up
        inboxes, roster, room = route
        if roster is not None:
            time = self._clock.stamp(roster.place.key, letter.sender, *inboxes)
        elif room is not None:
            time = self._clock.stamp(room.key, letter.sender)
        else:
            time = self._clock.stamp(letter.sender, *inboxes)
        uid = self._uids.make(time=time, conversation_type=type, target=target)
        item = received_item(
            up, conversation_type=type, sender=sender, target=target, time=time, uid=uid
        )
        mentioning = mentions(item, up.sessionId) if roster is not None or inboxes else None
        if letter.is_status:
            done(Sent(uid=uid, time=time))
            show = partial(self._show, letter, route, Entry(time, False, item), uid)
            self.reserve.call(time, show)
            return
        is_directed = bool(up.userId) and roster is None and letter.type in _GROUPS
        message = NewMessage(
            app=app,
            uid=uid,
            time=time,
            type=type,
            sender=sender,
            target=target,
            object_name=up.classname,
            flags=up.sessionId,
            unique_id=up.clientUniqueId or None,
            item=item,
            receivers=() if roster is not None else tuple(name for _, name in inboxes),
            sent_box=room is None and self._devices.allows_many(app),
            in_history=bool(up.sessionId & _STORED) and not is_directed,
            in_stream=roster is not None or room is not None,
            read_until=read_until(up, now=time) if up.classname in _READ_MARKS else None,
        )
        self._delivery.appended((letter.sender, *inboxes))
        self._store.append(message, partial(self._stored, letter, route, message, mentioning, done))

    def _stored(
        self,
        letter: Letter,
        route: _Route,
        message: NewMessage,
        mentioning: Mentions | None,
        done: Done,
        stored: Stored | StoreError,
    ) -> None:
        """The store's answer."""
        delivery = self._delivery
        delivery.answered()
        if isinstance(stored, StoreError):
            self._failures.append(stored)
            done(ErrorCode.INTERNALERRROR)
            return
        time = TimeMs(stored.time)
        done(Sent(uid=stored.uid, time=time))
        if stored.is_repeat:
            return
        entry = Entry(time, False, message.item)
        if route.room is not None:
            route.room.add(letter.sender[1], letter.device, entry, message.object_name)
        self._receive(letter, route, entry, mentioning)
        if message.sent_box:
            self._keep_sent(letter, message, stored.uid, time)
        sequel = self.sequels.get(message.object_name)
        if sequel is not None:
            sequel(letter)

    def _receive(
        self, letter: Letter, route: _Route, entry: Entry, mentioning: Mentions | None
    ) -> None:
        receive = self._delivery.receive
        sender = letter.sender
        if mentioning is None:
            for key in route.inboxes:
                if key != sender:
                    receive(key, entry)
            return
        mentioned = entry._replace(item=mentioning.item)
        for key in route.inboxes:
            if key != sender:
                receive(key, mentioned if mentioning.info.concerns(key[1]) else entry)

    def _keep_sent(self, letter: Letter, message: NewMessage, uid: str, time: TimeMs) -> None:
        sender = self._hub.find(letter.sender)
        if sender is None:
            return
        item = sent_item(message.item, peer=message.target)
        self._delivery.keep_sent(sender, Entry(time, True, item))
        self._copy(letter, uid, time)

    def _copy(self, letter: Letter, uid: str, time: TimeMs) -> None:
        sender = self._hub.find(letter.sender)
        if sender is None:
            return
        if letter.copied_as is None:
            self._delivery.announce(sender, time)
            return
        operation, data = letter.copied_as
        self._delivery.copy(
            sender, letter.device, operation, letter.target, data, uid=uid, time=time
        )

    def _show(self, letter: Letter, route: _Route, entry: Entry, uid: str) -> None:
        """A status message: show it to those who are there."""
        if route.room is not None:
            return
        for key in route.inboxes:
            if key != letter.sender:
                self._delivery.push_status(letter.device, key, entry)
        if not self._devices.allows_many(letter.sender[0]):
            # The sender's only other device can be the one that has just replaced this one.
            return
        if letter.copied_as is not None and letter.copied_as[0].kind is Kind.STATUS:
            self._copy(letter, uid, entry.time)
