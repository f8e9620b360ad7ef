"""What navigators are asked, and what their answers mean."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from improto.codes import ErrorCode
from improto_client.errors import AppKeyRefused, LoginRefused, NavigationFailed, TokenRefused
from improto_client.hosts import Host
from improto_client.navigation import (
    LIFETIME,
    MOST_HOSTS,
    MOST_NAVIGATORS,
    Navigation,
    Navigator,
    Route,
    Routes,
    navigators,
)

PLAIN, SAFE = Navigator("http://navi:8080"), Navigator("https://navi")


def test_the_question() -> None:
    url = PLAIN.request(app_key="k&1", token="t+/=@a;b", sdk_version="4.6.4", wall_ms=1700)
    assert url.startswith("http://navi:8080/navi.js?appId=k%261&token=")
    assert parse_qs(urlsplit(url).query) == {
        "appId": ["k&1"],
        "token": ["t+/=@"],
        "callBack": ["getServerEndpoint"],
        "v": ["4.6.4"],
        "r": ["1700"],
    }


def test_long_polling_has_a_path_of_its_own() -> None:
    url = SAFE.request(app_key="k", token="t", sdk_version="4.6.4", wall_ms=1, transport="polling")
    assert url.startswith("https://navi/cometnavi.js?appId=k&token=t&")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("navi.example.com", "https://navi.example.com"),
        (" http://navi:8080/ ", "http://navi:8080"),
        ("https://navi/im/", "https://navi/im"),
    ],
)
def test_navigators_are_read(text: str, url: str) -> None:
    assert Navigator.read(text).url == url


@pytest.mark.parametrize(
    "text", ["", "https://", "ftp://navi", "http://navi:port", "http://navi:99999", "navi?x=1"]
)
def test_what_is_no_navigator(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Navigator.read(text)


def test_those_of_the_token_come_first_and_nobody_twice() -> None:
    asked = navigators(["http://b", "https://a"], "token@a;http://c;;?")
    assert [navigator.url for navigator in asked] == ["https://a", "http://c", "http://b"]


def test_there_are_not_too_many() -> None:
    assert len(navigators([], "t@" + ";".join(f"h{n}" for n in range(99)))) == MOST_NAVIGATORS


def answer(**members: Any) -> bytes:
    return json.dumps({"code": 200, "userId": "ann", "server": "im:8080"} | members).encode()


def ask(body: bytes, *, status: int = 200, navigator: Navigator = PLAIN) -> Route | None:
    return Navigation((navigator, Navigator("http://next"))).answered(status, body)


@pytest.mark.parametrize(
    "body",
    [answer(), b"getServerEndpoint(" + answer() + b");", b"getServerEndpoint(" + answer() + b")\n"],
)
def test_an_answer_with_and_without_its_wrapper(body: bytes) -> None:
    route = ask(body)
    assert route is not None
    assert route.hosts == (Host("im", 8080),)
    assert route.user_id == "ann"
    assert route.fields["code"] == 200


def test_further_hosts_and_the_scheme_of_who_answered() -> None:
    route = ask(answer(server="im", backupServer="im:443,,b:8443, ::1"), navigator=SAFE)
    assert route is not None
    assert route.hosts == (Host("im", 443, True), Host("b", 8443, True))


def test_backup_hosts_are_enough_and_not_too_many() -> None:
    hosts = ",".join(f"h{number}:1" for number in range(99))
    route = ask(answer(server=None, backupServer=hosts))
    assert route is not None
    assert len(route.hosts) == MOST_HOSTS


@pytest.mark.parametrize(
    ("status", "body", "error", "code"),
    [
        (401, b'{"code":401}', TokenRefused, ErrorCode.RC_CONN_USER_OR_PASSWD_ERROR),
        (200, b'{"code":401}', TokenRefused, ErrorCode.RC_CONN_USER_OR_PASSWD_ERROR),
        (403, b"<html>", AppKeyRefused, ErrorCode.RC_CONN_ID_REJECT),
        (200, b'{"code":403}', AppKeyRefused, ErrorCode.RC_CONN_ID_REJECT),
        (200, answer(type=1), LoginRefused, ErrorCode.PACKAGE_ENVIRONMENT_ERROR),
    ],
)
def test_answers_that_end_the_round(
    status: int, body: bytes, error: type[LoginRefused], code: int
) -> None:
    with pytest.raises(error) as raised:
        ask(body, status=status)
    assert raised.value.code == code
    assert raised.value.is_final


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"oops"),
        (302, b""),
        (200, b""),
        (200, b"<html>{not json}</html>"),
        (200, b"[1]"),
        (200, b"}{"),
        (200, b'{"code":200}'),
        (200, b'{"code":200,"server":["x"]}'),
        (200, answer(server="", backupServer=None)),
        (200, answer(server="no host")),
        (200, b'{"a":' * 100_000 + b"}"),
    ],
)
def test_answers_after_which_the_next_one_is_asked(status: int, body: bytes) -> None:
    navigation = Navigation((PLAIN, SAFE))
    assert navigation.answered(status, body) is None
    assert navigation.current == SAFE
    assert navigation.answered(200, answer()) is not None


def test_the_last_failure_tells_them_all() -> None:
    navigation = Navigation((PLAIN, SAFE))
    navigation.failed("refused")
    with pytest.raises(NavigationFailed) as failed:
        navigation.failed("no answer within 10 s", is_late=True)
    assert str(failed.value) == (
        "no navigator knows the way: http://navi:8080: refused; https://navi: no answer within 10 s"
    )
    assert failed.value.is_late
    assert (failed.value.code, failed.value.name) == (30007, "RC_NAVI_RESOURCE_ERROR")
    assert not failed.value.is_final


def test_an_answer_is_kept_for_two_hours_and_for_one_token() -> None:
    routes, asked = Routes(), (PLAIN,)
    route = Route(hosts=(Host("im", 80),))
    routes.keep("app", "token", asked, route, now=100.0)
    assert routes.find("app", "token@elsewhere", asked, now=100.0 + LIFETIME - 1) is route
    assert routes.find("app", "other", asked, now=100.0) is None
    assert routes.find("other", "token", asked, now=100.0) is None
    assert routes.find("app", "token", (SAFE,), now=100.0) is None
    assert routes.find("app", "token", asked, now=100.0, transport="polling") is None
    assert routes.find("app", "token", asked, now=100.0 + LIFETIME) is None
    assert routes.find("app", "token", asked, now=100.0) is None


def test_an_answer_of_no_use_is_forgotten() -> None:
    routes, asked = Routes(), (PLAIN,)
    routes.keep("app", "token", asked, Route(hosts=()), now=100.0)
    routes.keep("app", "token", asked, Route(hosts=()), now=100.0, transport="polling")
    routes.forget("app", "token", asked)
    routes.forget("app", "token", asked)
    assert routes.find("app", "token", asked, now=100.0) is None
    assert routes.find("app", "token", asked, now=100.0, transport="polling") is None


def test_old_answers_do_not_pile_up() -> None:
    routes = Routes()
    for number in range(10):
        routes.keep("app", str(number), (PLAIN,), Route(hosts=()), now=number * LIFETIME)
    assert len(routes._kept) == 1


def test_answers_survive_the_program() -> None:
    routes, asked = Routes(), (SAFE,)
    fields = {"server": "im:443", "userId": "ann", "kvStorage": 1}
    route = Route(hosts=(Host("im", 443, is_encrypted=True),), user_id="ann", fields=fields)
    routes.keep("app", "token", asked, route, now=100.0)
    text = routes.to_text(now=160.0, wall_ms=1_000_000)
    again = Routes()
    assert again.read(text, now=5.0, wall_ms=1_060_000)
    found = again.find("app", "token", asked, now=5.0)
    assert found == route
    left = LIFETIME - 120
    assert again.find("app", "token", asked, now=5.0 + left - 1) is found
    assert again.find("app", "token", asked, now=5.0 + left) is None
    late = Routes()
    assert not late.read(text, now=5.0, wall_ms=1_000_000 + int(LIFETIME * 1000))
    # A clock that was set back makes nothing good for longer.
    assert late.read(text, now=5.0, wall_ms=0)
    assert late.find("app", "token", asked, now=5.0 + LIFETIME) is None


@pytest.mark.parametrize(
    "text", ["", "7", "[1]", "[[1, 2, 3, 4]]", '[[["k"], 9e99, true, {}]]', "[[[[]], 9e99, 1, {}]]"]
)
def test_kept_answers_that_are_none(text: str) -> None:
    assert not Routes().read(text, now=0.0, wall_ms=0)


def test_kept_answers_with_a_key_that_is_none() -> None:
    text = '[[[[]], 9e99, true, {"server": "im"}]]'
    assert not Routes().read(text, now=0.0, wall_ms=0)
