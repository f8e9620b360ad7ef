from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from improto.frames import ProtocolVersion
from improto.http import HttpRequest, HttpResponse
from improto.profiles import ReceiptVersion
from improto_server.navigation import Navigation, Offer, is_same_place, other_spelling
from tests.server.rig import APP, FakeAccounts

GOOD = {"appId": APP, "token": "alice"}
JSONP = {**GOOD, "callBack": "getServerEndpoint", "v": "2.5.3", "r": "1"}


def navigation(
    own: str = "127.0.0.1:8080", public: str = "", offer: Offer | None = None
) -> Navigation:
    return Navigation(
        FakeAccounts(APP),
        own_address=own,
        public_address=public,
        offer=offer or Offer(),
        now=lambda: 1_700_000_000.0,
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


def ask_v2(
    form: dict[str, str] | bytes,
    *,
    app: str | None = APP,
    method: str = "POST",
    server: Navigation | None = None,
) -> HttpResponse:
    """As SDK 5 asks (sdk5 2.1)."""
    own = () if app is None else (("rc-appkey", app),)
    request = HttpRequest(
        method=method,
        target="/v2/navi.json?cloud=0",
        headers=(
            *own,
            ("rc-negotiate", "conn=5;rtc=4;log=2;iptype=v4,v6"),
            ("content-type", "Application/x-www-form-urlencoded"),
        ),
        body=form if isinstance(form, bytes) else urlencode(form).encode(),
    )
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


@pytest.mark.parametrize("sdk", ["5.38.0", ""])
def test_sdk_5_asks_by_a_form_and_is_answered_in_bare_json(sdk: str) -> None:
    token = "alice@navi.example.com;http://b.example.com"
    response = ask_v2({"token": token, "v": sdk, "platfrom": "browser", "callBack": "f"})
    assert response.status == 200
    assert dict(response.headers)["Content-Type"] == "application/json; charset=utf-8"
    reply = json.loads(response.body)
    assert (reply["code"], reply["userId"]) == (200, "alice")
    assert (reply["server"], reply["backupServer"]) == ("127.0.0.1:8080", "localhost:8080")
    # With these it would look elsewhere, refuse, or show messages twice (sdk5 2.2).
    assert not {"serverAddr", "type", "openHistoryMsg"} & reply.keys()


@pytest.mark.parametrize(
    ("form", "app", "status"),
    [
        ({"token": "forged"}, APP, 401),
        ({}, APP, 401),
        (b"", APP, 401),
        (b'{"token":"alice"}', APP, 401),
        (b"\xff\x00&&==&", APP, 401),
        ({"token": "alice"}, "nobody's", 403),
        ({"token": "alice"}, None, 403),
        (b"token=alice&x=" + b"y" * 65_523, APP, 413),
    ],
)
def test_what_is_wrong_with_a_form_is_said_in_bare_json(
    form: dict[str, str] | bytes, app: str | None, status: int
) -> None:
    response = ask_v2(form, app=app)
    assert (response.status, response.body) == (status, b'{"code":%d}' % status)
    assert dict(response.headers)["Access-Control-Allow-Origin"] == "*"


def test_a_form_may_be_as_large_as_the_limit() -> None:
    assert ask_v2(b"token=alice&x=" + b"y" * 65_522).status == 200


def test_the_key_in_the_url_counts_for_nothing_if_there_is_a_form() -> None:
    request = HttpRequest(method="POST", target=f"/v2/navi.json?appId={APP}", body=b"token=alice")
    assert navigation().respond(request).status == 403


def test_the_form_is_not_asked_by_get() -> None:
    response = ask_v2({"token": "alice"}, method="GET")
    assert response.status == 405
    assert dict(response.headers)["Allow"] == "POST, OPTIONS"


def test_the_preflight_allows_the_headers_of_sdk_5() -> None:
    response = ask_v2(b"", method="OPTIONS", app=None)
    headers = dict(response.headers)
    assert (response.status, response.body) == (204, b"")
    assert "POST" in headers["Access-Control-Allow-Methods"]
    allowed = headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"rc-appkey", "rc-negotiate", "content-type", "app-key", "authorization"} == {*allowed}
    assert headers["Access-Control-Allow-Origin"] == "*"


OFFERS = [
    (Offer(), {"kvStorage": 1, "joinMChrm": True, "openAnti": 0, "grpRRVer": 0}),
    (Offer(), {"userProfile": 1, "subDriven": 15, "serverSaveUnread": 0, "msgModifyMinute": 0}),
    (Offer(protocol=ProtocolVersion.V4), {"openAnti": 1}),
    (Offer(several_rooms=False, room_keys=False), {"kvStorage": 0, "joinMChrm": False}),
    (Offer(profiles=False, subscriptions=False), {"userProfile": 0, "subDriven": 0}),
    (Offer(unread_on_server=True, edit_minutes=7), {"serverSaveUnread": 1, "msgModifyMinute": 7}),
    (Offer(unread_on_server=True), {"sesDriven": 0}),
]


