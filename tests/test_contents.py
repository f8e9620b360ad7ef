"""Contents: every type round trips, nothing is lost, nothing raises."""

import base64
import collections.abc
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from improto import contents
from improto.contents import (
    DEFAULT,
    JSON,
    MAX_DEPTH,
    BaseContent,
    ChatroomKeyChange,
    Combine,
    Command,
    ConfigFlag,
    Content,
    DownFlag,
    ExpansionChange,
    HighQualityVoice,
    Image,
    InformationNotification,
    Location,
    MentionedInfo,
    MentionType,
    Part,
    ReadReceipt,
    ReadReceiptResponse,
    RecallCommand,
    Registry,
    RichContent,
    ShortVideo,
    Text,
    Typing,
    Unknown,
    UpFlag,
    UserInfo,
    Voice,
    Wire,
    decode,
    down_flags,
    encode,
    escape_astral,
    flags,
    member_names,
    mentions,
)
from improto.errors import EncodeError, LocalProtocolError
from tools import contents_table

VECTORS = Path(__file__).parent / "vectors"
TYPES = list(DEFAULT)
EMOJI = "\U0001f600"

# Copied by hand from the tables of object names (messages 4, sdk5 10), not from the code.
STORED_AND_COUNTED = """
    RC:TxtMsg RC:ImgMsg RC:VcMsg RC:HQVCMsg RC:GIFMsg RC:SightMsg RC:ImgTextMsg RC:FileMsg RC:LBSMsg
    RC:CombineMsg RC:ReferenceMsg RC:PSImgTxtMsg RC:PSMultiImgTxtMsg RCJrmf:RpMsg RCJrmf:RpOpendMsg
    RC:CombineV2Msg RC:StreamMsg RC:RLStart RC:RLEnd
"""
STORED = "RC:InfoNtf RC:ContactNtf RC:ProfileNtf RC:CmdNtf RC:GrpNtf RC:DizNtf RC:RcCmd RC:RcNtf"
NEITHER = """
    RC:CmdMsg RC:TypSts RC:ReadNtf RC:SRSMsg RC:RRReqMsg RC:RRRspMsg RC:RRMsg RC:MsgExMsg
    RC:chrmKVNotiMsg RC:ChrmJoinNtf RC:ChrmQuitNtf RC:ChrmMemChange RC:InterceptMsg RC:LogCmdMsg
    RC:PSCmd RC:CsHs RC:CsHsR RC:CSCha RC:CsChaR RC:CsSp RC:CsEnd RC:CsEva RC:CsContact RC:CsUpdate
    RC:VCInvite RC:VCRinging RC:VCAccept RC:VCHangup RC:VCModifyMedia RC:VCModifyMem RC:VCSummary
    RC:RLJoin RC:RLQuit RC:RL RC:RSMsg RC:DRMsg RC:Delivered RC:ChrmBanMsg RC:ChrmBlockMsg
    RC:ChrmSyncMsg RC:CCConfigChangeRequestMsg
"""

# The only members that a content has without being given them (messages 5).
NOT_NONE: dict[type[BaseContent], dict[str, JSON]] = {
    Text: {"content": ""},
    HighQualityVoice: {"type": "aac"},
    ReadReceipt: {"type": 1},
}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a declared field type."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return values_of(arguments[0])
    if origin in (types.UnionType, typing.Union):
        return st.one_of(*map(values_of, arguments))
    if origin is tuple:
        return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
    if origin is collections.abc.Mapping:
        return st.dictionaries(st.text(max_size=5), values_of(arguments[1]), max_size=3)
    if issubclass(hint, Part):
        return parts(hint)
    return {
        type(None): st.none(),
        str: st.text(),
        int: st.integers(-(10**18), 10**18),
        float: st.floats(allow_nan=False, allow_infinity=False) | st.integers(-180, 180),
        bool: st.booleans(),
        JSON: json_values,
    }[hint]


def parts(part: type[Part]) -> st.SearchStrategy[Any]:
    """Instances of a class with all its fields, and members that no field declares."""
    hints = typing.get_type_hints(part, include_extras=True)
    declared = set(member_names(part).values())
    given_fields = {
        field.name: values_of(hints[field.name]) for field in fields(part) if field.name != "rest"
    }
    names = st.text(max_size=5).filter(lambda name: name not in declared)
    return st.builds(part, **given_fields, rest=st.dictionaries(names, json_values, max_size=2))


