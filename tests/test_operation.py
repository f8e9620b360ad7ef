"""The vocabulary of the operation table: every topic is there, and its name can be guessed."""

from __future__ import annotations

import re

import pytest

from improto._operation import Area, Direction, Kind, Signal, Target, Topic

# All topics of the protocol notes, in their order.
EXPECTED = re.findall(
    r"\w+",
    """
    ppMsgP ppMsgS ppMsgN pdMsgP pgMsgP pgMsgS chatMsg chatMsgS pcMsgP pcuMsgP pmcMsgN pmpMsgN prMsgS
    prMsgP recallMsg ugMsg operate updUgRTime upMsgEx modifyMsg qryMsgChange
    s_ntf s_msg s_stat s_cmd s_us rtc_ntf s_opNtf
    pullMsg chrmPull reportsdk qrySessionsAtt
    qryPMsg qryDMsg qryGMsg qryCMsg qrySMsg qryCHMsg qryUgMsg
    delMsg cleanPMsg cleanDMsg cleanGMsg cleanCMsg cleanSMsg cleanHisMsg
    qryRelation qryRelationR delRelation addRelation delSessions qrySessions updRRTime
    pullSeAtts setSeAtt addTag delTag addSeTag delSeTag disTag
    qryPPush qryDPush blkPPush blkDPush unblkPPush unblkDPush
    addBlack rmBlack getBlack blackStat
    getUserStatus setUserStatus subUserStatus pullUS setOfflineMsgDur
    crDiz invtDiz dizInf quitDiz evctDiz pdOpen rename
    joinGrp exitGrp uGcmpr pGrps userInf rrMsg rrList
    joinChrm joinChrmR exitChrm queryChrmI createChrm destroyChrm queryChrm setRtcRoomId
    setKV delKV setKVS delKVS pullKV
    pullMp schMp mpFollow mcFollow mpUnFollow mcUnFollow
    qnTkn qnUrl aliUrl s3Url stcUrl
    rtcRJoin_data rtcRExit rtcPing rtcToken rtcUserState rtcUData rtcUList rtcUPut rtcUDel rtcRInfo
    rtcRPut rtcRDel rtcSetData rtcDelData rtcQryData rtcSetOutData rtcQryUserOutData userSetData
    viewerJoinR viewerExitR rtcIdentityChange rtcPullKv rtcQueryJoined rtcInvite rtcCancelInvite
    rtcInviteAnswer rtcEndInvite qryVoipK
    pullUgSes pullUgMsg qryMsg
    pbMsgP sendMsgRead updRTime s_pubCall pullEventChange pullModifyMsg pullSe qAppBot qBot reqCall
    pullKvMsg qryMCMsg qryMPMsg cleanMCMsg cleanMPMsg cleanMsgBatch delUgMsg upConvertMsg
    delRelationBatch qryRLBatch qryRelationFilter qrySessionsUnread setTypeUnpush addUnpush
    delUnpush qryUnpush ugUnpushSet ugUnpushQuery transLan autoTrans qryMsgRead qryMsgReadCntBatch
    readReceipt qryReceiptBatch qryReceipt minioUrl qryUgUal
    updUserSub qrySubData pullUserSub pullSubData updUserProfile pullUserProfile pullOwnProfile
    searchUserProfile updProfilePermiss qProfilePermiss qSimpleUserProfile
    channelCreate upChannelInfo qChannelInfo channelMemKick channelMemQuit channelDismiss
    channelTransfer upChannelManager upChannelFollow qChannelMem qChannelSpeMem qChannelFollow
    upChannelMem upChannelRemark qChannelRemark channelMemJoin channelMemInvite channelApplyResp
    qChannelApplyList qChannelMemJoin qChannelMemSpeJoin
    friendAdd friendDel friendHandle friendSetPf friendCheck friendsInfoQry friendsQuery
    friendAuthSet friendAuthGet friendApplyDel
    """,
)


def test_every_topic_is_there() -> None:
    """``qryUgMsg`` and ``setKVS`` too; only the topic without a name is not in the list."""
    assert set(Topic) == {"", *EXPECTED}


@pytest.mark.parametrize("topic", EXPECTED)
def test_name_is_the_topic_in_capitals(topic: str) -> None:
    new_word = r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
    assert Topic(topic).name == re.sub(new_word, "_", topic).upper()


def test_the_topic_without_a_name_has_a_name() -> None:
    assert Topic("") is Topic.SYSTEM_MESSAGE


def test_a_topic_is_its_text() -> None:
    assert f"{Topic.PULL_MSG}" == "pullMsg"
    assert {"pullMsg": 1}[Topic.PULL_MSG] == 1


def test_kinds_are_the_letters_at_the_end_of_message_topics() -> None:
    assert [kind.value for kind in Kind] == ["P", "N", "S"]


@pytest.mark.parametrize("enumeration", [Area, Direction, Signal, Target])
def test_every_word_has_an_explanation_of_its_own(enumeration: type[Area]) -> None:
    assert len({member.value for member in enumeration}) == len(enumeration.__members__)
    assert all(member.value for member in enumeration)
