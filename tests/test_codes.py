"""Numbers, names and meanings, and how a number becomes a sentence."""

from __future__ import annotations

import enum

import pytest

from improto import codes
from improto.codes import ConnAckStatus, ConnectionStatus, DisconnectStatus, ErrorCode, describe

ENUMERATIONS = [
    value
    for value in vars(codes).values()
    if isinstance(value, type) and issubclass(value, enum.IntEnum) and len(value)
]
every_enumeration = pytest.mark.parametrize(
    "enumeration", ENUMERATIONS, ids=lambda enumeration: enumeration.__name__
)


@every_enumeration
def test_every_member_has_a_meaning_of_one_line(enumeration: type[ErrorCode]) -> None:
    for member in enumeration:
        assert member.meaning
        assert "\n" not in member.meaning


@every_enumeration
def test_no_number_is_there_twice(enumeration: type[ErrorCode]) -> None:
    assert len(enumeration) == len(enumeration.__members__)


@every_enumeration
def test_a_member_is_its_number(enumeration: type[ErrorCode]) -> None:
    for member in enumeration:
        assert int(member) == member.value == member
        assert enumeration(member.value) is member


def test_an_unknown_number_is_no_member() -> None:
    with pytest.raises(ValueError, match="21 is not a valid ConnAckStatus"):
        ConnAckStatus(21)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (405, "REJECTED_BY_BLACKLIST (405): the receiver has blocked the sender"),
        (0, "SUCCESS (0): no error"),
        (-1, "TIMEOUT (-1): no answer within 30 s"),
        (12345, "unknown code 12345"),
        (ErrorCode.NOT_SUPPORT, "NOT_SUPPORT (39002): topic unknown or switched off"),
        (ConnAckStatus.BLOCK, "BLOCK (9): user banned"),
        (DisconnectStatus.LOGOUT, "LOGOUT (4): logged out"),
    ],
)
def test_describe(code: int, text: str) -> None:
    assert describe(code) == text


@pytest.mark.parametrize(
    ("number", "name", "elsewhere"),
    [
        (33101, "TAG_EXISTS", "TAG_NOT_EXIST"),
        (34001, "CONVER_REMOVE_ERROR", "RC_CONNECTION_EXIST"),
        (34008, "MESSAGE_KV_NOT_SUPPORT", "CLEAR_HIS_TYPE_ERROR"),
        (34009, "SEND_MESSAGE_KV_FAIL", "CONVER_GET_ERROR"),
        (34010, "EXPANSION_LIMIT_EXCEET", "CLEAR_HIS_ERROR"),
        (51001, "COOKIE_ENABLE", "CLOSE_BEFORE_OPEN"),
        (61001, "GET_MESSAGE_BY_ID_ERROR", "DELETE_MESSAGE_ID_IS_NULL"),
    ],
)
def test_a_number_with_two_names_has_the_newest_and_mentions_the_other(
    number: int, name: str, elsewhere: str
) -> None:
    assert ErrorCode(number).name == name
    assert elsewhere in ErrorCode(number).meaning


def test_refused_logins_have_the_errors_that_clients_make_of_them() -> None:
    """CONNACK 1 to 9 become 31001 to 31009, and 16 to 18 become 31026 to 31028 (codes 6)."""
    for status in range(1, 10):
        assert ErrorCode(31000 + status).meaning.startswith(f"CONNACK {status}")
    for status in (16, 17, 18):
        assert ErrorCode(31010 + status).meaning.startswith(f"CONNACK {status}")
        assert status in set(ConnAckStatus)


def test_the_numbers_are_those_of_the_notes() -> None:
    # fmt: off
    assert set(ConnectionStatus) == {
        *range(5), *range(6, 10), *range(12, 15), 20, *range(201, 205), 1101,
    }
    assert set(ConnAckStatus) == set(range(21))
    assert set(DisconnectStatus) == set(range(7))
    assert set(ErrorCode) == {
        *range(-6, 8), *range(11, 19), 405, 8001, 20406, 20407, *range(20604, 20607),
        *range(21406, 21410), 21501, 21502, 22406, 22408, *range(23406, 23415), 23423, 23424,
        *range(23426, 23430), 23431, 24001, 24002, *range(24009, 24017), 25101, 25102, 26001,
        *range(30001, 30015), 30016, *range(31000, 31013), *range(31026, 31029), 32001, 32002,
        *range(33001, 33010), *range(33100, 33103), *range(34001, 34012), 34013,
        *range(35001, 35004), *range(35006, 35015), 35020, 35021, *range(36001, 36005),
        *range(37001, 37004), *range(38001, 38004), 39001, 39002, 41001, 41002,
        *range(51001, 51005), 61001,
        # Of SDK 5.38.0 (sdk5 11).
        20106, 20109, *range(20112, 20117), 20607, *range(22201, 22205), *range(24360, 24370),
        *range(25402, 25431), 25432, *range(25460, 25475), 25480, 26002, *range(26004, 26008),
        26009, 26010, *range(26020, 26023), 26106, 26107, *range(26314, 26319),
        *range(26320, 26323), *range(31020, 31026), 31029, 31030, 33401, 33402,
    }
    # fmt: on