def vector_contents() -> dict[tuple[str, bytes], str]:
    """Every (object name, content) of a chat message in the golden vectors -> vector's name."""
    found: dict[tuple[str, bytes], str] = {}
    for file in ("frames.jsonl", "payloads.jsonl"):
        for line in (VECTORS / file).read_text(encoding="utf-8").splitlines():
            vector = json.loads(line)
            payload = vector.get("payload", vector)
            if payload.get("message") in ("UpStreamMessage", "DownStreamMessage"):
                message = payload["fields"]
                if "content" in message:
                    key = message["classname"], base64.b64decode(message["content"])
                    found.setdefault(key, vector["name"])
    return found


def picky_members() -> list[tuple[type[BaseContent], str]]:
    """Every (class, member of its own) whose type is not simply JSON."""
    common = member_names(BaseContent)
    return [
        (kind, name)
        for kind in TYPES
        for attribute, name in member_names(kind).items()
        if attribute not in common
        and JSON not in typing.get_args(typing.get_type_hints(kind)[attribute])
    ]


def a_content(object_name: str, members: JSON) -> Content:
    return decode(object_name, json.dumps(members).encode())


class TestTypes:
    def test_every_object_name_with_its_flags(self) -> None:
        declared = {kind.object_name: (kind.is_persisted, kind.is_counted) for kind in DEFAULT}
        assert declared == {
            **dict.fromkeys(STORED_AND_COUNTED.split(), (True, True)),
            **dict.fromkeys(STORED.split(), (True, False)),
            **dict.fromkeys(NEITHER.split(), (False, False)),
        }

    @pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
    def test_is_public_and_documented(self, kind: type[BaseContent]) -> None:
        assert getattr(contents, kind.__name__) is kind
        assert kind.__doc__
        assert not kind.__doc__.startswith(f"{kind.__name__}(")

    def test_all_is_complete(self) -> None:
        public = {
            name
            for name, value in vars(contents).items()
            if not name.startswith("_") and not isinstance(value, types.ModuleType)
        }
        assert public == set(contents.__all__)

    def test_document_is_up_to_date(self) -> None:
        assert contents_table.written_table() == contents_table.table()


