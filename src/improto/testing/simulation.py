"""One user, one server, a bad network and a clock that only tests can move.

A :class:`Simulation` runs a real :class:`~improto.client.ClientConnection` against a real
:class:`~improto.server.ServerConnection` over simulated links, with a server program of
plain lists, and checks after every step what the protocol promises:

* a message is handed to the program at most once per run of the program, in order;
* the cursor never passes a message that the program has not acknowledged;
* what the server acknowledged is in its store exactly once;
* request ids in flight never meet, on either side;
* no deadline lies in the past; each connection ends in exactly one terminal event.

Call the actions in any order, then :meth:`settle` and :meth:`check_complete`.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

from improto import contents, payloads
from improto._lifecycle import State
from improto.client import ClientConnection
from improto.codes import ConversationType, DisconnectStatus, ErrorCode
from improto.config import Limits, Timing
from improto.errors import DecodeError
from improto.events import (
    CloseReason,
    Connected,
    ConnectionClosed,
    MessageReceived,
    PublishAcknowledged,
    PublishReceived,
    PullReceived,
    QueryAnswered,
    QueryReceived,
    Receipt,
    RequestFailed,
    Resent,
)
from improto.frames import MessageId, Role, TimeMs
from improto.login import Login
from improto.messages import Conversation, MessageDirection, compose, request
from improto.operations import Topic
from improto.server import ServerConnection
from improto.session import ClientSession
from improto.testing.attempts import Attempt, Entry, PullReply
from improto.testing.links import Eof, HostileLink, OrderedLink

if TYPE_CHECKING:
    from improto.events import ClientEvent, ServerEvent

USER: Final = "user"
FRIEND: Final = "friend"
_START: Final = 1_700_000_000_000
"""Server time at second 0 of the simulation; any plausible date will do."""
_COMMIT_EVERY: Final = 10.0
"""Seconds; a third of the clients' time-out for requests (session 7)."""
_QUIET: Final = 600.0
"""Seconds after which a simulation must have settled: three safety pulls."""


