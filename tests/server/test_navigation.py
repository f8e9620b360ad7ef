from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from improto.http import HttpRequest, HttpResponse
from improto_server.navigation import Navigation, other_spelling
from tests.server.rig import APP, FakeAccounts

GOOD = {"appId": APP, "token": "alice"}
JSONP = {**GOOD, "callBack": "getServerEndpoint", "v": "2.5.3", "r": "1"}


def navigation(own: str = "127.0.0.1:8080", public: str = "") -> Navigation:
    return Navigation(
        FakeAccounts(APP), own_address=own, public_address=public, now=lambda: 1_700_000_000.0
    )


def ask(
    path: str,
    query: dict[str, str] | None = None,
    *,
    method: str = "GET",
    host: str | None = None,
    server: Navigation | None = None,
) -> HttpResponse:
    target = path if query is None else f"{path}?{urlencode(query)}"
    headers = () if host is None else (("host", host),)
    request = HttpRequest(method=method, target=target, headers=headers)
    return (server or navigation()).respond(request)


def fields(response: HttpResponse) -> dict[str, object]:
    assert response.status == 200
    text = response.body.decode()
    begin, end = text.index("{"), text.rindex("}")
    result: dict[str, object] = json.loads(text[begin : end + 1])
    return result


@pytest.mark.parametrize("path", ["/navi.js", "/cometnavi.js"])
def test_the_reply_is_wrapped_as_all_sdks_read_it(path: str) -> None:
    response = ask(path, JSONP)
    assert response.status == 200
    assert dict(response.headers)["Content-Type"] == "text/javascript; charset=utf-8"
    text = response.body.decode()
    assert text.startswith('getServerEndpoint({"code":200,')
    # SDK 2.5.3 cuts off the first ");" that it finds, SDK 2.9.2 fails on a line's end.
    assert text.index(");") == len(text) - 2
    assert "\n" not in text


def test_without_a_callback_the_reply_is_json() -> None:
    response = ask("/navi.js", GOOD)
    assert dict(response.headers)["Content-Type"] == "application/json; charset=utf-8"
    assert json.loads(response.body)["code"] == 200


@pytest.mark.parametrize(
    ("callback", "used"),
    [
        ("jQuery1.f_2", "jQuery1.f_2"),
        ("alert(1)//", "getServerEndpoint"),
        ("", "getServerEndpoint"),
    ],
)
def test_the_callback_is_a_name_or_the_usual_one(callback: str, used: str) -> None:
    response = ask("/navi.js", {**GOOD, "callBack": callback})
    assert response.body.startswith(used.encode() + b"({")


def test_the_fields_are_those_of_the_protocol_notes() -> None:
    reply = fields(ask("/navi.js", JSONP))
    assert reply["userId"] == "alice"
    assert reply["server"] == "127.0.0.1:8080"
    assert reply["backupServer"] == "localhost:8080"
    assert "type" not in reply
    assert reply["openAnti"] == reply["ugMsg"] == reply["grpRRVer"] == reply["logSwitch"] == 0
    assert reply["joinMChrm"] is True
    assert reply["msgAck"] is None
    # SDKs parse these texts and fail on anything but JSON in text.
    for name in ("voipCallInfo", "logPolicy", "ossConfig", "location"):
        text = reply[name]
        assert isinstance(text, str)
        json.loads(text)


