"""Text inside frames: CESU-8 as the SDKs write it, and all that they read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improto._text import decode_text, encode_text
from improto.testing.frame_strategies import texts


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", ""),
        ("u2", "75 32"),
        ("\x00", "00"),
        ("\x7f\x80\u07ff\u0800\uffff", "7f c280 dfbf e0a080 efbfbf"),
        ("\ufeffa", "efbbbf 61"),
        ("a\U0001f600é中", "61 eda0bd edb880 c3a9 e4b8ad"),
        ("\U00010000\U0010ffff", "eda080 edb080 edafbf edbfbf"),
        ("\ud83d", "eda0bd"),
        ("\ude00\ud83d", "edb880 eda0bd"),
    ],
    ids=ascii,
)
def test_text_and_its_bytes(text: str, data: str) -> None:
    assert encode_text(text) == bytes.fromhex(data)
    assert decode_text(bytes.fromhex(data)) == text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("f09f9880", "\U0001f600"),
        ("eda0bd f09f9880", "\ud83d\U0001f600"),
        ("80", "\ufffd"),
        ("ff", "\ufffd"),
        ("c328", "\ufffd("),
        ("c080", "\ufffd\ufffd"),
        ("f09f98", "\ufffd"),
        ("eda0", "\ufffd\ufffd"),
        ("eda0bd ff edb880", "\ud83d\ufffd\ude00"),
        ("61 ff eda0bd edb880", "a\ufffd\U0001f600"),
    ],
    ids=ascii,
)
def test_what_else_is_read(data: str, text: str) -> None:
    """Four-byte UTF-8, halves of pairs, and bytes that are no text (wire 7, rule 4)."""
    assert decode_text(bytes.fromhex(data)) == text


def test_a_split_pair_in_a_string_is_joined_on_the_way() -> None:
    assert decode_text(encode_text("\ud83d\ude00")) == "\U0001f600"


@given(texts())
def test_decoded_text_survives(text: str) -> None:
    assert decode_text(encode_text(text)) == text


@given(st.binary())
def test_any_bytes_are_text(data: bytes) -> None:
    text = decode_text(data)
    assert decode_text(encode_text(text)) == text


@given(st.text())
def test_length_counts_utf16_units(text: str) -> None:
    """Each UTF-16 code unit stands for itself (wire 3)."""
    units = memoryview(text.encode("utf-16-le")).cast("H")
    sizes = [1 if unit < 0x80 else 2 if unit < 0x800 else 3 for unit in units]
    assert len(encode_text(text)) == sum(sizes)
