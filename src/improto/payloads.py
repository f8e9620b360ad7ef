"""The protobuf bodies of PUBLISH, QUERY and QUERYACK: the only door to ``_pb/``.

Every message of the schema is here under its own name, and in :data:`MESSAGES`; which
topic carries which is in :mod:`improto.operations`. Rules:

* :func:`decode` and :func:`encode` raise our errors and nothing else.
* Required fields are checked both ways, because a client rejects a whole payload for
  one that is missing (wire 7, rule 9). Unknown fields are kept.
* Text is text: bytes that are not UTF-8 in a text field are replaced, not refused
  (wire 7, rule 4). Half an emoji in a push text must not cost a client its inbox.
* Numbers of enumerations are plain ints, known or not; their names are in
  :mod:`improto.codes`.

The classes are those of the protobuf runtime: mutable, compared by value, not hashable.
An optional field that is absent reads as zero or empty; ``HasField`` tells the difference.
"""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError as _ProtobufDecodeError
from google.protobuf.message import EncodeError as _ProtobufEncodeError
from google.protobuf.message import Message as Message

from improto._pb import payloads_pb2
from improto.errors import DecodeError, EncodeError

# One statement, not 292, which is what sorting would make of it.
# isort: off
from improto._pb.payloads_pb2 import (
    Add2BlackListInput as Add2BlackListInput,
    AddUnpushPeriodInput as AddUnpushPeriodInput,
    BlackListStatusInput as BlackListStatusInput,
    BlockPushInput as BlockPushInput,
    BotInfo as BotInfo,
    BotInput as BotInput,
    BotOutput as BotOutput,
    CallInfoDownStream as CallInfoDownStream,
    CallInfoUpStream as CallInfoUpStream,
    ChannelApplyInfo as ChannelApplyInfo,
    ChannelBaseInfo as ChannelBaseInfo,
    ChannelEventData as ChannelEventData,
    ChannelEvictionInput as ChannelEvictionInput,
    ChannelInfoInput as ChannelInfoInput,
    ChannelInfoOutput as ChannelInfoOutput,
    ChannelInfosInput as ChannelInfosInput,
    ChannelInfosOutput as ChannelInfosOutput,
    ChannelInvitationInput as ChannelInvitationInput,
    ChannelsInput as ChannelsInput,
    ChannelsInviteStatusInfo as ChannelsInviteStatusInfo,
    ChannelsInviteStatusInfos as ChannelsInviteStatusInfos,
    ChannelsJoinedInfo as ChannelsJoinedInfo,
    ChannelsJoinedInfos as ChannelsJoinedInfos,
    ChannelsListResult as ChannelsListResult,
    ChannelsMemberResponseInput as ChannelsMemberResponseInput,
    ChannelsMemberUpdateInput as ChannelsMemberUpdateInput,
    ChannelsMembersInput as ChannelsMembersInput,
    ChannelsOutput as ChannelsOutput,
    ChannelsPageParam as ChannelsPageParam,
    ChannelsQueryInput as ChannelsQueryInput,
    ChannelsUserExtInfo as ChannelsUserExtInfo,
    ChannelsUserInfo as ChannelsUserInfo,
    ChannelsUserInfos as ChannelsUserInfos,
    ChrmDownStreamMessages as ChrmDownStreamMessages,
    ChrmInput as ChrmInput,
    ChrmKVEntity as ChrmKVEntity,
    ChrmKVOutput as ChrmKVOutput,
    ChrmKVSOutput as ChrmKVSOutput,
    ChrmKVSOutputEntity as ChrmKVSOutputEntity,
    ChrmKVSVersionEntity as ChrmKVSVersionEntity,
    ChrmMember as ChrmMember,
    ChrmNotifyMsg as ChrmNotifyMsg,
    ChrmOutput as ChrmOutput,
    ChrmPullMsg as ChrmPullMsg,
    ChrmPullMsgNew as ChrmPullMsgNew,
    CleanHisMsgInput as CleanHisMsgInput,
    CleanMsgBatchReq as CleanMsgBatchReq,
    ConvertMsgInput as ConvertMsgInput,
    ConvertMsgOutput as ConvertMsgOutput,
    CreateDiscussionInput as CreateDiscussionInput,
    CreateDiscussionOutput as CreateDiscussionOutput,
    DeleteChrmKV as DeleteChrmKV,
    DeleteChrmKVS as DeleteChrmKVS,
    DeleteMsg as DeleteMsg,
    DeleteMsgInput as DeleteMsgInput,
    DeleteMsgOutput as DeleteMsgOutput,
    DeleteSessionsInput as DeleteSessionsInput,
    DeleteSessionsOutput as DeleteSessionsOutput,
    DeleteUnpushPeriodInput as DeleteUnpushPeriodInput,
    DownStreamMessage as DownStreamMessage,
    DownStreamMessages as DownStreamMessages,
    EventChange as EventChange,
    EventChangeList as EventChangeList,
    ExtMsgData as ExtMsgData,
    FriendApplyEvent as FriendApplyEvent,
    FriendCheckOutput as FriendCheckOutput,
    FriendInput as FriendInput,
    FriendInviteInfo as FriendInviteInfo,
    FriendInviteInfos as FriendInviteInfos,
    FriendLevelSet as FriendLevelSet,
    FriendOutput as FriendOutput,
    FriendPageParam as FriendPageParam,
    FriendProfileInput as FriendProfileInput,
    FriendProfileOutput as FriendProfileOutput,
    FriendQueryInput as FriendQueryInput,
    FriendTypeChangeEvent as FriendTypeChangeEvent,
    FriendUpdateEvent as FriendUpdateEvent,
    FriendUserInfo as FriendUserInfo,
    FriendUserInfos as FriendUserInfos,
    FriendsCheckOutput as FriendsCheckOutput,
    FriendsInput as FriendsInput,
    FriendsListInput as FriendsListInput,
    FriendsOutput as FriendsOutput,
    GetDownloadUrlInput as GetDownloadUrlInput,
    GetDownloadUrlOutput as GetDownloadUrlOutput,
    GetQNdownloadUrlInput as GetQNdownloadUrlInput,
    GetQNdownloadUrlOutput as GetQNdownloadUrlOutput,
    GetQNupTokenInput as GetQNupTokenInput,
    GetQNupTokenOutput as GetQNupTokenOutput,
    GetSessionIdInput as GetSessionIdInput,
    GetSessionIdOutput as GetSessionIdOutput,
    GetUserInfoInput as GetUserInfoInput,
    GetUserInfoOutput as GetUserInfoOutput,
    GetUserStatusInput as GetUserStatusInput,
    GetUserStatusOutput as GetUserStatusOutput,
    GroupHashInput as GroupHashInput,
    GroupHashOutput as GroupHashOutput,
    GroupInfo as GroupInfo,
    GroupInput as GroupInput,
    GroupMembersInput as GroupMembersInput,
    GroupMembersOutput as GroupMembersOutput,
    GroupOutput as GroupOutput,
    GroupUnpushQuery as GroupUnpushQuery,
    GroupUnpushResult as GroupUnpushResult,
    GroupUnpushSet as GroupUnpushSet,
    GrpMsgReadUser as GrpMsgReadUser,
    GrpReadReceiptMsg as GrpReadReceiptMsg,
    GrpReadReceiptQryReq as GrpReadReceiptQryReq,
    GrpReadReceiptQryResp as GrpReadReceiptQryResp,
    HistoryMessageInput as HistoryMessageInput,
    HistoryMessagesOuput as HistoryMessagesOuput,
    HistoryMsgInput as HistoryMsgInput,
    HistoryMsgOuput as HistoryMsgOuput,
    KvInfo as KvInfo,
    KvInput as KvInput,
    KvOutput as KvOutput,
    LeaveChannelInput as LeaveChannelInput,
    MCFollowInput as MCFollowInput,
    MCFollowOutput as MCFollowOutput,
    MPFollowInput as MPFollowInput,
    MPFollowOutput as MPFollowOutput,
    MemberInfo as MemberInfo,
    MessageQueryInfo as MessageQueryInfo,
    MetadataInfo as MetadataInfo,
    ModifyChannelsInput as ModifyChannelsInput,
    ModifyMsg as ModifyMsg,
    ModifyMsgResp as ModifyMsgResp,
    ModifyPermissionInput as ModifyPermissionInput,
    MpInfo as MpInfo,
    MsgChange as MsgChange,
    MsgChangeList as MsgChangeList,
    MsgChangeReq as MsgChangeReq,
    MsgQuery as MsgQuery,
    MsgQueryAck as MsgQueryAck,
    MsgReadCnt as MsgReadCnt,
    MsgReadEvent as MsgReadEvent,
    MultiChannels as MultiChannels,
    NotifyMsg as NotifyMsg,
    OperateInfo as OperateInfo,
    OperateStatus as OperateStatus,
    OperateStatusNotify as OperateStatusNotify,
    OperateSummary as OperateSummary,
    PUllUserSubResp as PUllUserSubResp,
    ProfileInfo as ProfileInfo,
    PullModifyMsgReq as PullModifyMsgReq,
    PullModifyMsgResp as PullModifyMsgResp,
    PullMpInput as PullMpInput,
    PullMpOutput as PullMpOutput,
    PullSubDataReq as PullSubDataReq,
    PullSubDataResp as PullSubDataResp,
    PullUserProfileReq as PullUserProfileReq,
    PullUserSettingInput as PullUserSettingInput,
    PullUserSettingOutput as PullUserSettingOutput,
    PullUserSubReq as PullUserSubReq,
    PushExtra as PushExtra,
    QryRemindListReq as QryRemindListReq,
    QryRemindListResp as QryRemindListResp,
    QrySubDataReq as QrySubDataReq,
    QueryBlackListInput as QueryBlackListInput,
    QueryBlackListOutput as QueryBlackListOutput,
    QueryChatroomInfoInput as QueryChatroomInfoInput,
    QueryChatroomInfoOutput as QueryChatroomInfoOutput,
    QueryChrmKV as QueryChrmKV,
    QueryMsgChange as QueryMsgChange,
    QueryReceipt as QueryReceipt,
    QueryReceiptBatchReq as QueryReceiptBatchReq,
    QueryReceiptBatchResp as QueryReceiptBatchResp,
    QueryReceiptBatchRespItem as QueryReceiptBatchRespItem,
    QueryReceiptReq as QueryReceiptReq,
    QueryReceiptResp as QueryReceiptResp,
    QueryReceiptRespItem as QueryReceiptRespItem,
    QuerySessionsInput as QuerySessionsInput,
    QuerySessionsOutPut as QuerySessionsOutPut,
    QueryUnpushPeriodInput as QueryUnpushPeriodInput,
    QueryUnpushPeriodOutput as QueryUnpushPeriodOutput,
    QuitChannelsSetting as QuitChannelsSetting,
    ReadReceipt as ReadReceipt,
    ReadReceiptMsg as ReadReceiptMsg,
    ReceiptCntQryReq as ReceiptCntQryReq,
    ReceiptCntQryResp as ReceiptCntQryResp,
    ReceiptQryReq as ReceiptQryReq,
    ReceiptResp as ReceiptResp,
    ReceiptUser as ReceiptUser,
    ReferenceData as ReferenceData,
    RelationDel as RelationDel,
    RelationDelBatchReq as RelationDelBatchReq,
    RelationInfo as RelationInfo,
    RelationInfoReadTime as RelationInfoReadTime,
    RelationOpInput as RelationOpInput,
    RelationQryFilter as RelationQryFilter,
    RelationQryInput as RelationQryInput,
    RelationsInput as RelationsInput,
    RelationsInputLegacy as RelationsInputLegacy,
    RelationsOutput as RelationsOutput,
    RemoveFromBlackListInput as RemoveFromBlackListInput,
    RenameChannelInput as RenameChannelInput,
    ReportSDKInput as ReportSDKInput,
    ReportSDKOutput as ReportSDKOutput,
    RtcCancelInviteInput as RtcCancelInviteInput,
    RtcDataInput as RtcDataInput,
    RtcDelDataInput as RtcDelDataInput,
    RtcEndInviteInput as RtcEndInviteInput,
    RtcInput as RtcInput,
    RtcInviteAnswerInput as RtcInviteAnswerInput,
    RtcInviteInput as RtcInviteInput,
    RtcJoinedInfo as RtcJoinedInfo,
    RtcKVEntity as RtcKVEntity,
    RtcKVOutput as RtcKVOutput,
    RtcKeyDeleteInput as RtcKeyDeleteInput,
    RtcNotifyMsg as RtcNotifyMsg,
    RtcOutput as RtcOutput,
    RtcPullKV as RtcPullKV,
    RtcQryInput as RtcQryInput,
    RtcQryOutput as RtcQryOutput,
    RtcQryUserOutDataInput as RtcQryUserOutDataInput,
    RtcQueryListInput as RtcQueryListInput,
    RtcQueryUserJoinedInput as RtcQueryUserJoinedInput,
    RtcQueryUserJoinedOutput as RtcQueryUserJoinedOutput,
    RtcRoomInfoOutput as RtcRoomInfoOutput,
    RtcSetDataInput as RtcSetDataInput,
    RtcSetOutDataInput as RtcSetOutDataInput,
    RtcTokenOutput as RtcTokenOutput,
    RtcUserInfo as RtcUserInfo,
    RtcUserListOutput as RtcUserListOutput,
    RtcUserOutDataOutput as RtcUserOutDataOutput,
    RtcUserSetDataInput as RtcUserSetDataInput,
    RtcValueInfo as RtcValueInfo,
    RtcViewerJoinedOutput as RtcViewerJoinedOutput,
    SearchMpInput as SearchMpInput,
    SearchMpOutput as SearchMpOutput,
    SearchUserProfile as SearchUserProfile,
    SessionDisTagReq as SessionDisTagReq,
    SessionInfo as SessionInfo,
    SessionInfoUnread as SessionInfoUnread,
    SessionMsgReadInput as SessionMsgReadInput,
    SessionMsgReadOutput as SessionMsgReadOutput,
    SessionOutput as SessionOutput,
    SessionQryInput as SessionQryInput,
    SessionReq as SessionReq,
    SessionState as SessionState,
    SessionStateItem as SessionStateItem,
    SessionStateModifyReq as SessionStateModifyReq,
    SessionStateModifyResp as SessionStateModifyResp,
    SessionStates as SessionStates,
    SessionTagAddInput as SessionTagAddInput,
    SessionTagDelInput as SessionTagDelInput,
    SessionTagItem as SessionTagItem,
    SessionsAttOutput as SessionsAttOutput,
    SessionsAttQryInput as SessionsAttQryInput,
    SessionsOutput as SessionsOutput,
    SetChrmKV as SetChrmKV,
    SetChrmKVS as SetChrmKVS,
    SetRtcRoomIdInput as SetRtcRoomIdInput,
    SetRtcRoomIdOutput as SetRtcRoomIdOutput,
    SetUserProfileResp as SetUserProfileResp,
    SetUserSettingInput as SetUserSettingInput,
    SetUserSettingOutput as SetUserSettingOutput,
    SetUserStatusInput as SetUserStatusInput,
    SetUserStatusOutput as SetUserStatusOutput,
    SpeechToTextInfo as SpeechToTextInfo,
    SpeechToTextResult as SpeechToTextResult,
    SubData as SubData,
    SubDataDetail as SubDataDetail,
    SubUserStatusInput as SubUserStatusInput,
    SubUserStatusOutput as SubUserStatusOutput,
    SyncRequestMsg as SyncRequestMsg,
    TransInfo as TransInfo,
    TransReq as TransReq,
    TransResp as TransResp,
    TransResult as TransResult,
    TypeUnpushInput as TypeUnpushInput,
    TypeUnpushOutput as TypeUnpushOutput,
    UltraGrpPullMsg as UltraGrpPullMsg,
    UltraGrpPullSes as UltraGrpPullSes,
    UnreadInfo as UnreadInfo,
    UnreadMsgInfo as UnreadMsgInfo,
    UpStreamMessage as UpStreamMessage,
    UpdateChannnelInfo as UpdateChannnelInfo,
    UpdateUserInfo as UpdateUserInfo,
    UpdateUserSubReq as UpdateUserSubReq,
    UpdateUserSubResp as UpdateUserSubResp,
    UserProfile as UserProfile,
    UserProfileInput as UserProfileInput,
    UserProfileOutput as UserProfileOutput,
    UserProfilePermission as UserProfilePermission,
    UserProfiles as UserProfiles,
    UserSettingItem as UserSettingItem,
    UserSettingNotification as UserSettingNotification,
    UserSubDetail as UserSubDetail,
    UserSubList as UserSubList,
    VoipDynamicInput as VoipDynamicInput,
    VoipDynamicOutput as VoipDynamicOutput,
)
# isort: on

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.descriptor import Descriptor