@pytest.mark.parametrize(("offer", "told"), OFFERS)
def test_what_the_server_can_do_is_told(offer: Offer, told: dict[str, object]) -> None:
    server = navigation(offer=offer)
    for reply in (
        fields(ask("/navi.js", JSONP, server=server)),
        json.loads(ask_v2({"token": "alice", "v": "5.38.0"}, server=server).body),
    ):
        assert {name: reply[name] for name in told} == told


@pytest.mark.parametrize(
    ("receipts", "first", "fifth"),
    [
        (ReceiptVersion.MESSAGES, 0, 0),
        (ReceiptVersion.TOPICS, 1, 1),
        (ReceiptVersion.POSITIONS, 0, 3),
        (ReceiptVersion.RECEIPTS, 0, 4),
    ],
)
def test_a_scheme_for_receipts_is_told_to_those_who_know_it(
    receipts: ReceiptVersion, first: int, fifth: int
) -> None:
    server = navigation(offer=Offer(receipts=receipts))
    for version in ("2.5.3", "2.9.2", "4.6.4"):
        assert fields(ask("/navi.js", {**GOOD, "v": version}, server=server))["grpRRVer"] == first
    reply = json.loads(ask_v2({"token": "alice", "v": "5.38.0"}, server=server).body)
    assert reply["grpRRVer"] == fifth


def test_read_times_are_told_to_sdk_5_only() -> None:
    server = navigation(offer=Offer(read_times=True))
    for version in ("2.5.3", "2.9.2", "4.6.4"):
        assert fields(ask("/navi.js", {**GOOD, "v": version}, server=server))["sesDriven"] == 0
    reply = json.loads(ask_v2({"token": "alice", "v": "5.38.0"}, server=server).body)
    assert (reply["sesDriven"], reply["serverSaveUnread"]) == (1, 0)


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


@pytest.mark.parametrize(
    ("own", "address", "is_same"),
    [
        ("im.example.com:443", "IM.Example.com:0443", True),
        ("im.example.com:443", "im.example.com:444", False),
        ("im.example.com:443", "im.example.org:443", False),
        ("127.0.0.1:8080", "localhost:8080", True),
        ("localhost:8080", "127.0.0.1:8080", True),
        ("[::1]:8080", "[::1]:8080", True),
        ("0.0.0.0:8080", "localhost:8080", True),
        ("[::]:8080", "[::1]:8080", True),
        ("0.0.0.0:8080", "127.0.0.1:8081", False),
        ("0.0.0.0:8080", "192.0.2.7:8080", False),
        ("", "192.0.2.7:8080", False),
    ],
)
def test_what_is_surely_the_same_place(own: str, address: str, is_same: bool) -> None:
    assert is_same_place(own, address) is is_same


@pytest.mark.parametrize("own", ["0.0.0.0:8080", "127.0.0.1:8080"])
def test_who_hands_over_names_only_the_other_server(own: str) -> None:
    server = navigation(own, "im.example.com:443")
    assert not server.hands_over
    server.hand_over("b.example.com:8080")
    assert server.hands_over
    for reply in (
        fields(ask("/navi.js", JSONP, host="a.example.com:8080", server=server)),
        json.loads(ask_v2({"token": "alice"}, server=server).body),
    ):
        assert reply["server"] == "b.example.com:8080"
        assert reply["backupServer"] == "B.EXAMPLE.COM:8080"
    assert ask("/ping", server=server).status == 200


@pytest.mark.parametrize("address", ["127.0.0.1:8080", "im.example.com:443", "nowhere", "", "x:y"])
def test_nobody_hands_over_to_himself_or_to_nobody(address: str) -> None:
    server = navigation(public="im.example.com:443")
    with pytest.raises(ValueError, match=r"this server itself|invalid literal"):
        server.hand_over(address)
    assert not server.hands_over


def test_ping_is_answered_without_questions() -> None:
    response = ask("/ping", {"r": "17"})
    assert (response.status, response.body) == (200, b"pong")


def test_a_draining_server_sends_clients_elsewhere() -> None:
    server = navigation()
    server.is_draining = True
    assert ask("/ping", server=server).status == 503
    assert ask("/navi.js", JSONP, server=server).status == 503
    assert ask_v2({"token": "alice"}, server=server).status == 503


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
