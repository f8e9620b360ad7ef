"""Bodies and parameters of the REST API (rest 3, 5)."""

from __future__ import annotations

import pytest

from improto_server.api import bodies
from improto_server.api.bodies import MOST_PAIRS
from improto_server.api.endpoints import Call, Endpoint, Mark
from improto_server.api.parameters import (
    Flag,
    Id,
    Ids,
    ListOfPairs,
    Named,
    Number,
    Pairs,
    Parameter,
    Text,
    is_group_id,
    user_id,
    user_ids,
)
from improto_server.api.replies import Code, RefusedError


def code(parameter: Parameter[object], fields: dict[str, list[str]]) -> Code:
    with pytest.raises(RefusedError) as caught:
        parameter.read(fields)
    assert str(caught.value).startswith(parameter.name.partition("[")[0])
    return caught.value.code


# -- bodies ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", {}),
        (b"&&a=1&", {"a": ["1"]}),
        (b"a=2&b=x&a=1", {"a": ["2", "1"], "b": ["x"]}),
        (b"a=x%20y+z%2B", {"a": ["x y z+"]}),
        (b'a=k=v:/?"{ }', {"a": ['k=v:/?"{ }']}),
        ("a=\u4f60".encode(), {"a": ["\u4f60"]}),
        (b"group[g1]=one&group%5Bg2%5D=two", {"group[g1]": ["one"], "group[g2]": ["two"]}),
        (b"a", {"a": [""]}),
        (b"=x", {"": ["x"]}),
    ],
)
def test_forms(body: bytes, fields: dict[str, list[str]]) -> None:
    assert bodies.form(body) == fields


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b"a=%ff", Code.INVALID), (b"\xff=1", Code.INVALID), (b"a=1&" * (MOST_PAIRS + 1), 1502)],
)
def test_forms_that_are_none(body: bytes, expected: Code) -> None:
    with pytest.raises(RefusedError) as caught:
        bodies.form(body)
    assert caught.value.code == expected


def test_as_many_pairs_as_there_may_be() -> None:
    assert len(bodies.form(b"a=1&" * MOST_PAIRS)["a"]) == MOST_PAIRS


def test_json() -> None:
    body = b'{"a": "x", "b": [1, null, {"k": "v"}, "y"], "c": true, "d": null, "e": {"k": [1]}}'
    assert bodies.json(body) == {
        "a": ["x"],
        "b": ["1", "", '{"k":"v"}', "y"],
        "c": ["true"],
        "d": [],
        "e": ['{"k":[1]}'],
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", Code.INVALID),
        (b"[]", Code.INVALID),
        (b'{"a": "\xff"}', Code.INVALID),
        (b'{"a": "say "hi""}', Code.INVALID),
        (b'{"a":' + b"[" * 100_000, Code.INVALID),
        (b'{"a":[' + b"1," * MOST_PAIRS + b"1]}", Code.OUT_OF_RANGE),
    ],
)
def test_json_that_is_none(body: bytes, expected: Code) -> None:
    with pytest.raises(RefusedError) as caught:
        bodies.json(body)
    assert caught.value.code is expected


# -- parameters --------------------------------------------------------------------------


def test_texts() -> None:
    text = Text("t", most_bytes=4)
    assert text.read({}) == ""
    assert text.read({"t": ["first", "last"]}) == "last"
    assert code(text, {"t": ["\u4f60\u4f60"]}) is Code.TOO_LONG
    name = Text("t", most_characters=2, is_required=True)
    assert name.read({"t": ["\u4f60\u4f60"]}) == "\u4f60\u4f60"
    assert code(name, {"t": ["abc"]}) is Code.TOO_LONG
    assert code(name, {}) is code(name, {"t": [""]}) is Code.INVALID


def test_ids() -> None:
    users = user_ids("u", most=3)
    assert users.read({"u": ["b", "a", "b"]}) == ["b", "a"]
    assert users.read({"u": ["x" * 64]}) == ["x" * 64]
    assert code(users, {}) is Code.INVALID
    assert code(users, {"u": ["a", ""]}) is Code.INVALID
    assert code(users, {"u": ["a b"]}) is Code.INVALID
    assert code(users, {"u": ["x" * 65]}) is Code.TOO_LONG
    assert code(users, {"u": list("abcd")}) is Code.OUT_OF_RANGE
    groups = Ids("u", most=2, fits=is_group_id, is_required=False)
    assert groups.read({}) == groups.read({"u": [""]}) == []
    assert groups.read({"u": ["\u7fa4"]}) == ["\u7fa4"]
    parallel = Ids("u", most=2, fits=is_group_id, is_parallel=True)
    assert parallel.read({"u": ["a", "a"]}) == ["a", "a"]


