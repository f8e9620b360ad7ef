"""Somebody who talks: a page with an SDK in it, or a program with our client.

Scenarios are written for a :class:`Party` of either kind. A party keeps everything it hears, in
order; a test takes the messages one after the other, so that one too many, too few or out of
place cannot go unnoticed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Content = Mapping[str, Any]

P = TypeVar("P", bound="Member")

PATIENCE: Final = 20.0
"""Seconds until something that does not happen is a failure. SDKs connect again every 5."""

SETTLING: Final = 2
"""Questions about history until a party has settled. They are answered in turn with everything
else: the first one after each notification of what was there before, and the second one after
the pull that such a notification may have caused."""

TEXT: Final = "RC:TxtMsg"
TYPING: Final = "RC:TypSts"
READ: Final = "RC:ReadNtf"
IMAGE: Final = "RC:ImgMsg"
RECALL: Final = "RC:RcCmd"
SYNC_READ: Final = "RC:SRSMsg"
ASK_RECEIPT: Final = "RC:RRReqMsg"
RECEIPT: Final = "RC:RRRspMsg"
EXPANSION: Final = "RC:MsgExMsg"
ENTRY: Final = "RC:chrmKVNotiMsg"

PRIVATE: Final = 1
DISCUSSION: Final = 2
GROUP: Final = 3
CHATROOM: Final = 4
CUSTOMER_SERVICE: Final = 5
PUBLIC_SERVICE: Final = 8


class Place(NamedTuple):
    """Where people talk: a type of conversation and its target (messages 1)."""

    type: int
    id: str

    @classmethod
    def of(cls, where: Place | str) -> Place:
        """A user id means the private conversation with this user."""
        return cls(PRIVATE, where) if isinstance(where, str) else where


class Refused(Exception):
    """The server has said no; ``code`` is what the application is told."""

    def __init__(self, code: Any) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a sender is told about his message."""

    uid: str
    time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a receiver is told about a message."""

    sender: str
    conversation: str
    kind: str
    content: Content
    uid: str
    time: int
    is_offline: bool
    type: int = PRIVATE
    is_mine: bool = False
    """The user has sent it, from this client or another."""
    is_mentioned: bool | None = None
    """The message mentions the user; None if the client does not tell."""
    expansion: Content = field(default_factory=dict)
    """The pairs that are attached to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An entry of somebody's list of conversations."""

    place: Place
    uid: str
    """Of the last message."""
    content: Content


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomInfo:
    """Who is in a chatroom."""

    total: int
    members: list[str]


class Readers(NamedTuple):
    """Who has read a message of a group, of how many."""

    total: int
    users: list[str]


class Member(ABC):
    """Somebody who is there and listens. Whatever is refused raises :class:`Refused`."""

    def __init__(self, user: str) -> None:
        self.user = user
        self._taken = 0

    @abstractmethod
    def connect(self) -> None:
        """Log in, for the first time or again."""

    @abstractmethod
    def disconnect(self) -> None:
        """Log out. What comes meanwhile has to be there after the next login."""

    @abstractmethod
    def settle(self) -> None:
        """Wait until the server has said all that it has to say now."""

    @abstractmethod
    def heard(self, least: int = 0) -> list[Heard]:
        """All messages from the beginning, as soon as there are this many."""

    def take(self, count: int) -> list[Heard]:
        """The next messages."""
        begin, self._taken = self._taken, self._taken + count
        return self.heard(self._taken)[begin : self._taken]

    def left_over(self) -> list[Heard]:
        """What nobody has taken."""
        self.settle()
        return self.heard()[self._taken :]


