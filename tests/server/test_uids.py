from __future__ import annotations

import re
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improto.frames import TimeMs
from improto_server.uids import UidMaker, time_of

NOW = 1599619898624

times = st.integers(0, 2**42 - 1)


def number(uid: str) -> int:
    """The 80 bits of a uid."""
    value = 0
    for digit in uid.replace("-", ""):
        value = value * 32 + "0123456789ABCDEFGHIJKLMNOPQRSTUV".index(digit)
    return value


def test_a_published_sample_reads_the_same() -> None:
    # A uid of another server whose message is known to be of this time (messages 2).
    sample = number("BKE3-39Q0-4ME7-QRCS")
    ours = number(UidMaker().make(time=TimeMs(NOW), conversation_type=1, target="bob"))
    assert sample >> 38 == ours >> 38 == NOW
    assert sample >> 22 & 0xF == ours >> 22 & 0xF == 1


@given(time=times, kind=st.integers(1, 15), target=st.text(max_size=64))
def test_the_bits_say_time_counter_type_and_target(time: int, kind: int, target: str) -> None:
    uid = UidMaker().make(time=time, conversation_type=kind, target=target)
    assert re.fullmatch(r"[0-9A-V]{4}(-[0-9A-V]{4}){3}", uid)
    bits = number(uid)
    assert bits >> 38 == time
    assert bits >> 26 & 0xFFF == 1
    assert bits >> 22 & 0xF == kind
    assert bits & 0x3FFFFF == crc32(target.encode()) & 0x3FFFFF


def test_uids_of_one_moment_differ() -> None:
    maker = UidMaker()
    uids = {maker.make(time=NOW, conversation_type=1, target="bob") for _ in range(4096)}
    assert len(uids) == 4096


@given(earlier=times, later=times)
def test_sorting_by_uid_sorts_by_time(earlier: int, later: int) -> None:
    maker = UidMaker()
    first = maker.make(time=earlier, conversation_type=1, target="bob")
    second = maker.make(time=later, conversation_type=1, target="bob")
    if earlier != later:
        assert (first < second) == (earlier < later)


@given(time=times)
def test_a_uid_tells_its_time(time: int) -> None:
    uid = UidMaker().make(time=TimeMs(time), conversation_type=1, target="bob")
    assert time_of(uid) == time


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "BKE339Q04ME7QRCS",
        "bke3-39q0-4me7-qrcs",
        "BKE3-39Q0-4ME7-QRCW",
        "BKE3-39Q0-4ME7-QRCS-0000",
        "BKE3-39Q0-4ME7-QRCS\n",
        " BKE3-39Q0-4ME7-QRC",
    ],
)
def test_other_texts_tell_none(text: str) -> None:
    assert time_of(text) is None