def test_one_id() -> None:
    assert user_id("u").read({"u": ["a"]}) == "a"
    assert code(user_id("u"), {}) is Code.INVALID
    assert code(user_id("u"), {"u": ["a b"]}) is Code.INVALID
    assert code(user_id("u"), {"u": ["x" * 65]}) is Code.TOO_LONG
    assert Id("u", fits=is_group_id, is_required=False).read({"u": [""]}) == ""


def test_numbers() -> None:
    number = Number("n", least=-1, most=60, default=5)
    assert number.read({}) == 5
    assert [number.read({"n": [text]}) for text in ("-1", "0", "007", "60")] == [-1, 0, 7, 60]
    for text in ("undefined", "1.0", "\u0661", "-", "1e1", " 1"):
        assert code(number, {"n": [text]}) is Code.NO_NUMBER
    for text in ("-2", "61", "9" * 5000):
        assert code(number, {"n": [text]}) is Code.OUT_OF_RANGE
    required = Number("n", least=0, most=1, default=0, is_required=True)
    assert code(required, {}) is Code.INVALID


def test_flags() -> None:
    flag = Flag("f")
    assert flag.read({}) is False
    assert Flag("f", default=True).read({}) is True
    assert all(flag.read({"f": [text]}) for text in ("1", "true", "True", "TRUE"))
    assert not any(flag.read({"f": [text]}) for text in ("0", "false", "False"))
    assert code(flag, {"f": ["undefined"]}) is Code.NO_NUMBER


def test_names_of_ids() -> None:
    rooms = Named("room", most=2, most_characters=3, fits=is_group_id)
    found = rooms.read({"room[a]": ["x", "one"], "room[b]": [""], "room": ["y"], "roof[c]": ["z"]})
    assert found == {"a": "one", "b": ""}
    assert code(rooms, {"room[a": ["x"]}) is Code.INVALID
    assert code(rooms, {"room[]": ["x"]}) is Code.INVALID
    assert code(rooms, {"room[a]": ["long"]}) is Code.TOO_LONG
    assert code(rooms, {f"room[{id}]": [""] for id in "abc"}) is Code.OUT_OF_RANGE
    optional = Named("room", most=1, most_characters=3, fits=is_group_id, is_required=False)
    assert optional.read({}) == {}


def test_pairs() -> None:
    pairs = Pairs("p", most=2, most_characters=3)
    assert pairs.read({}) == {}
    assert pairs.read({"p": ['{"a":"one"}']}) == {"a": "one"}
    for text in ("[]", "{", '{"a":1}', '{"a":' * 100_000):
        assert code(pairs, {"p": [text]}) is Code.INVALID
    assert code(pairs, {"p": ['{"a":"long"}']}) is Code.TOO_LONG
    assert code(pairs, {"p": ['{"a":"","b":"","c":""}']}) is Code.OUT_OF_RANGE


def test_lists_of_pairs() -> None:
    several = ListOfPairs("p", most=2, most_keys=1, most_characters=3)
    assert several.read({"p": ["{}", '{"a":"b"}']}) == [{}, {"a": "b"}]
    assert code(several, {}) is Code.INVALID
    assert code(several, {"p": ["", "{}"]}) is Code.INVALID
    assert code(several, {"p": ["{}"] * 3}) is Code.OUT_OF_RANGE


def test_each_says_what_it_may_be() -> None:
    every: list[Parameter[object]] = [
        Text("t", most_bytes=4),
        user_ids("u", most=3),
        user_id("u"),
        Number("n", least=0, most=1, default=0),
        Flag("f"),
        Named("room", most=2, most_characters=3, fits=is_group_id),
        Pairs("p", most=2, most_characters=3),
        ListOfPairs("p", most=2, most_keys=1, most_characters=3),
    ]
    kinds = ["string", "array", "string", "integer", "string", "string", "string", "array"]
    assert [each.schema["type"] for each in every] == kinds
    assert all(each.limit for each in every)


def test_a_call_has_what_was_given() -> None:
    word, times = Text("word", most_bytes=9), Number("times", least=0, most=9, default=1)

    async def nothing(call: Call) -> None:
        pass

    endpoint = Endpoint(path="/a", mark=Mark.CORE, about="", parameters=(word, times), call=nothing)
    call = endpoint.read("app", b"word=hi&other=1")
    assert (call.app, call[word], call[times]) == ("app", "hi", 1)
    assert endpoint.url == "/a.json"
