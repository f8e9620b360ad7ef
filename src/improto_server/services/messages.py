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
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.contents import ReadReceipt, SyncReadStatus, Typing, UpFlag
from improto.errors import DecodeError
from improto.frames import TimeMs
from improto.operations import Kind
from improto_server.errors import ServiceError
from improto_server.inbox import Entry
from improto_server.services.accounts import is_user_id
from improto_server.services.audit import Dropped
from improto_server.services.items import Mentions, mentions, received_item, sent_item
from improto_server.services.letters import SERVER_ONLY, Letter, Route, Sent, refuse
from improto_server.services.reading import read_until
from improto_server.services.reserve import Reserve
from improto_server.services.rosters import is_place_id
from improto_server.services.routing import GROUPS
from improto_server.steps import Pending, start
from improto_server.store import NewMessage, Place, StoreError
from improto_server.uids import UidMaker

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from typing import Any

    from improto.config import Limits
    from improto.frames import MessageId
    from improto.operations import Operation
    from improto_server.clock import MessageClock
    from improto_server.hub import Device, DevicePolicy, Hub
    from improto_server.services.audit import Audit
    from improto_server.services.chatrooms import Rooms
    from improto_server.services.data import Data
    from improto_server.services.delivery import Delivery
    from improto_server.services.letters import Check, Done
    from improto_server.services.rosters import Rosters
    from improto_server.services.routing import Routing
    from improto_server.services.words import Words
    from improto_server.store import Store, Stored

OBJECT_NAME_CHARACTERS: Final = 64
"""The longest object name. SDKs and applications stay below 32 (messages 4)."""

MOST_WAITING: Final = 100
"""Messages of one device that wait while the application is asked about an earlier one; it may take
seconds for each. Ours."""

# Plain numbers: members of enumerations are slow in protobuf and in SQLite.
_STORED: Final = int(UpFlag.STORED)
_PRIVATE: Final = int(ConversationType.PRIVATE)
_TYPING: Final = Typing.object_name
_SYNC_READ_STATUS: Final = SyncReadStatus.object_name
_READ_MARKS: Final = frozenset({ReadReceipt.object_name, SyncReadStatus.object_name})

_JSON_NULL: Final = re.compile(rb"[ \t\r\n]*null[ \t\r\n]*")
"""The newer SDKs fail on a content that is the JSON value null (messages 5)."""

_logger = logging.getLogger(__name__)