class TestRoundTrip:
    @pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
    @settings(max_examples=settings().max_examples // 5)
    @given(data=st.data())
    def test_value(self, kind: type[BaseContent], data: st.DataObject) -> None:
        content = data.draw(parts(kind))
        encoded = encode(content)
        assert decode(kind.object_name, encoded) == content
        assert encode(decode(kind.object_name, encoded)) == encoded

    @pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
    def test_absent_and_null_members_are_defaults(self, kind: type[BaseContent]) -> None:
        null = dict.fromkeys(member_names(kind).values())
        assert decode(kind.object_name, b"{}") == a_content(kind.object_name, null) == kind()
        assert json.loads(encode(kind())) == NOT_NONE.get(kind, {})

    @given(members=st.dictionaries(st.text(max_size=5), json_values, max_size=4))
    def test_undeclared_members_survive(self, members: dict[str, JSON]) -> None:
        content = decode("RC:RRMsg", json.dumps(members).encode())
        assert json.loads(encode(content)) == members

    @pytest.mark.parametrize(
        ("content", "encoded"),
        [
            (Text("hi"), '{"content":"hi"}'),
            (Text(""), '{"content":""}'),
            (Text(f'\x00\u2028"\\{EMOJI}é'), '{"content":"\\u0000\u2028\\"\\\\' + EMOJI + 'é"}'),
            (
                Text(
                    "hello",
                    extra="",
                    mentions=MentionedInfo(
                        type=MentionType.SOME, user_id_list=("user_a", "user_b")
                    ),
                ),
                '{"content":"hello","extra":"",'
                '"mentionedInfo":{"type":2,"userIdList":["user_a","user_b"]}}',
            ),
            (
                Image(content="AA==", image_uri="https://files.example/1", rest={"thumb": None}),
                '{"content":"AA==","imageUri":"https://files.example/1","thumb":null}',
            ),
            (
                InformationNotification(
                    "x",
                    user=UserInfo(
                        id="ann",
                        name="Ann",
                        portrait_uri="https://files.example/2",
                        rest={"vip": True},
                    ),
                ),
                '{"message":"x","user":{"id":"ann","name":"Ann",'
                '"portraitUri":"https://files.example/2","vip":true}}',
            ),
            (Location(52.5, 13, poi="Berlin"), '{"latitude":52.5,"longitude":13,"poi":"Berlin"}'),
            (Combine(name_list=(), summary_list=("a",)), '{"nameList":[],"summaryList":["a"]}'),
            (
                ReadReceiptResponse({"ann": ("BS45-NPH4-HV87-10LM",)}),
                '{"receiptMessageDic":{"ann":["BS45-NPH4-HV87-10LM"]}}',
            ),
            (
                ExpansionChange("BS45-NPH4-HV87-10LM", delete=("k",), remove_all=False),
                '{"mid":"BS45-NPH4-HV87-10LM","del":["k"],"removeAll":false}',
            ),
            (
                ChatroomKeyChange(
                    key="k1", value="v1", type=contents.KeyOperation.SET, extra='{"x":1}'
                ),
                '{"key":"k1","value":"v1","type":1,"extra":"{\\"x\\":1}"}',
            ),
            (
                contents.GroupNotification(operation=contents.GroupOperation.QUIT),
                '{"operation":"Quit"}',
            ),
            (
                contents.ChatroomMemberChange(
                    (contents.MemberChange(user_id="ann", status=contents.MemberStatus.QUIT),)
                ),
                '{"userList":[{"userId":"ann","status":0}]}',
            ),
            (contents.Intercept(msg_uid="1", message_uid="1"), '{"msgUID":"1","msgUId":"1"}'),
            (HighQualityVoice(duration=3), '{"type":"aac","duration":3}'),
        ],
        ids=lambda value: "" if isinstance(value, str) else value.object_name,
    )
    def test_bytes(self, content: BaseContent, encoded: str) -> None:
        assert encode(content) == encoded.encode()
        assert decode(content.object_name, encoded.encode()) == content

    def test_hashable_where_the_members_are(self) -> None:
        assert {Text("a", rest={"x": []}), Text("a")} == {Text("a"), Text("a", rest={"x": []})}


class TestVectors:
    @pytest.mark.parametrize("key", vector_contents(), ids=vector_contents().values())
    def test_sdk_content_survives(self, key: tuple[str, bytes]) -> None:
        object_name, data = key
        content = decode(object_name, data)
        if isinstance(content, Unknown):
            assert object_name not in {kind.object_name for kind in DEFAULT}
            assert encode(content) == data
        else:
            assert json.loads(encode(content)) == json.loads(data)

    @pytest.mark.parametrize(
        ("content", "vector"),
        [
            (Text("hello", extra=""), "c2s/api-2.5.3/send-text-private"),
            (
                ReadReceipt(
                    last_message_send_time=1690000000456, message_uid="BS45-NPH4-HV87-10LM"
                ),
                "c2s/api-2.5.3/send-read-receipt",
            ),
            (Typing("RC:TxtMsg", ""), "c2s/api-2.5.3/send-typing"),
            (
                RecallCommand(
                    "BS45-NPH4-HV87-10LM",
                    conversation_type=1,
                    target_id="user_a",
                    sent_time=1690000000456,
                ),
                "c2s/api-2.5.3/send-recall",
            ),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_our_bytes_are_those_of_sdk_2_5_3(self, content: BaseContent, vector: str) -> None:
        (data,) = (data for (_, data), name in vector_contents().items() if name == vector)
        assert encode(content) == data


class TestUnknown:
    @given(object_name=st.text(), data=st.binary())
    def test_unregistered_name(self, object_name: str, data: bytes) -> None:
        content = decode("app:" + object_name, data)
        assert content == Unknown(
            object_name="app:" + object_name, data=data, reason="no type has this name"
        )
        assert encode(content) == data

    @given(kind=st.sampled_from(TYPES), data=st.binary())
    def test_arbitrary_bytes(self, kind: type[BaseContent], data: bytes) -> None:
        content = decode(kind.object_name, data)
        assert decode(kind.object_name, encode(content)) == content

    @given(kind=st.sampled_from(TYPES), data=st.data())
    def test_arbitrary_members(self, kind: type[BaseContent], data: st.DataObject) -> None:
        names = st.sampled_from(list(member_names(kind).values())) | st.text(max_size=3)
        members = data.draw(st.dictionaries(names, json_values, max_size=5))
        encoded = json.dumps(members).encode()
        content = decode(kind.object_name, encoded)
        assert decode(kind.object_name, encode(content)) == content
        if isinstance(content, Unknown):
            assert content.data == encoded

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"", "not JSON: Expecting value: line 1 column 1 (char 0)"),
            (b"hello", "not JSON: Expecting value: line 1 column 1 (char 0)"),
            (b"{}{}", "not JSON: Extra data: line 1 column 3 (char 2)"),
            (b"\xef\xbb\xbf{}", "not JSON: Expecting value: line 1 column 1 (char 0)"),
            (b'{"content":"\xff"}', "not UTF-8"),
            (b'{"content":"\xed\xa0\xbd"}', "not UTF-8"),
            ('{"content":"a"}'.encode("utf-16"), "not UTF-8"),
            (b"null", "expected an object"),
            (b"[]", "expected an object"),
            (b'"text"', "expected an object"),
            (b'"' + b"[" * 200 + b'"', "expected an object"),
            (b'{"content":["a"]}', "content: expected text"),
            (b'{"content":5}', "content: expected text"),
            (b'{"content":"a","content":"b"}', "an object has a member twice"),
            (b'{"content":"a","x":{"y":1,"y":1}}', "an object has a member twice"),
            (b'{"content":"\\ud83d"}', "half a surrogate pair"),
            (b'{"content":"","\\uDE00":0}', "half a surrogate pair"),
            (b'{"x":NaN}', "NaN is not JSON"),
            (b'{"x":-Infinity}', "-Infinity is not JSON"),
            (b'{"x":1e999}', "a number is too large"),
            (b'{"x":' + b"9" * 100_000 + b"}", "a number is too large"),
            (b'{"x":' * 100_000 + b"1" + b"}" * 100_000, f"nested deeper than {MAX_DEPTH}"),
            (b'{"x":' + b"[" * 100 + b"]" * 100 + b"}", f"nested deeper than {MAX_DEPTH}"),
        ],
        ids=str,
    )
    def test_malformed(self, data: bytes, reason: str) -> None:
        content = decode("RC:TxtMsg", data)
        assert content == Unknown(object_name="RC:TxtMsg", data=data, reason=reason)
        assert encode(content) is data

    @pytest.mark.parametrize(
        ("kind", "name"),
        picky_members(),
        ids=lambda value: value if isinstance(value, str) else value.__name__,
    )
    def test_wrong_type_of_a_member(self, kind: type[BaseContent], name: str) -> None:
        data = b'{"%s":[[]]}' % name.encode()
        content = decode(kind.object_name, data)
        assert isinstance(content, Unknown)
        assert content.data == data
        assert content.reason is not None
        assert content.reason.startswith(f"{name}: ")
        assert (content.is_persisted, content.is_counted) == (kind.is_persisted, kind.is_counted)

    @pytest.mark.parametrize(
        ("object_name", "members", "reason"),
        [
            ("RC:CombineMsg", {"nameList": ["a", 5]}, "nameList: 1: expected text"),
            ("RC:CombineMsg", {"nameList": "a"}, "nameList: expected a list"),
            ("RC:RRRspMsg", {"receiptMessageDic": {"ann": [None]}}, "ann: 0: expected text"),
            ("RC:RRRspMsg", {"receiptMessageDic": []}, "receiptMessageDic: expected an object"),
            ("RC:FileMsg", {"size": True}, "size: expected a whole number"),
            ("RC:FileMsg", {"size": 1.5}, "size: expected a whole number"),
            ("RC:FileMsg", {"size": "ten"}, "size: expected a whole number"),
            ("RC:FileMsg", {"size": "\u0661"}, "size: expected a whole number"),
            ("RC:LBSMsg", {"latitude": False}, "latitude: expected a number"),
            ("RC:LBSMsg", {"latitude": "1e5"}, "latitude: expected a number"),
            ("RC:RcCmd", {"isAdmin": 2}, "isAdmin: expected true or false"),
            ("RC:CsHsR", {"data": {"serviceType": []}}, "data: serviceType: expected a whole"),
        ],
        ids=str,
    )
    def test_reason_says_where(self, object_name: str, members: JSON, reason: str) -> None:
        content = a_content(object_name, members)
        assert isinstance(content, Unknown)
        assert content.reason is not None
        assert reason in content.reason


