"""A chat message to send, and one received."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from improto import contents, payloads
from improto.codes import ConversationType
from improto.errors import EncodeError, LocalProtocolError
from improto.frames import MessageUid, Qos, TimeMs
from improto.messages import (
    ChatMessage,
    Conversation,
    MessageDirection,
    Outgoing,
    compose,
    conversation_type,
    received,
    request,
    sent_elsewhere,
)
from improto.operations import Kind, Topic
from tests.helpers import down

PRIVATE = Conversation.private("u2")
GROUP = Conversation.group("g1")
HELLO = contents.Text("hello")


def payload_of(message: Outgoing) -> payloads.UpStreamMessage:
    return payloads.decode(payloads.UpStreamMessage, message.data)


def read(message: payloads.DownStreamMessage) -> ChatMessage:
    """As user ``u1``, who connected at 1000."""
    return received(message, user_id="u1", connected_at=TimeMs(1000))


@pytest.mark.parametrize(
    ("conversation", "kind"),
    [
        (Conversation.private("x"), ConversationType.PRIVATE),
        (Conversation.group("x"), ConversationType.GROUP),
        (Conversation.chatroom("x"), ConversationType.CHATROOM),
    ],
)
def test_the_common_conversations_have_short_names(
    conversation: Conversation, kind: ConversationType
) -> None:
    """Messages 1."""
    assert conversation == Conversation(type=kind, target_id="x")


class TestCompose:
    """Messages to send."""

    def test_a_text_message_is_that_of_the_sdks(self) -> None:
        """Flags 3, configFlag 0: the bytes of wire 6."""
        message = compose(PRIVATE, contents.Text("hi"))
        assert message == Outgoing(
            topic=Topic.PP_MSG_P,
            target_id="u2",
            data=bytes.fromhex(
                "08 03 12 09 52 43 3a 54 78 74 4d 73 67"
                "1a 10 7b 22 63 6f 6e 74 65 6e 74 22 3a 22 68 69 22 7d 48 00"
            ),
        )

    def test_messages_want_an_answer(self) -> None:
        """QoS 1 (wire 8)."""
        assert compose(PRIVATE, HELLO).qos is Qos.AT_LEAST_ONCE

    def test_typing_is_a_status_message(self) -> None:
        """Operations 2.1."""
        typing = contents.Typing("RC:TxtMsg")
        assert compose(PRIVATE, typing).topic is Topic.PP_MSG_S
        assert payload_of(compose(PRIVATE, typing)).sessionId == 0
        assert compose(PRIVATE, typing, kind=Kind.STORED).topic is Topic.PP_MSG_P

    def test_what_is_said_is_written(self) -> None:
        message = compose(
            GROUP, HELLO, flags=1, receivers=("u2", "u3"), unique_id=7, push_text="ping"
        )
        payload = payload_of(message)
        assert message.unique_id == payload.clientUniqueId == 7
        assert payload.sessionId == 1
        assert list(payload.userId) == ["u2", "u3"]
        assert payload.pushText == "ping"

    def test_what_is_not_said_is_absent(self) -> None:
        payload = payload_of(compose(PRIVATE, HELLO))
        assert not payload.HasField("clientUniqueId")
        assert not payload.HasField("pushText")

    @pytest.mark.parametrize("unique_id", [0, 2**63 - 1])
    def test_a_unique_id_may_be_any_positive_int64(self, unique_id: int) -> None:
        assert payload_of(compose(PRIVATE, HELLO, unique_id=unique_id)).clientUniqueId == unique_id

    @pytest.mark.parametrize("unique_id", [-1, 2**63])
    def test_any_other_is_refused(self, unique_id: int) -> None:
        with pytest.raises(EncodeError, match="unique_id must be 0 to 9223372036854775807"):
            compose(PRIVATE, HELLO, unique_id=unique_id)

    def test_a_content_ends_where_the_sdks_end_it(self) -> None:
        """131072 bytes; a server may close a connection for a larger frame (wire 7)."""
        fitting = contents.Text("x" * (131_072 - len(b'{"content":""}')))
        assert len(payload_of(compose(PRIVATE, fitting)).content) == 131_072
        with pytest.raises(EncodeError, match="content: 131073 bytes, the limit is 131072"):
            compose(PRIVATE, contents.Text(fitting.content + "x"))
        compose(PRIVATE, contents.Text(fitting.content + "x"), content_limit=131_073)

    @pytest.mark.parametrize("number", [0, 9, 99])
    def test_nobody_can_write_to_an_unknown_kind_of_conversation(self, number: int) -> None:
        with pytest.raises(LocalProtocolError, match=str(number)):
            compose(Conversation(type=number, target_id="x"), HELLO)

    def test_nobody_can_write_to_a_system_account(self) -> None:
        """Operations 2."""
        with pytest.raises(LocalProtocolError, match="SYSTEM"):
            compose(Conversation(type=ConversationType.SYSTEM, target_id="x"), HELLO)

    def test_a_conversation_may_be_named_by_its_number(self) -> None:
        assert compose(Conversation(type=3, target_id="g1"), HELLO) == compose(GROUP, HELLO)

    @pytest.mark.parametrize(
        "arguments",
        [{"flags": 2**31}, {"push_text": "\ud83d"}, {"receivers": ("u2", "\ud83d")}],
        ids=["flags", "push_text", "receivers"],
    )
    def test_what_no_payload_can_hold_is_refused(self, arguments: dict[str, object]) -> None:
        """Text of payloads is UTF-8, numbers are 32 bits (wire 3)."""
        with pytest.raises(EncodeError):
            compose(PRIVATE, HELLO, **arguments)  # type: ignore[arg-type]


def test_a_query_has_the_qos_of_its_topic() -> None:
    """Operations; QoS 0 for what the newest SDKs ask (wire 8)."""
    asked = request(Topic.PULL_US, "u1", payloads.PullUserSettingInput(version=0))
    assert (asked.topic, asked.target_id, asked.qos) == (Topic.PULL_US, "u1", Qos.AT_MOST_ONCE)


def test_an_incomplete_query_is_refused() -> None:
    """Required fields (wire 7, rule 9)."""
    with pytest.raises(EncodeError, match="syncTime"):
        request(Topic.PULL_MSG, "u1", payloads.SyncRequestMsg())


@pytest.mark.parametrize("number", [1, 12])
def test_known_numbers_become_conversation_types(number: int) -> None:
    assert conversation_type(number) is ConversationType(number)


def test_an_unknown_number_stays_a_number() -> None:
    assert conversation_type(99) == 99


class TestReceived:
    """Messages as their reader sees them (messages 1, session 9.2)."""

    def test_a_private_message_belongs_to_its_sender(self) -> None:
        message = read(down(2000))
        assert message.conversation == PRIVATE
        assert message.sender_id == "u2"
        assert message.direction is MessageDirection.RECEIVED
        assert message.decoded() == contents.Text("hi")
        assert (message.object_name, message.uid, message.time) == ("RC:TxtMsg", "m2000", 2000)
        assert message.status == 0x30

    @pytest.mark.parametrize(
        "kind",
        [
            ConversationType.DISCUSSION,
            ConversationType.GROUP,
            ConversationType.CHATROOM,
            ConversationType.ULTRA_GROUP,
            ConversationType.RTC_ROOM,
        ],
    )
    def test_a_group_message_belongs_to_the_group(self, kind: ConversationType) -> None:
        message = read(down(2000, type=kind, group="g1"))
        assert message.conversation == Conversation(type=kind, target_id="g1")
        assert message.sender_id == "u2"

    def test_without_a_group_the_sender_has_to_do(self) -> None:
        """The newer SDKs show discussions so (messages 1)."""
        message = read(down(2000, type=ConversationType.DISCUSSION))
        assert message.conversation.target_id == "u2"

    @pytest.mark.parametrize("kind", [ConversationType.PRIVATE, ConversationType.SYSTEM, 99])
    def test_elsewhere_the_group_id_says_nothing(self, kind: ConversationType | int) -> None:
        assert read(down(2000, type=kind, group="u1")).conversation == Conversation(
            type=kind, target_id="u2"
        )

    def test_an_own_private_message_names_the_peer(self) -> None:
        """fromUserId is then the peer; the reader is the sender (session 9.2)."""
        message = read(down(2000, sender="u2", direction=1))
        assert message.conversation == PRIVATE
        assert message.sender_id == "u1"
        assert message.direction is MessageDirection.SENT

    def test_a_room_message_of_the_reader_is_his_own(self) -> None:
        """Also without a direction (messages 1)."""
        room = ConversationType.CHATROOM
        assert read(down(2000, sender="u1", type=room, group="r1")).direction == 1
        assert read(down(2000, sender="u2", type=room, group="r1")).direction == 2
        assert read(down(2000, sender="u1", type=ConversationType.GROUP, group="g1")).direction == 2

    @pytest.mark.parametrize(("time", "is_offline"), [(999, True), (1000, False), (1001, False)])
    def test_older_than_the_login_is_offline(self, time: int, is_offline: bool) -> None:
        """Session 8.7."""
        assert read(down(time)).is_offline is is_offline

    def test_what_is_absent_is_none(self) -> None:
        message = read(down(2000, uid=None))
        assert message.uid is None
        assert message.unique_id is None
        assert message.extra_content is None

    def test_what_is_present_is_kept(self) -> None:
        """Copy through (messages 2), expansion as JSON text (messages 8.6)."""
        payload = down(2000)
        payload.clientUniqueId = 0
        payload.extraContent = ""
        message = read(payload)
        assert message.unique_id == 0
        assert message.extra_content == ""

    def test_an_application_may_bring_its_own_types(self) -> None:
        registry = contents.Registry()

        @registry.register
        @dataclass(frozen=True, slots=True)
        class Vote(contents.BaseContent):
            object_name = "app:vote"
            content: str

        payload = down(2000)
        payload.classname = "app:vote"
        assert read(payload).decoded(registry=registry) == Vote("hi")
        assert isinstance(read(payload).decoded(), contents.Unknown)


class TestSentElsewhere:
    """Copies of what the user sent from another device (session 9.3)."""

    @staticmethod
    def copy(
        up: payloads.UpStreamMessage, topic: Topic = Topic.PP_MSG_P, target: str = "u2"
    ) -> ChatMessage:
        return sent_elsewhere(
            up, topic=topic, target_id=target, user_id="u1", uid=MessageUid("m1"), time=TimeMs(5)
        )

    @pytest.mark.parametrize(
        ("topic", "kind"),
        [
            (Topic.PP_MSG_P, ConversationType.PRIVATE),
            (Topic.PG_MSG_P, ConversationType.GROUP),
            (Topic.CHAT_MSG, ConversationType.CHATROOM),
            (Topic.PC_MSG_P, ConversationType.CUSTOMER_SERVICE),
        ],
    )
    def test_topic_and_target_are_the_conversation(
        self, topic: Topic, kind: ConversationType
    ) -> None:
        message = self.copy(payload_of(compose(PRIVATE, HELLO)), topic)
        assert message.conversation == Conversation(type=kind, target_id="u2")

    def test_it_is_the_message_that_was_sent(self) -> None:
        """Uid and time come from the PUBACK."""
        message = self.copy(payload_of(compose(PRIVATE, HELLO, unique_id=7)))
        assert message.sender_id == "u1"
        assert message.direction is MessageDirection.SENT
        assert message.decoded() == HELLO
        assert (message.uid, message.time, message.unique_id) == ("m1", 5, 7)
        assert not message.is_offline
        assert message.extra_content is None
        assert message.status == contents.down_flags(3, mentions_reader=False)

    def test_a_mention_is_none_of_the_writer(self) -> None:
        """The bit 64 is for readers who are mentioned (messages 3.3)."""
        up = payload_of(compose(GROUP, HELLO, flags=7))
        assert not self.copy(up, Topic.PG_MSG_P).status & contents.DownFlag.MENTIONED

    def test_what_is_absent_is_none_and_what_is_present_is_kept(self) -> None:
        up = payload_of(compose(PRIVATE, HELLO))
        assert self.copy(up).unique_id is None
        up.extraContent = "{}"
        assert self.copy(up).extra_content == "{}"

    def test_an_empty_uid_is_none(self) -> None:
        message = sent_elsewhere(
            payload_of(compose(PRIVATE, HELLO)),
            topic=Topic.PP_MSG_P,
            target_id="u2",
            user_id="u1",
            uid=MessageUid(""),
            time=TimeMs(5),
        )
        assert message.uid is None

    def recall(self, command: contents.Content) -> Conversation:
        up = payload_of(compose(PRIVATE, command))
        return self.copy(up, Topic.RECALL_MSG, target="u1").conversation

    @pytest.mark.parametrize("number", [3, 99])
    def test_a_recall_names_its_conversation_in_the_content(self, number: int) -> None:
        """It is sent to oneself (messages 7, rules 1 and 5)."""
        command = contents.RecallCommand("m0", conversation_type=number, target_id="g1")
        assert self.recall(command) == Conversation(type=number, target_id="g1")

    def test_a_recall_that_does_not_is_with_oneself(self) -> None:
        """As SDK 2.9.2 shows all of them (messages 7, rule 5)."""
        oneself = Conversation(type=ConversationType.PRIVATE, target_id="u1")
        whole = contents.RecallCommand("m0", conversation_type=3, target_id="g1")
        assert self.recall(replace(whole, target_id=None)) == oneself
        assert self.recall(replace(whole, conversation_type=None)) == oneself
        assert self.recall(HELLO) == oneself