class Messages:
    """The service. What other services put in:

    * ``checks``, by object name: called before a letter is sent.
    * ``sequels``, by object name: called when a letter of a device is stored, and acknowledged.
    * ``on_stored``: called with every letter that is stored, and acknowledged.
    * ``on_append``: called with every letter on its way to the store; what is written there is
      written in the same transaction.
    """

    def __init__(
        self,
        *,
        store: Store,
        data: Data,
        clock: MessageClock,
        hub: Hub,
        delivery: Delivery,
        routing: Routing,
        rosters: Rosters,
        rooms: Rooms,
        words: Words,
        audit: Audit,
        limits: Limits,
        devices: DevicePolicy,
        monotonic: Callable[[], float],
    ) -> None:
        self._store = store
        self._clock = clock
        self._hub = hub
        self._delivery = delivery
        self._routing = routing
        self._rosters = rosters
        self._rooms = rooms
        self._words = words
        self._audit = audit
        self._limits = limits
        self._devices = devices
        self._monotonic = monotonic
        self._uids = UidMaker()
        self.reserve = Reserve(data)
        """Through which status messages have to go."""
        self.checks: dict[str, Check] = dict.fromkeys(SERVER_ONLY, refuse)
        self.sequels: dict[str, Callable[[Letter], None]] = {}
        self.on_stored: list[Callable[[Letter, Route, NewMessage], None]] = []
        self.on_append: list[Callable[[Letter, NewMessage], None]] = []
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

        Refused are: too many per second, or while many of its messages wait for the application's
        word (20604); an UpStreamMessage that does not parse, a
        target that cannot be an id (20407 for those of groups), an object name that is empty or
        too long, and a content that is JSON null (33003); a content above
        ``limits.content_bytes`` (30016); and what operations 2.2 says of those who may not send.
        """
        done = partial(self._acknowledge, device, message_id)
        if not self.admits(device):
            done(ErrorCode.SEND_FREQUENCY_TOO_FAST)
            return
        try:
            up = payloads.decode(payloads.UpStreamMessage, data)
        except DecodeError:
            done(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
            return
        type = self._routing.type_of(operation, device.user.key, target)
        fault = self.fault(type, target, up)
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
            # Numbers below 0 are the server's own.
            unique_id=up.clientUniqueId if up.clientUniqueId > 0 else None,
            device=device,
            # A copy on the same topic would be filed under the wrong type.
            copied_as=(operation, data) if type is operation.conversation else None,
        )
        if device.backlog is None:
            self._submit(letter, done)
        elif len(device.backlog) >= MOST_WAITING and self._audit.has_app(letter.sender[0]):
            done(ErrorCode.SEND_FREQUENCY_TOO_FAST)
        else:
            device.backlog.append(partial(self._submit, letter, done))

    def admits(self, device: Device) -> bool:
        """Whether the device may send one more now; each question counts (operations 2.2)."""
        return device.allowance.take(now=self._monotonic())

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
        in_sent_box: bool = True,
    ) -> Sent:
        """Send a message that a service makes: notices, recalls, what REST sends.

        ``in_sent_box``: as in :class:`.letters.Letter`. Who may send is not asked: that is the
        caller's business. Raises ServiceError.
        """
        fault = self.fault(type, target, up)
        if fault is not None:
            raise ServiceError(fault)
        letter = Letter(
            (app, sender),
            type,
            target,
            up,
            is_status=False,
            unique_id=up.clientUniqueId or None,
            device=device,
            copied_as=copied_as,
            in_sent_box=in_sent_box,
        )
        if device is None and self._words.screens_posts:
            letter = self._words.screen(letter)
        if type in GROUPS:
            await self._rosters.load(Place(app, type, target))
        elif type is ConversationType.CHATROOM:
            await self._rooms.load(app, target)
        answer: Pending[Sent] = Pending()

        def done(sent: Sent | ErrorCode) -> None:
            if isinstance(sent, Sent):
                answer.settle(sent)
            else:
                answer.fail(ServiceError(sent))

        self._accept(letter, self._routing.route(letter), done)
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
        fault = self.fault(type, target, up)
        if fault is not None:
            raise ServiceError(fault)
        inboxes = tuple((app, name) for name in receivers)
        letter = Letter((app, sender), type, target, up, True, None, None, None)
        if self._words.screens_posts:
            letter = self._words.screen(letter)
        answers: list[Sent | ErrorCode] = []
        self._accept(letter, Route(inboxes), answers.append)
        (sent,) = answers
        assert isinstance(sent, Sent)
        return sent

    def _acknowledge(self, device: Device, message_id: MessageId, sent: Sent | ErrorCode) -> None:
        if not device.is_open:
            return
        if isinstance(sent, Sent):
            status = ErrorCode.SENSITIVE_REPLACE if sent.has_replaced_words else 0
            device.peer.acknowledge(message_id, timestamp=sent.time, status=status, uid=sent.uid)
        else:
            device.peer.acknowledge(message_id, timestamp=self._clock.now(), status=sent)

    def fault(
        self, type: ConversationType, target: str, up: payloads.UpStreamMessage
    ) -> ErrorCode | None:
        """Why nobody may send this there (:meth:`send`), None if it can be sent."""
        if len(up.content) > self._limits.content_bytes:
            return ErrorCode.RC_MSG_CONTENT_EXCEED_LIMIT
        if (
            not 0 < len(up.classname) <= OBJECT_NAME_CHARACTERS
            or _JSON_NULL.fullmatch(up.content)
            or (type not in GROUPS and not is_user_id(target))
        ):
            return ErrorCode.BIZ_ERROR_INVALID_PARAMETER
        if type in GROUPS and not is_place_id(type, target):
            return ErrorCode.RC_DISCUSSION_GROUP_ID_INVALID
        return None

    def report(self) -> None:
        """Log what the last batch of the store has lost, in one line."""
        if self._failures:
            _logger.error("%d messages not stored: %s", len(self._failures), self._failures[-1])
            self._failures.clear()

    # -- may he, and to whom ---------------------------------------------------------

    def _submit(self, letter: Letter, done: Done) -> None:
        """Send a letter, or make everything that its device sends wait for what is missing."""
        check = self.checks.get(letter.up.classname)
        missing = self._routing.missing(letter)
        # What the server acts upon nobody reads.
        is_audited = check is None and self._audit.concerns(letter)
        if check is None and missing is None and not is_audited:
            self._judge(letter, done)
            return
        backlog: deque[Callable[[], None]] = deque()
        device = letter.device
        assert device is not None
        device.backlog = backlog

        def found(result: Letter | Exception) -> None:
            device.backlog = None
            if isinstance(result, Dropped):
                time = self._clock.stamp(letter.sender)
                uid = self._uids.make(
                    time=time, conversation_type=int(letter.type), target=letter.target
                )
                done(Sent(uid=uid, time=time))
            elif isinstance(result, ServiceError):
                done(result.code)
            elif isinstance(result, Exception):
                _logger.error("a message could not be judged", exc_info=result)
                done(ErrorCode.INTERNALERRROR)
            else:
                self._judge(result, done)
            while backlog:
                if device.backlog is None:
                    backlog.popleft()()
                else:
                    device.backlog.extend(backlog)
                    return

        start(self._prepare(letter, missing, check, is_audited=is_audited), found)

    async def _prepare(
        self,
        letter: Letter,
        missing: Coroutine[Any, Any, None] | None,
        check: Check | None,
        *,
        is_audited: bool,
    ) -> Letter:
        """The letter as it is to be sent. Raises ServiceError, and Dropped."""
        if missing is not None:
            await missing
        if check is None and not is_audited:
            return letter
        refusal = self._routing.refusal(letter)
        if refusal is not None:
            raise ServiceError(refusal)
        if check is not None:
            await check(letter)
        if not is_audited:
            return letter
        judged = await self._audit.judge(self._words.screen(letter))
        if self.fault(judged.type, judged.target, judged.up) is not None:
            raise ServiceError(ErrorCode.OPERATION_BLOCKED)
        return judged

    def _judge(self, letter: Letter, done: Done) -> None:
        refusal = self._routing.refusal(letter)
        if refusal is None:
            try:
                letter = self._words.screen(letter)
            except ServiceError as error:
                refusal = error.code
        if refusal is None:
            self._accept(letter, self._routing.route(letter), done)
        else:
            done(refusal)

    # -- on its way ------------------------------------------------------------------

    def _accept(self, letter: Letter, route: Route, done: Done) -> None:
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
            up,
            conversation_type=type,
            sender=sender,
            target=target,
            time=time,
            uid=uid,
            is_status=letter.is_status,
        )
        mentioning = mentions(item, up.sessionId) if roster is not None or inboxes else None
        if letter.is_status:
            done(Sent(uid=uid, time=time, has_replaced_words=letter.has_replaced_words))
            show = partial(self._show, letter, route, Entry(time, False, item), uid)
            self.reserve.call(time, show)
            return
        is_for_all = up.classname != _SYNC_READ_STATUS and (
            roster is not None or letter.type not in GROUPS
        )
        # What is said by clients in a paused room is taken, and that is all (rest 8).
        is_heard = room is None or letter.device is None or not room.is_paused
        message = NewMessage(
            app=app,
            uid=uid,
            time=time,
            type=type,
            sender=sender,
            target=target,
            object_name=up.classname,
            flags=up.sessionId,
            unique_id=letter.unique_id,
            item=item,
            receivers=() if roster is not None else tuple(name for _, name in inboxes),
            sent_box=room is None and letter.in_sent_box and self._devices.allows_many(app),
            in_history=bool(up.sessionId & _STORED) and is_for_all and is_heard,
            in_stream=roster is not None or (room is not None and is_heard),
            read_until=read_until(up, now=time) if up.classname in _READ_MARKS else None,
        )
        self._delivery.appended((letter.sender, *inboxes))
        answered = partial(self._stored, letter, route, message, mentioning, done)
        if self._store.append(message, answered):
            for call in self.on_append:
                call(letter, message)

    def _stored(
        self,
        letter: Letter,
        route: Route,
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
        done(Sent(uid=stored.uid, time=time, has_replaced_words=letter.has_replaced_words))
        if stored.is_repeat:
            return
        entry = Entry(time, False, message.item)
        if route.room is not None and message.in_stream:
            route.room.add(letter.sender[1], letter.device, entry, message.object_name)
        self._receive(letter, route, entry, mentioning)
        if message.sent_box:
            self._keep_sent(letter, message, stored.uid, time)
        for call in self.on_stored:
            call(letter, route, message)
        sequel = self.sequels.get(message.object_name)
        if sequel is not None:
            sequel(letter)

    def _receive(
        self, letter: Letter, route: Route, entry: Entry, mentioning: Mentions | None
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

    def _show(self, letter: Letter, route: Route, entry: Entry, uid: str) -> None:
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