class TestLeniency:
    @pytest.mark.parametrize(
        ("object_name", "members", "content"),
        [
            ("RC:FileMsg", {"size": "10"}, contents.File(size=10)),
            ("RC:FileMsg", {"size": 1e3}, contents.File(size=1000)),
            ("RC:VcMsg", {"duration": "-3"}, Voice(duration=-3)),
            ("RC:VcMsg", {"duration": "2.5"}, Voice(duration=2.5)),
            ("RC:SightMsg", {"duration": 2.5}, ShortVideo(duration=2.5)),
            (
                "RC:RcCmd",
                {"isAdmin": 1, "isDelete": 0},
                RecallCommand(is_admin=True, is_delete=False),
            ),
            (
                "RC:SRSMsg",
                {"lastMessageSendTime": "1690000000456"},
                contents.SyncReadStatus(1690000000456),
            ),
        ],
        ids=str,
    )
    def test_numbers(self, object_name: str, members: JSON, content: BaseContent) -> None:
        decoded = a_content(object_name, members)
        assert decoded == content
        # 2.0 == 2, but a reader of the declared type may rely on it.
        assert repr(decoded) == repr(content)

    @pytest.mark.parametrize(
        "members",
        [
            {"extra": {"key": "value"}},
            {"user": "ann"},
            {"user": {"id": 5}},
            {"mentionedInfo": []},
            {"mentionedInfo": {"type": 2, "userIdList": [5]}},
        ],
        ids=str,
    )
    def test_strange_common_members_spoil_nothing(self, members: dict[str, JSON]) -> None:
        content = a_content("RC:TxtMsg", {"content": "hi", **members})
        assert content == Text("hi", rest=members)
        assert json.loads(encode(content)) == {"content": "hi", **members}

    def test_surrogate_pairs_encoded_one_by_one(self) -> None:
        assert decode("RC:TxtMsg", b'{"content":"\xed\xa0\xbd\xed\xb8\x80"}') == Text(EMOJI)

    def test_escaped_surrogate_pair(self) -> None:
        assert decode("RC:TxtMsg", b'{"content":"\\uD83D\\uDE00"}') == Text(EMOJI)

    def test_large_text(self) -> None:
        text = Text("[{" + EMOJI * 30_000)
        assert decode("RC:TxtMsg", encode(text)) == text

    def test_nesting_up_to_the_limit(self) -> None:
        nested = b'{"x":' + b"[" * (MAX_DEPTH - 1) + b"1" + b"]" * (MAX_DEPTH - 1) + b"}"
        assert encode(decode("RC:TxtMsg", nested)) == b'{"content":"",' + nested[1:]

    def test_many_brackets_side_by_side(self) -> None:
        wide = b'{"content":"","x":[' + b",".join([b"{}"] * 2 * MAX_DEPTH) + b"]}"
        assert encode(decode("RC:TxtMsg", wide)) == wide

    def test_largest_number(self) -> None:
        number = b'{"content":"","x":-' + b"9" * 309 + b"}"
        assert encode(decode("RC:TxtMsg", number)) == number