@pytest.mark.parametrize("path", ["/navi.js", "/ping", "/nothing", "/websocket", "/pullmsg.js"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
def test_every_answer_may_be_read_by_every_page(path: str, method: str) -> None:
    headers = dict(ask(path, method=method).headers)
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Cache-Control"] == "no-store"


def test_a_token_is_cut_at_the_first_at_sign() -> None:
    reply = fields(ask("/navi.js", {**JSONP, "token": "alice@navi.example.com;b.example.com"}))
    assert reply["userId"] == "alice"


@pytest.mark.parametrize("token", ["forged", "foreign", "garbage"])
def test_a_wrong_token_is_401_in_bare_json(token: str) -> None:
    response = ask("/navi.js", {**JSONP, "token": token})
    assert (response.status, response.body) == (401, b'{"code":401}')


def test_a_missing_token_is_401() -> None:
    assert ask("/navi.js", {"appId": APP}).status == 401


def test_an_unknown_app_is_403_in_bare_json() -> None:
    response = ask("/navi.js", {**JSONP, "appId": "nobody's"})
    assert (response.status, response.body) == (403, b'{"code":403}')


def test_a_missing_app_is_unknown() -> None:
    assert ask("/navi.js", {"token": "alice"}).status == 403


def test_an_expired_token_is_left_to_the_login() -> None:
    assert fields(ask("/navi.js", {**JSONP, "token": "expired"}))["userId"] == ""


def test_tokens_are_checked_at_the_time_of_the_clock() -> None:
    accounts = FakeAccounts(APP)
    server = Navigation(accounts, own_address="h:1", public_address="", now=lambda: 123.5)
    ask("/navi.js", GOOD, server=server)
    assert accounts.asked_at == [123.5]


def test_the_public_address_is_handed_out_if_there_is_one() -> None:
    reply = fields(ask("/navi.js", JSONP, server=navigation(public="im.example.com:443")))
    assert reply["server"] == "im.example.com:443"
    assert reply["backupServer"] == "IM.EXAMPLE.COM:443"


@pytest.mark.parametrize("own", ["0.0.0.0:8080", "[::]:8080", ":8080"])
def test_who_listens_everywhere_is_where_he_was_asked(own: str) -> None:
    reply = fields(ask("/navi.js", JSONP, host="192.0.2.7:8080", server=navigation(own)))
    assert reply["server"] == "192.0.2.7:8080"


@pytest.mark.parametrize("host", ['evil");//', "", None, "a b", "host:123456"])
def test_a_strange_host_header_is_not_repeated(host: str | None) -> None:
    reply = fields(ask("/navi.js", JSONP, host=host, server=navigation("0.0.0.0:8080")))
    assert reply["server"] == "0.0.0.0:8080"


def test_an_address_of_ones_own_is_better_than_the_host_header() -> None:
    assert fields(ask("/navi.js", JSONP, host="proxy:80"))["server"] == "127.0.0.1:8080"


@pytest.mark.parametrize(
    ("address", "spelling"),
    [
        ("127.0.0.1:8080", "localhost:8080"),
        ("localhost:8080", "127.0.0.1:8080"),
        ("im.example.com:8080", "IM.EXAMPLE.COM:8080"),
        ("im.example.com", "IM.EXAMPLE.COM"),
        ("192.0.2.7:8080", "192.0.2.7:08080"),
        ("[fe80::1]:8080", "[fe80::1]:08080"),
        ("192.0.2.7", ""),
        ("[::1]", ""),
    ],
)
def test_the_other_spelling_is_the_same_place(address: str, spelling: str) -> None:
    assert other_spelling(address) == spelling


def test_ping_is_answered_without_questions() -> None:
    response = ask("/ping", {"r": "17"})
    assert (response.status, response.body) == (200, b"pong")


def test_a_draining_server_sends_clients_elsewhere() -> None:
    server = navigation()
    server.is_draining = True
    assert ask("/ping", server=server).status == 503
    assert ask("/navi.js", JSONP, server=server).status == 503


@pytest.mark.parametrize("path", ["/0", "/1", "/", "/favicon.ico", "/message/exist.js", "/ping/"])
def test_everything_else_is_not_found(path: str) -> None:
    assert ask(path).status == 404


def test_a_wrong_method_is_told_the_right_ones() -> None:
    response = ask("/ping", method="POST")
    assert response.status == 405
    assert dict(response.headers)["Allow"] == "GET, OPTIONS"


def test_a_preflight_is_allowed() -> None:
    response = ask("/navi.js", method="OPTIONS")
    assert (response.status, response.body) == (204, b"")
    assert "GET" in dict(response.headers)["Access-Control-Allow-Methods"]


def test_long_polling_is_refused_as_sdks_understand_it() -> None:
    response = ask("/websocket", {**GOOD, "sdkVer": "2.5.3"})
    # The newer SDKs compare the text with their own serialisation.
    assert (response.status, response.body) == (200, b'{"status":3,"headerCode":32,"messageId":0}')


@pytest.mark.parametrize(("method", "path"), [("GET", "/pullmsg.js"), ("POST", "/websocket")])
def test_there_are_no_polling_sessions(method: str, path: str) -> None:
    response = ask(path, {"sessionid": "x"}, method=method)
    assert (response.status, response.body) == (400, b"lost params")