M = TypeVar("M", bound=Message)

MESSAGES: Mapping[str, type[Message]] = MappingProxyType(
    {name: getattr(payloads_pb2, name) for name in payloads_pb2.DESCRIPTOR.message_types_by_name}
)
"""Every message class by its name in the schema."""

_UNREADABLE = (_ProtobufDecodeError, ValueError, RuntimeError)
"""All that the runtimes raise for bytes that are no message; the pure Python one is less strict
about its own exception than the C one."""

_LONGEST_VARINT = 10
"""Bytes; 64 bits, seven in each."""


class _WireType(enum.IntEnum):
    """What follows a tag, in its low three bits. Groups are left out: no SDK sends any."""

    VARINT = 0
    EIGHT_BYTES = 1
    LENGTH_DELIMITED = 2
    FOUR_BYTES = 5


def decode(kind: type[M], data: bytes) -> M:
    """Read a payload.

    Raises DecodeError if the bytes are no message or lack a required field; its text names the
    field. ``offset`` is then the length of the data, or 0 where protobuf does not say.
    """
    try:
        message = kind.FromString(data)
    except _UNREADABLE as error:
        try:
            message = kind.FromString(_with_valid_text(kind, data))
        except _UNREADABLE:
            raise DecodeError(f"no {kind.__name__}: {error}", offset=0) from error
    if not message.IsInitialized():
        raise DecodeError(_missing(message), offset=len(data))
    return message