class TestEncodeErrors:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (Text("\ud83d"), "RC:TxtMsg: 'content': half a surrogate pair"),
            (Text("", rest={"\ud83d": 1}), r"RC:TxtMsg: '\\ud83d': half a surrogate pair"),
            (Location(float("nan"), 0), "RC:LBSMsg: 'latitude': .*not JSON compliant"),
            (Command("x", float("inf")), "RC:CmdMsg: 'data': .*not JSON compliant"),
            (Command("x", b"bytes"), "RC:CmdMsg: 'data': .*not JSON serializable"),
            (Text(5), "RC:TxtMsg: content: expected text"),  # type: ignore[arg-type]
            (Text(None), "RC:TxtMsg: content: expected text"),  # type: ignore[arg-type]
            (Combine(name_list=["a"]), "nameList: expected a tuple"),  # type: ignore[arg-type]
            (Text("", user="ann"), "RC:TxtMsg: user: expected UserInfo"),  # type: ignore[arg-type]
            (Text("", user=UserInfo(id=5)), "user: id: expected text"),  # type: ignore[arg-type]
            (Text("", rest=5), "RC:TxtMsg: rest: expected an object"),  # type: ignore[arg-type]
            (Text("", rest={5: 5}), "RC:TxtMsg: rest: 5: expected text"),  # type: ignore[dict-item]
            (Text("", rest={"content": ""}), "content: given by a field and by rest"),
        ],
    )
    def test_names_the_member(self, content: BaseContent, message: str) -> None:
        with pytest.raises(EncodeError, match=message):
            encode(content)

    @pytest.mark.parametrize("depth", [MAX_DEPTH, 100_000])
    def test_deep_nesting(self, depth: int) -> None:
        nested: JSON = 1
        for _ in range(depth):
            nested = [nested]
        with pytest.raises(EncodeError, match="'data': nested deeper than 100"):
            encode(Command("x", nested))


