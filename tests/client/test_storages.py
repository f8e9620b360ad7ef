"""Which storage takes a file, and what has to stand in the form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from improto.codes import UploadProvider
from improto_client import NoStorage, UploadTicket
from improto_client.storages import MOST_STORAGES, Storage, find_storage, named_storage

QINIU = Storage(provider=UploadProvider.QINIU, scheme="https", place="files.example.org/files")
S3 = Storage(provider=UploadProvider.S3, scheme="http", place="s3.example.org")


def ticket(**fields: str) -> UploadTicket:
    return UploadTicket(token="T", deadline=1, fields=fields)


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ([{"qiniu": "a", "p": "1"}], "a"),
        ([{"qiniu": "a", "p": "2"}, {"s3": "b", "p": "1"}], "b"),
        ([{"qiniu": "a", "p": 10}, {"s3": "b", "p": 9}], "b"),
        ([{"qiniu": "a"}, {"s3": "b", "p": "7"}], "b"),
        ([{"p": "1", "stc": "a"}, {"s3": "b", "p": "-7"}], "b"),
        ([{"stc": "a", "p": "1"}] * (MOST_STORAGES - 1) + [{"s3": "b"}, {"s3": "c"}], "b"),
        (["x", 7, {"qiniu": 7}, {"qiniu": ""}, {"qiniu": "a", "p": "1"}], "a"),
        ([], "u"),
        ({"qiniu": "a"}, "u"),
    ],
)
def test_the_best_that_we_know(listed: Any, expected: str) -> None:
    fields = {"ossConfig": json.dumps(listed), "uploadServer": "u"}
    assert find_storage(fields, is_encrypted=False).place == expected


@pytest.mark.parametrize("text", [None, 7, "", "[", "[" * 100_000])
def test_what_is_no_list(text: object) -> None:
    found = find_storage({"ossConfig": text, "uploadServer": "u"}, is_encrypted=True)
    assert found == Storage(provider=UploadProvider.QINIU, scheme="https", place="u")


@pytest.mark.parametrize("server", [None, 7, ""])
def test_no_storage(server: object) -> None:
    with pytest.raises(NoStorage, match="the server has no storage"):
        find_storage({"uploadServer": server}, is_encrypted=False)


def test_a_storage_that_nobody_knows() -> None:
    listed = [{"stc": "a"}, {"aliyun": "b"}, {"stc": "c"}]
    fields = {"ossConfig": json.dumps(listed), "uploadServer": "u"}
    with pytest.raises(NoStorage, match=r"upload to aliyun, stc$"):
        find_storage(fields, is_encrypted=False)


@pytest.mark.parametrize("address", ["", "x", "ftp://x", "http://", "//x"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        named_storage(address)


def test_a_named_storage() -> None:
    assert named_storage("https://files.example.org/files") == QINIU


def test_the_form_of_a_ticket() -> None:
    url, fields = QINIU.form(ticket(), "k.png", "image/png")
    assert url == "https://files.example.org/files"
    assert fields == {"token": "T", "key": "k.png"}


def test_the_form_of_a_store() -> None:
    given = ticket(s3BucketName="files", s3Policy="P", s3Signature="S", s3Date="D")
    url, fields = S3.form(given, "k.png", "image/png")
    assert url == "http://files.s3.example.org"
    assert fields == {
        "Content-Type": "image/png",
        "Content-Disposition": "attachment",
        "key": "k.png",
        "policy": "P",
        "x-amz-algorithm": "",
        "x-amz-credential": "",
        "x-amz-date": "D",
        "x-amz-signature": "S",
    }


@pytest.mark.parametrize(
    "fields", [{}, {"s3BucketName": "files"}, {"s3BucketName": "a/b", "s3Policy": "P"}]
)
def test_a_ticket_for_something_else(fields: dict[str, str]) -> None:
    with pytest.raises(NoStorage, match="ticket"):
        S3.form(ticket(**fields), "k", "image/png")
