"""The URL that opens a connection (http 4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improto.frames import ProtocolVersion
from improto.http import HttpRequest
from improto.login import PATH, Login, bare_token


def read(target: str) -> Login:
    """What a server reads from a request line."""
    request = HttpRequest(method="GET", target=target)
    assert request.path == PATH
    return Login.from_query(request.query)


def test_a_client_writes_the_parameters_of_sdk_4_6_4() -> None:
    """Names and order of http 4; ``pid`` is empty there (interop 4)."""
    assert Login(app_key="k", token="a+b/c=").target == (
        "/websocket?appId=k&token=a%2Bb%2Fc%3D&sdkVer=4.6.4&pid=&apiVer=normal&protocolVer=3"
    )


def test_mini_programs_say_so() -> None:
    """Http 4."""
    login = Login(app_key="k", token="t", platform="MiniProgram")
    assert login.target.endswith("&platform=MiniProgram")
    assert read(login.target).platform == "MiniProgram"


def test_only_who_names_his_device_says_so() -> None:
    """SDK 5 keeps the id across reconnects (sdk5 3)."""
    login = Login(app_key="k", token="t", device_id="a b")
    assert login.target.endswith("&protocolVer=3&deviceId=a+b")
    assert read(login.target).device_id == "a b"


@pytest.mark.parametrize(("length", "counts"), [(0, True), (22, True), (64, True), (65, False)])
def test_a_device_with_too_long_a_name_has_none(length: int, counts: bool) -> None:
    name = "x" * length
    assert Login.from_query({"deviceId": name}).device_id == (name if counts else "")


@given(
    app_key=st.text(max_size=20),
    token=st.text(max_size=20).filter(lambda token: "@" not in token),
    sdk_version=st.text(max_size=20),
    protocol_version=st.sampled_from(ProtocolVersion),
    platform=st.text(max_size=20),
    device_id=st.text(max_size=20),
)
def test_a_server_reads_what_a_client_writes(
    app_key: str,
    token: str,
    sdk_version: str,
    protocol_version: ProtocolVersion,
    platform: str,
    device_id: str,
) -> None:
    login = Login(
        app_key=app_key,
        token=token,
        sdk_version=sdk_version,
        protocol_version=protocol_version,
        platform=platform,
        device_id=device_id,
    )
    assert read(login.target) == login


@pytest.mark.parametrize(
    ("token", "bare"),
    [
        ("abc", "abc"),
        ("abc@", "abc"),
        ("abc@host1;host2", "abc"),
        ("abc@host1@x", "abc"),
        ("@host", ""),
        ("", ""),
    ],
)
def test_only_what_stands_before_the_first_at_sign_counts(token: str, bare: str) -> None:
    """SDK 2.5.3 sends the hosts too, the newer ones send the sign alone (interop 1)."""
    assert bare_token(token) == bare
    assert Login.from_query({"token": token}).token == bare


@pytest.mark.parametrize(
    ("written", "version"),
    [("3", ProtocolVersion.V3), ("4", ProtocolVersion.V4), ("5", ProtocolVersion.V3)],
)
def test_only_version_4_is_version_4(written: str, version: ProtocolVersion) -> None:
    """Wire 4.2."""
    assert Login.from_query({"protocolVer": written}).protocol_version is version


def test_an_empty_query_is_a_login_that_can_be_refused() -> None:
    """Errors are reported by CONNACK, not by HTTP status (session 2.4)."""
    assert Login.from_query({}) == Login(app_key="", token="", sdk_version="")


def test_sdk_253_is_read() -> None:
    """No protocolVer, a random apiVer, no pid (interop 4)."""
    login = read("/websocket?appId=k&token=t%40h&sdkVer=2.5.3&apiVer=77")
    assert login == Login(app_key="k", token="t", sdk_version="2.5.3")


def test_a_token_is_in_no_repr() -> None:
    """Logins are logged; tokens must not be."""
    assert "secret" not in repr(Login(app_key="k", token="secret"))


@pytest.mark.parametrize(
    ("pid", "device_id"),
    [("1700000000123.5", "1700000000123.5"), ("null", ""), ("undefined", ""), ("x" * 65, "")],
)
def test_a_page_that_polls_names_itself(pid: str, device_id: str) -> None:
    """``pid`` (http 5.1); over WebSocket it says nothing."""
    query = {"pid": pid, "deviceId": "not this"}
    login = Login.from_query(query, is_polling=True)
    assert (login.device_id, login.is_polling) == (device_id, True)
    assert Login.from_query({"pid": pid}).device_id == ""