class TestRegistry:
    def test_custom_type(self) -> None:
        registry = Registry()

        @registry.register
        @dataclass(frozen=True, slots=True)
        class Vote(BaseContent):
            object_name = "app:vote"
            is_persisted = True
            question: str
            choices: Annotated[tuple[str, ...], "not for us", Wire("options")] = ()
            weights: Mapping[str, float] | None = None

            def __post_init__(self) -> None:
                if len(self.choices) > 2:
                    raise ValueError("choices: at most 2")

        vote = Vote("Lunch?", ("yes", "no"), {"yes": 0.5}, extra="x")
        encoded = encode(vote)
        assert encoded == (
            b'{"question":"Lunch?","options":["yes","no"],"weights":{"yes":0.5},"extra":"x"}'
        )
        assert decode("app:vote", encoded, registry=registry) == vote
        assert isinstance(decode("app:vote", encoded), Unknown)
        assert flags(vote) == UpFlag.STORED
        assert registry.find("app:vote") is Vote
        assert list(registry) == [*DEFAULT, Vote]
        assert decode("RC:TxtMsg", b'{"content":"hi"}', registry=registry) == Text("hi")

        for data, reason in [
            (b"{}", "question: missing"),
            (b'{"question":null}', "question: missing"),
            (b'{"question":"","options":["1","2","3"]}', "choices: at most 2"),
        ]:
            assert decode("app:vote", data, registry=registry) == Unknown(
                object_name="app:vote",
                data=data,
                reason=reason,
                is_persisted=True,
                is_counted=False,
            )

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("", "1 to 32 characters, not ''"),
            ("x" * 33, "1 to 32 characters"),
            (None, "1 to 32 characters, not None"),
            ("RC:Vote", "RC: is reserved, not 'RC:Vote'"),
            ("RC:TxtMsg", "RC: is reserved"),
            ("RCJrmf:RpMsg", "'RCJrmf:RpMsg' is taken"),
        ],
    )
    def test_object_name_is_refused(self, name: str | None, message: str) -> None:
        @dataclass(frozen=True, slots=True, kw_only=True)
        class Vote(BaseContent):
            object_name = name  # type: ignore[assignment]

        registry = Registry()
        with pytest.raises(LocalProtocolError, match=message):
            registry.register(Vote)
        assert list(registry) == TYPES

    def test_object_name_is_missing(self) -> None:
        with pytest.raises(LocalProtocolError, match="1 to 32 characters, not None"):
            Registry().register(BaseContent)

    @pytest.mark.parametrize("length", [1, 32])
    def test_object_name_of_allowed_length(self, length: int) -> None:
        @dataclass(frozen=True, slots=True, kw_only=True)
        class Vote(BaseContent):
            object_name = "x" * length

        registry = Registry()
        registry.register(Vote)
        with pytest.raises(LocalProtocolError, match="is taken"):
            registry.register(Vote)
        assert decode("x" * length, b"{}", registry=registry) == Vote()

    def test_not_based_on_base_content(self) -> None:
        @dataclass(frozen=True)
        class Vote:
            object_name: ClassVar[str] = "app:vote"

        with pytest.raises(LocalProtocolError, match="'app:vote': a content is based on"):
            Registry().register(Vote)  # type: ignore[type-var]

    def test_not_a_dataclass(self) -> None:
        class Vote(BaseContent):
            object_name = "app:vote"
            question: str = ""

        with pytest.raises(LocalProtocolError, match="Vote is not a dataclass"):
            Registry().register(Vote)

    @pytest.mark.parametrize(
        ("hint", "message"),
        [
            ("Absent", "Vote cannot be read: name 'Absent' is not defined"),
            ("bytes", "Vote.field: a member cannot have the type"),
            ("int | str", "Vote.field: a member cannot have the type"),
            ("tuple[str, int]", "Vote.field: a member cannot have the type"),
            ("tuple[bytes, ...]", "Vote.field: a member cannot have the type"),
            ("Mapping[int, str]", "Vote.field: a member cannot have the type"),
            ("Mapping[str, bytes]", "Vote.field: a member cannot have the type"),
            ("list[str]", "Vote.field: a member cannot have the type"),
            ("str | None", "Vote.field: the default None and a type"),
            ("Annotated[str, Wire('extra')]", "Vote has two fields for one member"),
        ],
    )
    def test_field_type_is_refused(self, hint: str, message: str) -> None:
        @dataclass(frozen=True, slots=True, kw_only=True)
        class Vote(BaseContent):
            object_name = "app:vote"
            field: hint  # type: ignore[valid-type]

        with pytest.raises(LocalProtocolError, match=message):
            Registry().register(Vote)
        with pytest.raises(LocalProtocolError, match=message):
            encode(Vote(field=""))

    def test_none_needs_a_type_with_none(self) -> None:
        @dataclass(frozen=True, slots=True, kw_only=True)
        class Vote(BaseContent):
            object_name = "app:vote"
            field: str = None  # type: ignore[assignment]

        with pytest.raises(LocalProtocolError, match=r"Vote\.field: the default None"):
            Registry().register(Vote)

    def test_default_is_frozen(self) -> None:
        @dataclass(frozen=True, slots=True, kw_only=True)
        class Vote(BaseContent):
            object_name = "app:vote"

        with pytest.raises(LocalProtocolError, match="the registry is frozen"):
            DEFAULT.register(Vote)
        assert DEFAULT.find("app:vote") is None