def encode(message: Message) -> bytes:
    """Write a payload, fields in the order of their numbers.

    Raises EncodeError if required fields are missing; its text names all of them.
    """
    try:
        return message.SerializeToString()
    except _ProtobufEncodeError as error:
        raise EncodeError(_missing(message)) from error


def to_fields(message: Message) -> dict[str, object]:
    """A payload as plain JSON values, in the protobuf JSON mapping.

    Keys are the names of the schema, an int64 is a decimal string, bytes are base64. Optional
    fields that are absent and lists that are empty are left out.
    """
    fields: dict[str, object] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return fields


def from_fields(kind: type[M], fields: Mapping[str, object]) -> M:
    """The inverse of :func:`to_fields`; an int64 may be an int too, and None counts as absent.

    Raises EncodeError for an unknown field and for a value of the wrong type or range; its text
    names the fields on the way there. Characters foreign to base64 are skipped, as in all of
    Python. Required fields are not checked before :func:`encode`.
    """
    try:
        return json_format.ParseDict(dict(fields), kind())
    except (json_format.ParseError, UnicodeEncodeError, SystemError) as error:
        # The C runtime raises SystemError for half a surrogate pair in a field's name.
        sentence, *_ = str(error).splitlines()
        raise EncodeError(f"{kind.__name__}: {sentence}") from error