class Party(Member):
    """One user with one client, who can do all that clients can."""

    @abstractmethod
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
        """Send messages without waiting in between; then wait until all are acknowledged.

        ``only``: for these members of a group. ``is_mentioning``: the content says whom.
        ``is_expandable``: pairs can be attached. ``is_status``: only for those who are there.
        """

    @abstractmethod
    def history(
        self, of: Place | str, *, time: int = 0, count: int, is_forward: bool = False
    ) -> tuple[list[Heard], bool]:
        """A page of a conversation, the oldest message first, and whether there is more."""

    @abstractmethod
    def delete(self, of: Place | str, messages: Sequence[Heard]) -> None:
        """Delete messages of a conversation, for this user only."""

    @abstractmethod
    def clear(self, of: Place | str, *, until: int) -> None:
        """Delete everything up to a time, for this user only."""

    @abstractmethod
    def recall(self, message: Heard | Sent) -> Sent:
        """Take back a message that this client has sent."""

    @abstractmethod
    def expand(self, uid: str, pairs: Mapping[str, str]) -> None:
        """Attach pairs to an expandable message that this client has sent or heard."""

    @abstractmethod
    def remove_expansion(self, uid: str, keys: Sequence[str]) -> None:
        """Take pairs off again."""

    @abstractmethod
    def take_expansions(self, count: int) -> list[tuple[str, Any]]:
        """What others have attached (pairs) or taken off (keys) next, and to which message."""

    @abstractmethod
    def report_read(self, group: str, uids: Sequence[str]) -> None:
        """Say which messages of a group have been read, where that is no message."""

    @abstractmethod
    def readers(self, group: str, uid: str) -> Readers:
        """Who has read a message of a group, where that is no message."""

    @abstractmethod
    def conversations(self, count: int = 100) -> list[Listed]:
        """The first of the list of conversations, as the server keeps it, the newest first."""

    @abstractmethod
    def remove_conversation(self, of: Place | str) -> None:
        """Take a conversation off the list."""

    @abstractmethod
    def make_tag(self, tag: str, name: str) -> None:
        """Make a tag."""

    @abstractmethod
    def remove_tag(self, tag: str) -> None:
        """Remove a tag."""

    @abstractmethod
    def tag(self, tag: str, places: Sequence[Place]) -> None:
        """Give conversations a tag."""

    @abstractmethod
    def wait_until_tagged(self, tag: str, places: Sequence[Place]) -> None:
        """Wait until just these conversations have a tag, the last spoken in at the end."""

    @abstractmethod
    def join(self, room: str, *, count: int) -> None:
        """Enter a chatroom, and hear so many messages of before; -1: none."""

    @abstractmethod
    def quit(self, room: str) -> None:
        """Leave a chatroom."""

    @abstractmethod
    def room_info(self, room: str, *, count: int) -> RoomInfo:
        """Who is in a chatroom; of the members the first who came."""

    @abstractmethod
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
        """Set a value of a chatroom's store. ``is_told``: by a message to the others."""

    @abstractmethod
    def remove_entry(self, room: str, key: str, *, force: bool = False) -> None:
        """Remove a value of a chatroom's store."""

    @abstractmethod
    def entries(self, room: str) -> dict[str, str]:
        """All values of a chatroom's store, as this client knows them."""

    @abstractmethod
    def mute(self, place: Place | str, *, is_muted: bool, is_top: bool) -> None:
        """Set how a conversation is shown."""

    def tell_read(self, message: Heard) -> None:
        """Tell a sender that his private messages up to this one have been read."""
        content = {"lastMessageSendTime": message.time, "messageUId": message.uid, "type": 1}
        self.send(message.conversation, content, kind=READ)

    def take_read(self) -> tuple[str, str, int]:
        """The next receipt of that kind: who has read, up to which message, of which time."""
        (receipt,) = self.take(1)
        assert (receipt.kind, receipt.type) == (READ, PRIVATE)
        assert receipt.conversation == receipt.sender
        return receipt.sender, receipt.content["messageUId"], receipt.content["lastMessageSendTime"]

    def ask_receipts(self, group: Place, message: Sent) -> None:
        """Ask the members of a group, by a message, whether they have read another one."""
        self.send(group, {"messageUId": message.uid}, kind=ASK_RECEIPT)

    def take_request(self) -> tuple[str, str]:
        """The next request of that kind: who asks, about which message."""
        (request,) = self.take(1)
        assert (request.kind, request.type) == (ASK_RECEIPT, GROUP)
        return request.sender, request.content["messageUId"]

    def read_elsewhere(self, message: Heard) -> None:
        """Tell this user's other devices that a conversation is read up to a message."""
        content = {"lastMessageSendTime": message.time}
        self.send(message.conversation, content, kind=SYNC_READ)

    def take_read_elsewhere(self, message: Heard) -> None:
        """Check that this is the next that another device of this user says."""
        (mark,) = self.take(1)
        assert (mark.kind, mark.type, mark.conversation, mark.is_mine) == (
            SYNC_READ,
            PRIVATE,
            message.conversation,
            True,
        )
        assert mark.content["lastMessageSendTime"] == message.time

    def send_typing(self, to: Place | str) -> None:
        """Tell those who are there that this user is typing."""
        content = {"typingContentType": TEXT, "data": ""}
        self.send(to, content, kind=TYPING, is_status=Place.of(to).type == GROUP)

    def take_typing(self) -> tuple[str, str]:
        """Who is typing next, and in which conversation."""
        (news,) = self.take(1)
        assert (news.kind, news.content["typingContentType"]) == (TYPING, TEXT)
        return news.sender, news.conversation

    def register(self, kind: str, properties: Sequence[str], *, is_kept: bool = True) -> None:
        """Announce a kind of messages that the client does not know, where that is needed."""

    def send(self, to: Place | str, content: Content, **options: Any) -> Sent:
        """Send a message and wait until it is acknowledged; see :meth:`send_all`."""
        return self.send_all(to, [content], **options)[0]


def online(party: P) -> P:
    """The same party, connected, and with nothing left to be told about the time before."""
    party.connect()
    party.settle()
    return party


def texts(*words: str) -> list[Content]:
    """Contents of text messages."""
    return [{"content": word} for word in words]


def hears(
    receiver: Member,
    sender: Member,
    contents: Sequence[Content],
    sent: Sequence[Sent],
    *,
    kind: str = TEXT,
    place: Place | None = None,
) -> None:
    """Check that exactly these messages come next, in this order, as they were acknowledged.

    ``place``: where they were sent; None for the private conversation of the two.
    """
    heard = receiver.take(len(contents))
    assert [message.content for message in heard] == list(contents)
    assert [(message.uid, message.time) for message in heard] == [
        (message.uid, message.time) for message in sent
    ]
    where = place or Place(PRIVATE, sender.user)
    assert {
        (message.sender, message.type, message.conversation, message.kind) for message in heard
    } == {(sender.user, *where, kind)}
    assert all(this.time < that.time for this, that in pairwise(heard))


def delivers(
    sender: Party, receiver: Member, contents: Sequence[Content], *, kind: str = TEXT
) -> None:
    """Send messages and check that they come."""
    sent = sender.send_all(receiver.user, contents, kind=kind)
    hears(receiver, sender, contents, sent, kind=kind)


def nothing_more(*parties: Member) -> None:
    """Check that nobody has heard anything but what the test has taken."""
    for party in parties:
        assert party.left_over() == []