class TestFlags:
    @pytest.mark.parametrize(
        ("content", "bits"),
        [
            (Text("hi"), 3),
            (Text("hi", mentions=MentionedInfo(type=MentionType.ALL)), 7),
            (InformationNotification("x"), 1),
            (Typing(), 0),
            (Unknown(object_name="app:x", data=b""), 3),
            (Unknown(object_name="app:x", data=b'{"mentionedInfo":{"type":1}}'), 7),
            (decode("RC:TypSts", b"?"), 0),
        ],
        ids=str,
    )
    def test_default_flags(self, content: Content, bits: int) -> None:
        assert flags(content) == bits

    @given(up=st.integers(0, 0xFF), mentions_reader=st.booleans())
    def test_down_flags(self, up: int, mentions_reader: bool) -> None:
        down = down_flags(up, mentions_reader=mentions_reader)
        assert bool(down & 0x10) == bool(up & 0x01)
        assert bool(down & 0x20) == bool(up & 0x02)
        assert bool(down & 0x40) == (bool(up & 0x04) and mentions_reader)
        assert bool(down & 0x200) == bool(up & 0x20)
        assert bool(down & 0x400) == bool(up & 0x40)
        assert down & ~0x670 == 0

    def test_numbers_of_the_bits(self) -> None:
        assert {flag.name: flag.value for flag in UpFlag} == {
            "STORED": 0x01,
            "COUNTED": 0x02,
            "MENTION": 0x04,
            "DISABLE_NOTIFICATION": 0x20,
            "EXPANDABLE": 0x40,
        }
        assert {flag.name: flag.value for flag in DownFlag} == {
            "RETRIEVED": 0x02,
            "STORED": 0x10,
            "COUNTED": 0x20,
            "MENTIONED": 0x40,
            "SILENT": 0x200,
            "EXPANDABLE": 0x400,
        }
        assert {flag.name: flag.value for flag in ConfigFlag} == {
            "VOIP_PUSH": 0x01,
            "OBEY_LISTS": 0x02,
            "NO_PUSH_TITLE": 0x04,
            "SHOW_PUSH_DETAIL": 0x08,
        }


