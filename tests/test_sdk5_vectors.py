"""What an unmodified page with SDK 5 and our server have said to each other, byte by byte.

``tools/record_vectors.py`` has recorded it, in the form of the other vectors. ``user`` is whose
page it was; ``request`` is an HTTP request, which is no frame. Whether the operation table knows it
as well is a matter of ``test_operations.py``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from improto import payloads
from improto.codec import encode
from improto.frames import FrameType, ProtocolVersion
from improto.http import HttpRequest
from improto.login import PATH, Login
from improto.profiles import profile_of
from tests.test_codec import CLASSES, SENDERS, decode_vector, vector_value

Vector = dict[str, Any]

LINES = (
    Path(__file__)
    .with_name("vectors")
    .joinpath("sdk5.jsonl")
    .read_text(encoding="ascii")
    .splitlines()
)
VECTORS: list[Vector] = [json.loads(line) for line in LINES]
FRAMES = [vector for vector in VECTORS if "hex" in vector]
REQUESTS = {vector["name"]: vector["request"] for vector in VECTORS if "request" in vector}


def parametrize(vectors: list[Vector]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors, ids=lambda vector: vector["name"])


with_payload = parametrize([vector for vector in FRAMES if "payload" in vector])


def test_there_are_vectors_of_both_sides() -> None:
    assert sum(vector["direction"] == "c2s" for vector in FRAMES) > 200
    assert sum(vector["direction"] == "s2c" for vector in FRAMES) > 150
    assert len({vector["name"] for vector in VECTORS}) == len(VECTORS)
    assert all(vector["sdk"] == ["5.38.0"] for vector in VECTORS)


# --- Frames and payloads ----------------------------------------------------------------------


@parametrize(FRAMES)
def test_frame_decodes_to_its_fields(vector: Vector) -> None:
    frame = decode_vector(vector)
    expected = dict(vector["fields"])
    kinds = CLASSES[SENDERS[vector["direction"]]]
    assert type(frame) is kinds[FrameType[expected.pop("type")]]
    assert {name: vector_value(frame, name) for name in expected} == expected


@parametrize(FRAMES)
def test_frame_encodes_to_its_bytes(vector: Vector) -> None:
    assert encode(decode_vector(vector)).hex() == vector["hex"]


@parametrize(FRAMES)
def test_data_has_its_payload(vector: Vector) -> None:
    assert ("payload" in vector) == bool(vector["fields"].get("data"))


@with_payload
def test_payload_decodes_to_its_fields(vector: Vector) -> None:
    payload = vector["payload"]
    data = bytes.fromhex(vector["fields"]["data"])
    message = payloads.decode(payloads.MESSAGES[payload["message"]], data)
    assert payloads.to_fields(message) == payload["fields"]


@with_payload
def test_payload_encodes_to_its_bytes(vector: Vector) -> None:
    """From the fields alone, so there is no field that the schema does not know."""
    payload = vector["payload"]
    message = payloads.from_fields(payloads.MESSAGES[payload["message"]], payload["fields"])
    assert payloads.encode(message).hex() == vector["fields"]["data"]


@parametrize([vector for vector in FRAMES if vector["name"].startswith("s2c/")])
def test_only_answers_that_the_sdk_has_liked(vector: Vector) -> None:
    assert vector["fields"].get("status", 0) == 0 or vector["name"] == "s2c/disconnect"


# --- Requests ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "version"), [("c2s/url", ProtocolVersion.V3), ("c2s/url-4", ProtocolVersion.V4)]
)
def test_the_url_of_a_connection(name: str, version: ProtocolVersion) -> None:
    request = HttpRequest(**REQUESTS[name])
    login = Login.from_query(request.query)
    assert request.path == PATH
    assert (login.app_key, login.sdk_version, login.platform) == ("interop", "5.38.0", "")
    assert login.protocol_version is version
    assert len(login.device_id) == 22
    assert login.token.count(".") == 2
    assert profile_of(login).name == "5"
    names = {"appId", "token", "sdkVer", "pid", "deviceId", "apiVer", "protocolVer"}
    assert set(request.query) == names


def test_the_request_for_navigation() -> None:
    recorded = REQUESTS["c2s/navigation"]
    request = HttpRequest(
        method=recorded["method"],
        target=recorded["target"],
        headers=tuple(map(tuple, recorded["headers"])),
        body=recorded["body"].encode("ascii"),
    )
    assert (request.method, request.path) == ("POST", "/v2/navi.json")
    assert request.query == {"cloud": "0"}
    assert request.header("rc-appkey") == "interop"
    assert request.header("rc-negotiate") == "conn=5;rtc=4;log=2;iptype=v4,v6"
    assert request.header("content-type") == "Application/x-www-form-urlencoded"
    form = dict(request.form)
    login = Login.from_query(HttpRequest(**REQUESTS["c2s/url"]).query)
    assert form == {"token": login.token, "v": "5.38.0", "platfrom": "browser"}