def _missing(message: Message) -> str:
    # Every runtime has this method; the stubs of protobuf forgot it.
    fields: list[str] = message.FindInitializationErrors()  # type: ignore[attr-defined]
    return f"{type(message).__name__}: required but missing: {', '.join(fields)}"


def _with_valid_text(kind: type[Message], data: bytes) -> bytes:
    """The same payload, with a question mark for each byte of its text that is not UTF-8."""
    repaired = bytearray(data)
    descriptor = payloads_pb2.DESCRIPTOR.message_types_by_name[kind.__name__]
    _repair_text(descriptor, memoryview(repaired))
    return bytes(repaired)


def _repair_text(kind: Descriptor, payload: memoryview) -> None:
    """Overwrite bad text in place. ValueError if a varint has no end; the runtime finds the rest.

    Lengths do not change, so nothing around the text has to be written again.
    """
    position = 0
    while position < len(payload):
        tag, position = _read_varint(payload, position)
        match tag & 0b111:
            case _WireType.VARINT:
                _, position = _read_varint(payload, position)
            case _WireType.EIGHT_BYTES:
                position += 8
            case _WireType.LENGTH_DELIMITED:
                length, position = _read_varint(payload, position)
                value = payload[position : position + length]
                position += length
                field = kind.fields_by_number.get(tag >> 3)
                if field is None:
                    continue
                if field.message_type is not None:
                    _repair_text(field.message_type, value)
                elif field.type == FieldDescriptor.TYPE_STRING:
                    text = bytes(value).decode("utf-8", "surrogateescape")
                    value[:] = text.encode("utf-8", "replace")
            case _WireType.FOUR_BYTES:
                position += 4


def _read_varint(payload: memoryview, position: int) -> tuple[int, int]:
    """The number at a position, and the position after it."""
    value = 0
    for index, byte in enumerate(payload[position : position + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise ValueError("a varint without an end")