class TestMentions:
    @pytest.mark.parametrize(
        ("data", "info"),
        [
            (b'{"mentionedInfo":{"type":1}}', MentionedInfo(type=1)),
            (b'{"mentionedInfo":{}}', MentionedInfo()),
            (b'{"\\u006dentionedInfo":{"type":1}}', MentionedInfo(type=1)),
            (
                b'{"mentionedInfo":{"type":2,"userIdList":["a"],"mentionedContent":"m","x":1}}',
                MentionedInfo(type=2, user_id_list=("a",), mentioned_content="m", rest={"x": 1}),
            ),
            (b'{"content":"hi"}', None),
            (b'{"content":"mentionedInfo"}', None),
            (b'{"content":"\\u0000"}', None),
            (b'{"referMsg":{"mentionedInfo":{"type":1}}}', None),
            (b'{"mentionedInfo":null}', None),
            (b'{"mentionedInfo":[]}', None),
            (b'{"mentionedInfo":{"type":"all"}}', None),
            (b'["mentionedInfo"]', None),
            (b"mentionedInfo", None),
            (b"", None),
        ],
    )
    def test_raw_content(self, data: bytes, info: MentionedInfo | None) -> None:
        assert mentions(data) == info
        assert Unknown(object_name="app:x", data=data).mentions == info

    @given(content=parts(RichContent))
    def test_agrees_with_decode(self, content: RichContent) -> None:
        assert mentions(encode(content)) == content.mentions

    @pytest.mark.parametrize(
        ("info", "concerned"),
        [
            (MentionedInfo(type=MentionType.ALL), True),
            (MentionedInfo(type=MentionType.SOME, user_id_list=("bob", "ann")), True),
            (MentionedInfo(type=MentionType.SOME, user_id_list=("bob",)), False),
            (MentionedInfo(type=MentionType.SOME), False),
            (MentionedInfo(type=3, user_id_list=("ann",)), False),
            (MentionedInfo(), False),
        ],
    )
    def test_concerns(self, info: MentionedInfo, concerned: bool) -> None:
        assert info.concerns("ann") is concerned


class TestEscapeAstral:
    @given(value=json_values | st.text(st.sampled_from(EMOJI + '\U0010ffff\\"aé')))
    def test_same_json_without_4_byte_sequences(self, value: JSON) -> None:
        data = json.dumps(value, ensure_ascii=False).encode()
        escaped = escape_astral(data)
        assert json.loads(escaped) == value
        assert max(escaped) < 0xF0
        assert escape_astral(escaped) == escaped

    def test_all_other_bytes_stay(self) -> None:
        data = '{ "é\\u00e9": "\\\\😀😀" , "x":1.50e0, "x":%s}' % ("9" * 5000)
        assert escape_astral(data.encode()) == (data.replace("😀", "\\ud83d\\ude00").encode())

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b'{"content":"hi"}',
            b'{"content":"\xed\xa0\xbd\xed\xb8\x80"}',
            EMOJI.encode(),
            f'{{"content":"{EMOJI}"'.encode(),
            f'["\\{EMOJI}"]'.encode(),
            f'["{EMOJI}",NaN]'.encode(),
            f'["{EMOJI}'.encode() + b'\xff"]',
            b"[" * 100_000 + f'"{EMOJI}"'.encode() + b"]" * 100_000,
        ],
        ids=lambda data: str(data[:30]),
    )
    def test_left_alone(self, data: bytes) -> None:
        assert escape_astral(data) is data