class Simulation:
    """See the module; ``seed`` decides everything that is not decided by the caller."""

    def __init__(
        self,
        seed: int,
        *,
        sdk_version: str = "4.6.4",
        is_multi_device: bool = False,
        page_size: int = 3,
        is_hostile: bool = False,
        timing: Timing | None = None,
    ) -> None:
        self.random = Random(seed)
        self.now = 0.0
        self.timing = timing or Timing()
        self.limits = Limits(requests_in_flight=8)
        self.login = Login(app_key="app", token="token", sdk_version=sdk_version)
        self.session = ClientSession(limits=self.limits)
        self.attempts: list[Attempt] = []
        self._living: dict[int, Attempt] = {}
        self.store: list[Entry] = []
        self.shown: dict[str, None] = {}
        """Uids in the order in which the program got them since it was started."""
        self.missing: dict[str, TimeMs] = {}
        """Received messages that the program has not acknowledged yet, oldest first."""
        self.open: dict[Receipt, str] = {}
        self.sends: dict[int, str] = {}
        """What became of each message of ours, by unique id."""
        self.queries: dict[tuple[int, MessageId], str] = {}
        self._is_multi_device = is_multi_device
        self._page_size = page_size
        self._is_hostile = is_hostile
        self._next_unique_id = 1
        self._last_time = _START
        self._last_received: list[str] = []
        self._own: dict[int, Entry] = {}
        self._confirmed: set[str] = set()
        self._committed_at = 0.0

    # -- actions ---------------------------------------------------------------------

    @property
    def current(self) -> Attempt | None:
        """The newest connection."""
        return self.attempts[-1] if self.attempts else None

    @property
    def is_connected(self) -> bool:
        """True if the newest connection has not ended for the client."""
        return self.current is not None and self.current.client.state is not State.CLOSED

    def connect(self) -> None:
        """Open a connection, unless there is one."""
        if self.is_connected:
            return
        kind = HostileLink if self._is_hostile else OrderedLink
        client = ClientConnection(self.session, limits=self.limits, timing=self.timing)
        server = ServerConnection(self.login, now=self.now, limits=self.limits, timing=self.timing)
        attempt = Attempt(link=kind(self.random), client=client, server=server)
        client.connect(now=self.now)
        older = [one.server for one in self._living.values() if one.server.is_online]
        self.attempts.append(attempt)
        self._living[len(self.attempts)] = attempt
        server.accept(USER, f"s{len(self.attempts)}", timestamp=self._server_time(), now=self.now)
        if not self._is_multi_device:
            for connection in older:
                connection.dismiss(DisconnectStatus.OTHER_DEVICE_LOGIN, now=self.now)
        self.pump()

    def cut(self) -> None:
        """Break the newest connection."""
        if self.current is not None:
            self.current.link.cut(now=self.now)
            self.pump()

    def leave(self) -> None:
        """The client closes the newest connection."""
        if self.current is not None:
            self.current.client.disconnect(now=self.now)
            self.pump()

    def restart_client(self) -> None:
        """The program crashes and comes back with the session's saved state."""
        if self.current is not None:
            self.current.client.disconnect(now=self.now)
            self.current.link.cut(now=self.now)
            self.pump()
        state = self.session.to_state()
        self.session = ClientSession.from_state(state, limits=self.limits)
        self.shown = {}
        self.open = {}
        self._last_received = []

    def friend_sends(self) -> None:
        """A message for the user is stored and offered to all connections."""
        entry = self._append(MessageDirection.RECEIVED)
        for attempt in self._living.values():
            if attempt.server.is_online:
                attempt.server.offer(entry.item, time=entry.time, now=self.now)
        self.pump()

    def friend_types(self) -> None:
        """A status message for the user; it may be lost, it must do no harm."""
        item = self._item(self._next_time(), "", MessageDirection.RECEIVED)
        for attempt in self._living.values():
            if attempt.server.is_online:
                attempt.server.push_status(item, time=TimeMs(self._last_time), now=self.now)
        self.pump()

    def renotify(self) -> None:
        """The server repeats its newest announcement, as a lossy bus would."""
        for attempt in self._living.values():
            if attempt.server.is_online and self.store:
                attempt.server.notify(self.store[-1].time, now=self.now)
        self.pump()

    def user_sends(self) -> None:
        """The user publishes a message with a unique id, if the window allows."""
        attempt = self.current
        if attempt is None or not attempt.client.is_online:
            return
        if attempt.client.requests_in_flight >= self.limits.requests_in_flight:
            return
        if any(outcome == "waiting" for outcome in self.sends.values()):
            # The outbox of the last connection goes first.
            return
        unique_id = self._next_unique_id
        self._next_unique_id += 1
        conversation = Conversation(type=ConversationType.PRIVATE, target_id=FRIEND)
        message = compose(conversation, contents.Text(f"mine {unique_id}"), unique_id=unique_id)
        attempt.client.publish(message, now=self.now)
        self.sends[unique_id] = "sent"
        self.pump()

    def user_asks(self) -> None:
        """The user sends a query, if the window allows."""
        attempt = self.current
        if attempt is None or not attempt.client.is_online:
            return
        if attempt.client.requests_in_flight >= self.limits.requests_in_flight:
            return
        asked = request(Topic.PULL_US, USER, payloads.PullUserSettingInput(version=0))
        message_id = attempt.client.query(asked, now=self.now)
        self.queries[len(self.attempts), message_id] = "asked"
        self.pump()

    def commit(self) -> None:
        """The server's store is done: acknowledge messages, then answer pulls."""
        self._committed_at = self.now
        for attempt in self._living.values():
            messages, attempt.to_acknowledge = attempt.to_acknowledge, []
            pulls, attempt.to_answer = attempt.to_answer, []
            if not attempt.server.is_online:
                continue
            for message_id, entry in messages:
                attempt.server.acknowledge(
                    message_id, timestamp=entry.time, uid=entry.uid, now=self.now
                )
            for pull in pulls:
                attempt.server.answer_pull(
                    pull.message_id,
                    pull.items,
                    sync_time=pull.sync_time,
                    newest=pull.newest,
                    is_finished=pull.is_finished,
                    now=self.now,
                )
        self.pump()

    def acknowledge(self, count: int = 1, *, newest_first: bool = False) -> None:
        """The program takes messages it was given."""
        for receipt in sorted(self.open, reverse=newest_first)[:count]:
            uid = self.open.pop(receipt)
            if self.current is not None:
                self.missing.pop(uid, None)
                self.current.client.acknowledge(receipt, now=self.now)
        self.pump()

    def advance(self, seconds: float) -> None:
        """Let time pass, stopping at every deadline on the way.

        The server commits every few seconds: an answer after the client's time-out is no
        answer (session 7).
        """
        end = self.now + seconds
        while self.now < end:
            stop = min(end, self._committed_at + _COMMIT_EVERY)
            while (deadline := self._next_deadline()) is not None and deadline <= stop:
                self._move_to(deadline)
            self.now = max(self.now, stop)
            if self.now >= self._committed_at + _COMMIT_EVERY:
                self.commit()
        self.pump()

    def settle(self) -> None:
        """Stop all trouble and let everything come to rest."""
        waited = 0.0
        while waited < _QUIET:
            self.connect()
            self.commit()
            self.acknowledge(len(self.open))
            self.advance(1.0)
            waited += 1.0
            if self.is_settled:
                return

    @property
    def is_settled(self) -> bool:
        """True if everything has arrived, been taken and been acknowledged."""
        return (
            self.current is not None
            and self.current.client.is_online
            and not self.open
            and not self.missing
            and not self.session.outbox
            and "asked" not in self.queries.values()
        )

    # -- the loop --------------------------------------------------------------------

    def pump(self) -> None:
        """Move everything that can move now, then check the promises."""
        for number, attempt in self._living.items():
            self._pump(number, attempt)
        for number in [number for number, attempt in self._living.items() if attempt.is_over]:
            del self._living[number]
        self.check()

    def _pump(self, number: int, attempt: Attempt) -> None:
        link, client, server = attempt.link, attempt.client, attempt.server
        for arrival in link.arrivals(Role.CLIENT, now=self.now):
            if isinstance(arrival, Eof):
                client.receive_eof(now=self.now, clean=arrival is Eof.CLOSED)
            else:
                if not self._is_hostile:
                    attempt.check_answer(arrival)
                client.receive_message(arrival, now=self.now)
        for arrival in link.arrivals(Role.SERVER, now=self.now):
            if isinstance(arrival, Eof):
                server.receive_eof(now=self.now, clean=arrival is Eof.CLOSED)
            else:
                server.receive_message(arrival, now=self.now)
        while (happened := server.next_event()) is not None:
            if server.is_online or isinstance(happened, ConnectionClosed):
                self._serve(attempt, server, happened)
        for message in server.messages_to_send():
            link.send(Role.SERVER, message, now=self.now)
        if attempt.server_ends:
            link.close(Role.SERVER, now=self.now)
        while (event := client.next_event()) is not None:
            self._note(number, attempt, event)
        for message in client.messages_to_send():
            if not self._is_hostile:
                attempt.check_request(message)
            link.send(Role.CLIENT, message, now=self.now)
        if attempt.client_ends:
            link.close(Role.CLIENT, now=self.now)

    def _next_deadline(self) -> float | None:
        deadlines = [
            deadline
            for attempt in self._living.values()
            for source in (attempt.link, attempt.client, attempt.server)
            if (deadline := source.next_deadline()) is not None
        ]
        return min(deadlines, default=None)

    def _move_to(self, time: float) -> None:
        self.now = max(self.now, time)
        for attempt in self._living.values():
            attempt.client.handle_timeout(now=self.now)
            attempt.server.handle_timeout(now=self.now)
        self.pump()

    # -- the two programs ------------------------------------------------------------

    def _note(self, number: int, attempt: Attempt, event: ClientEvent) -> None:
        match event:
            case MessageReceived():
                uid = event.message.uid or ""
                if uid:
                    self._check_shown(uid, event.message.direction)
                    self.shown[uid] = None
                self.open[event.receipt] = uid
            case PublishAcknowledged(unique_id=int(unique_id)):
                self.sends[unique_id] = "acknowledged" if event.status == 0 else "refused"
                assert self._is_hostile or unique_id in self._own, "acknowledged, not stored"
                self._confirmed.add(event.uid)
            case RequestFailed():
                if (number, event.message_id) in self.queries:
                    self.queries[number, event.message_id] = "failed"
                elif event.cause.name == "CLOSED":
                    for unique_id in self.session.outbox:
                        self.sends[unique_id] = "waiting"
            case Resent():
                self.sends[event.unique_id] = "sent"
            case QueryAnswered():
                self.queries[number, event.message_id] = "answered"
            case ConnectionClosed():
                attempt.client_ends.append(event)
            case Connected():
                assert self._is_hostile or event.user_id == USER
            case _:
                pass

    def _serve(self, attempt: Attempt, server: ServerConnection, event: ServerEvent) -> None:
        match event:
            case PublishReceived():
                self._accept_message(attempt, server, event)
            case QueryReceived():
                reply = payloads.encode(payloads.PullUserSettingOutput(version=1))
                server.answer(
                    event.frame.message_id,
                    timestamp=self._server_time(),
                    data=reply,
                    now=self.now,
                )
            case PullReceived():
                attempt.to_answer.append(self._read(event))
            case ConnectionClosed():
                attempt.server_ends.append(event)

    def _accept_message(
        self, attempt: Attempt, server: ServerConnection, event: PublishReceived
    ) -> None:
        try:
            up = payloads.decode(payloads.UpStreamMessage, event.frame.data)
        except DecodeError:
            assert self._is_hostile, "a payload was damaged"
            server.acknowledge(
                event.frame.message_id,
                timestamp=self._server_time(),
                status=ErrorCode.BIZ_ERROR_INVALID_PARAMETER,
                now=self.now,
            )
            return
        entry = self._own.get(up.clientUniqueId)
        if entry is None:
            entry = self._append(MessageDirection.SENT)
            self._own[up.clientUniqueId] = entry
        attempt.to_acknowledge.append((event.frame.message_id, entry))

    def _read(self, pull: PullReceived) -> PullReply:
        sent_after = pull.sent_sync_time
        wanted = [
            entry
            for entry in self.store
            if (
                entry.time > pull.sync_time
                if entry.direction is MessageDirection.RECEIVED
                else self._is_multi_device and sent_after is not None and entry.time > sent_after
            )
        ]
        page = wanted[: self._page_size]
        # A cut page must end later than the pull began, and own messages may be older.
        while len(page) < len(wanted) and page[-1].time <= pull.sync_time:
            page.append(wanted[len(page)])
        is_finished = len(page) == len(wanted)
        newest = self.store[-1].time if self.store else TimeMs(0)
        return PullReply(
            pull.message_id,
            [entry.item for entry in page],
            newest if is_finished else page[-1].time,
            newest,
            is_finished,
        )

    def _append(self, direction: MessageDirection) -> Entry:
        time = self._next_time()
        uid = f"{time:X}"
        entry = Entry(time, uid, self._item(time, uid, direction), direction)
        self.store.append(entry)
        if direction is MessageDirection.RECEIVED:
            self.missing[uid] = time
        return entry

    def _item(self, time: TimeMs, uid: str, direction: MessageDirection) -> bytes:
        return payloads.encode(
            payloads.DownStreamMessage(
                fromUserId=FRIEND,
                type=ConversationType.PRIVATE,
                classname=contents.Text.object_name,
                content=contents.encode(contents.Text(uid)),
                dataTime=time,
                status=0,
                msgId=uid or None,
                direction=direction,
            )
        )

    def _server_time(self) -> TimeMs:
        return TimeMs(_START + int(self.now * 1000))

    def _next_time(self) -> TimeMs:
        self._last_time = max(self._last_time + 1, self._server_time())
        return TimeMs(self._last_time)

    # -- promises --------------------------------------------------------------------

    def check(self) -> None:
        """AssertionError if a promise is broken."""
        if self._is_hostile:
            return
        for time in self.missing.values():
            assert self.session.inbox_cursor < time, "the cursor passed a message"
            break
        deadline = self._next_deadline()
        assert deadline is None or deadline >= self.now, "a deadline lies in the past"
        for attempt in self._living.values():
            assert len(attempt.client_ends) <= 1, "a client ended twice"
            assert len(attempt.server_ends) <= 1, "a server ended twice"

    def _check_shown(self, uid: str, direction: MessageDirection) -> None:
        if self._is_hostile:
            return
        assert uid not in self.shown, "a message was shown twice"
        assert uid not in self._confirmed, "an own message came back"
        if direction is MessageDirection.RECEIVED:
            assert all(uid > earlier for earlier in self._last_received), "out of order"
            self._last_received = [uid]

    def check_complete(self) -> None:
        """AssertionError unless everything that was sent has arrived; call after settle."""
        self.check()
        assert not self.missing, f"never shown or taken: {list(self.missing)}"
        assert set(self.sends.values()) <= {"acknowledged"}, f"not acknowledged: {self.sends}"
        assert self.is_settled, "something is still moving"
        for attempt in self.attempts[:-1]:
            assert len(attempt.client_ends) == 1
            reasons = {end.reason for end in attempt.client_ends}
            assert CloseReason.VIOLATION not in reasons
