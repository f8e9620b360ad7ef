"""Tokens and user ids."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from improto_server.services.accounts import (
    TOKEN_CHARACTERS,
    Accounts,
    TokenCheck,
    TokenOutcome,
    is_user_id,
)

SECRET = "0123456789abcdef0123456789abcdef"
OTHER_SECRET = "fedcba9876543210fedcba9876543210"
NOW = 1_700_000_000.5
DAY = 86_400.0

ACCOUNTS = Accounts({"app": SECRET, "other": OTHER_SECRET})

user_ids = st.from_regex(r"\A[A-Za-z0-9_.@:=-]{1,64}\Z").filter(is_user_id)


def outcome(token: str, *, app_key: str = "app", now: float = NOW) -> TokenOutcome:
    check = ACCOUNTS.check(app_key, token, now=now)
    assert (check.user_id is not None) == (check.outcome is TokenOutcome.VALID)
    return check.outcome


def segment(data: Any) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(claims: Any, *, secret: str = SECRET) -> str:
    """A token with whatever claims."""
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return jwt.PyJWS().encode(payload, secret, algorithm="HS256")


CLAIMS = {"app": "app", "sub": "bob", "exp": int(NOW) + 10}


# -- user ids --------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["b", "a" * 64, "Bob.Smith_3@example:x=y-z", "rongcloudsystem2"])
def test_user_ids(text: str) -> None:
    assert is_user_id(text)


@pytest.mark.parametrize(
    "text", ["", "a" * 65, "two words", "bob\n", "bob/", "Zoë", "\uff10", "rongcloudsystem"]
)
def test_no_user_ids(text: str) -> None:
    assert not is_user_id(text)


# -- good tokens -----------------------------------------------------------------------


@given(user_ids)
def test_a_token_names_its_user(user_id: str) -> None:
    token = ACCOUNTS.issue("app", user_id, now=NOW, lifetime=DAY)
    assert ACCOUNTS.check("app", token, now=NOW) == TokenCheck(
        outcome=TokenOutcome.VALID, user_id=user_id, issued=NOW
    )
    assert "@" not in token
    assert len(token) < TOKEN_CHARACTERS / 2


def test_any_library_can_read_a_token() -> None:
    token = ACCOUNTS.issue("app", "bob", now=NOW, lifetime=DAY)
    claims = jwt.decode(
        token,
        SECRET,
        algorithms=["HS256"],
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims == {"app": "app", "sub": "bob", "iat": NOW, "exp": 1_700_086_400}


def test_any_library_can_make_a_token() -> None:
    """Other claims are welcome, and times may be fractions."""
    claims = {**CLAIMS, "exp": NOW + 0.5, "nbf": NOW, "jti": "x", "admin": [{}]}
    token = jwt.encode(claims, SECRET, algorithm="HS256", headers={"kid": "1"})
    assert outcome(token) is TokenOutcome.VALID


def test_when_a_token_was_issued() -> None:
    """To the millisecond, though other numbers are whole seconds."""
    token = ACCOUNTS.issue("app", "bob", now=1_700_000_000.123456, lifetime=10)
    assert ACCOUNTS.check("app", token, now=NOW).issued == 1_700_000_000_123 / 1000
    assert ACCOUNTS.check("app", signed(CLAIMS), now=NOW).issued == 0
    assert outcome(signed({**CLAIMS, "iat": "yesterday"})) is TokenOutcome.MALFORMED


def test_a_token_ends() -> None:
    token = ACCOUNTS.issue("app", "bob", now=NOW, lifetime=10)
    assert outcome(token, now=1_700_000_009.9) is TokenOutcome.VALID
    assert outcome(token, now=1_700_000_010) is TokenOutcome.EXPIRED
    assert outcome(token, now=0) is TokenOutcome.VALID


# -- bad tokens ------------------------------------------------------------------------


def test_an_unknown_app() -> None:
    token = ACCOUNTS.issue("app", "bob", now=NOW, lifetime=DAY)
    assert outcome(token, app_key="nobody's") is TokenOutcome.UNKNOWN_APP
    assert outcome("garbage", app_key="") is TokenOutcome.UNKNOWN_APP


def test_a_token_of_another_app() -> None:
    token = ACCOUNTS.issue("other", "bob", now=NOW, lifetime=DAY)
    assert outcome(token) is TokenOutcome.FOREIGN_APP
    assert outcome(token, app_key="other") is TokenOutcome.VALID
    assert outcome(token, now=NOW + 2 * DAY) is TokenOutcome.FOREIGN_APP


@pytest.mark.parametrize(
    "token",
    [
        signed(CLAIMS, secret=OTHER_SECRET),
        signed({**CLAIMS, "app": "other"}),
        signed({**CLAIMS, "app": "nobody's"}),
        signed({**CLAIMS, "exp": 1}, secret=OTHER_SECRET),
        jwt.encode(CLAIMS, "", algorithm="none"),
        jwt.encode(CLAIMS, SECRET * 2, algorithm="HS512"),
        f"{segment({'alg': 'HS256'})}.{segment(CLAIMS)}.",
        f"{segment({'alg': 'none'})}.{segment(CLAIMS)}.",
        f"{segment({})}.{segment(CLAIMS)}.",
        f"{segment({'alg': 7})}.{segment(CLAIMS)}.",
    ],
)
def test_a_forged_token(token: str) -> None:
    assert outcome(token) is TokenOutcome.FORGED


def test_the_claims_of_a_token_cannot_be_exchanged() -> None:
    head, _, signature = ACCOUNTS.issue("app", "bob", now=NOW, lifetime=DAY).split(".")
    forged = f"{head}.{segment({**CLAIMS, 'sub': 'alice'})}.{signature}"
    assert outcome(forged) is TokenOutcome.FORGED


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "null",
        "undefined",
        "\ud800",
        "é.é.é",
        signed(b"not JSON"),
        signed(b"\xff\xfe"),
        signed([]),
        signed({}),
        signed({"app": "app", "sub": "bob"}),
        signed({"app": "app", "exp": 9e12}),
        signed({"sub": "bob", "exp": 9e12}),
        signed({**CLAIMS, "sub": 7}),
        signed({**CLAIMS, "sub": None}),
        signed({**CLAIMS, "sub": ""}),
        signed({**CLAIMS, "sub": "two words"}),
        signed({**CLAIMS, "sub": "rongcloudsystem"}),
        signed({**CLAIMS, "app": ["app"]}),
        signed({**CLAIMS, "exp": "tomorrow"}),
        signed({**CLAIMS, "exp": True}),
        signed(b'{"app": "app", "sub": "bob", "exp": 1e999}'),
        signed(b'{"app": "app", "sub": "\\ud800", "exp": 1}'),
        signed(b'{"app": "app", "sub": "bob", "exp": 9e12, "x": ' + b"[" * 400),
        f"{segment(b'[' * 600)}.{segment(CLAIMS)}.",
        f"{segment({'alg': 'HS256', 'b64': False})}.{segment(CLAIMS)}.",
        signed({**CLAIMS, "x": "x" * TOKEN_CHARACTERS}),
    ],
)
def test_a_token_that_cannot_be_read(token: str) -> None:
    assert outcome(token) is TokenOutcome.MALFORMED


@given(st.text())
def test_no_text_is_a_token_by_chance(text: str) -> None:
    assert outcome(text) is TokenOutcome.MALFORMED


@given(st.binary(), st.binary(), st.binary())
def test_no_bytes_are_a_token_by_chance(head: bytes, claims: bytes, signature: bytes) -> None:
    token = f"{segment(head)}.{segment(claims)}.{segment(signature)}"
    assert outcome(token) is TokenOutcome.MALFORMED


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["app", "sub", "exp", "iat"]), _json))
def test_any_signed_claims_are_judged(claims: dict[str, Any]) -> None:
    assert outcome(signed(claims)) in TokenOutcome


@given(
    st.dictionaries(st.sampled_from(["alg", "typ", "crit", "b64", "kid"]), _json),
    st.sampled_from([SECRET, ""]),
)
def test_any_header_is_judged(header: dict[str, Any], signature: str) -> None:
    token = f"{segment(header)}.{segment(CLAIMS)}.{segment(signature)}"
    assert outcome(token) in (TokenOutcome.MALFORMED, TokenOutcome.FORGED)


# -- mistakes of the operator ----------------------------------------------------------


@pytest.mark.parametrize("secret", ["", "s" * 31])
def test_a_short_secret(secret: str) -> None:
    with pytest.raises(ValueError, match="the secret of app app must have at least 32 bytes"):
        Accounts({"app": secret})


def test_secrets_are_counted_in_bytes() -> None:
    Accounts({"app": "ß" * 16})


@pytest.mark.parametrize(
    ("app_key", "user_id", "lifetime", "text"),
    [
        ("nobody's", "bob", DAY, 'there is no app with the key "nobody\'s"'),
        ("app", "two words", DAY, "a user id has 1 to 64 characters of .*: 'two words'"),
        ("app", "rongcloudsystem", DAY, "is not 'rongcloudsystem'"),
        ("app", "bob", 0, "the lifetime of a token must be above 0 s, not 0"),
        ("app", "bob", -1.5, "not -1.5"),
    ],
)
def test_a_token_that_cannot_be_issued(
    app_key: str, user_id: str, lifetime: float, text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        ACCOUNTS.issue(app_key, user_id, now=NOW, lifetime=lifetime)
