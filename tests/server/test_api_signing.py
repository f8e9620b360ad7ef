"""Who may call the REST API (rest 2)."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from improto_server.api.replies import Code, RefusedError
from improto_server.api.signing import HEADER_CHARACTERS, Signing, SigningRules
from tests.server.api_tools import SECRET, signature, signed
from tests.server.rig import APP

NOW = 1_700_000_000.0


def check(headers: dict[str, str], *, now: float = NOW, signing: Signing | None = None) -> str:
    used = signing or Signing({APP: SECRET}, SigningRules())
    return used.check(Headers(headers), now=now)


def refusal(
    headers: dict[str, str], *, now: float = NOW, signing: Signing | None = None
) -> tuple[Code, str]:
    with pytest.raises(RefusedError) as caught:
        check(headers, now=now, signing=signing)
    return caught.value.code, str(caught.value)


@pytest.mark.parametrize("prefix", ["", "RC-", "rc-"])
@pytest.mark.parametrize("case", [str.lower, str.upper, str])
def test_headers_in_all_spellings(prefix: str, case: type[str]) -> None:
    assert check({case(prefix + name): value for name, value in signed().items()}) == APP


def test_spellings_may_be_mixed() -> None:
    headers = signed()
    headers["RC-Nonce"] = headers.pop("Nonce")
    assert check(headers) == APP


def test_a_nonce_is_any_text() -> None:
    for nonce in ("581742.0937461523", "1.0E-5", "x" * HEADER_CHARACTERS):
        assert check(signed(nonce)) == APP


def test_the_signature_is_what_sha1sum_says_of_the_three_in_a_row() -> None:
    assert signature("14314", "1408706337", "uDwqdVhx") == (
        "fd54eebe1bafe4fc659f131272e373e214d4a8c4"
    )


@pytest.mark.parametrize("name", ["App-Key", "Nonce", "Timestamp", "Signature"])
def test_all_four_must_be_there_and_not_too_long(name: str) -> None:
    missing = {key: value for key, value in signed().items() if key != name}
    assert refusal(missing) == (Code.BAD_SIGNATURE, f"the header {name} is missing")
    empty = {**signed(), name: ""}
    assert refusal(empty) == (Code.BAD_SIGNATURE, f"the header {name} is missing")
    long = {**signed(), name: "x" * (HEADER_CHARACTERS + 1)}
    assert refusal(long) == (Code.BAD_SIGNATURE, f"the header {name} is too long")


def test_an_app_that_is_none() -> None:
    assert refusal(signed(app="nobody")) == (Code.UNKNOWN_APP, "there is no app with this key")


@pytest.mark.parametrize("name", ["Nonce", "Timestamp", "Signature"])
def test_whatever_is_changed_the_signature_is_wrong(name: str) -> None:
    headers = signed()
    headers[name] = headers[name][:-1] + "\u00e9"
    assert refusal(headers) == (Code.BAD_SIGNATURE, "the signature is wrong")


def test_an_app_that_is_blocked() -> None:
    signing = Signing({APP: SECRET, "other": SECRET}, SigningRules(blocked_apps=frozenset({APP})))
    assert refusal(signed(), signing=signing) == (Code.BLOCKED_APP, "the app is blocked")
    assert check(signed(app="other"), signing=signing) == "other"
    # Only who has the secret is told.
    forged = signed() | {"Signature": "x"}
    assert refusal(forged, signing=signing) == (Code.BAD_SIGNATURE, "the signature is wrong")


def test_by_default_a_signature_is_good_for_ever_and_again() -> None:
    signing = Signing({APP: SECRET}, SigningRules())
    for now in (0.0, NOW, NOW, NOW + 1e9):
        assert check(signed(timestamp="whenever"), now=now, signing=signing) == APP


@pytest.mark.parametrize("timestamp", ["1700000000", "1700000000000"])
def test_a_window_for_seconds_and_milliseconds(timestamp: str) -> None:
    signing = Signing({APP: SECRET}, SigningRules(clock_seconds=60))
    headers = signed(timestamp=timestamp)
    for now in (NOW - 60, NOW, NOW + 60, NOW):
        assert check(headers, now=now, signing=signing) == APP
    for now in (NOW - 61, NOW + 61):
        assert refusal(headers, now=now, signing=signing) == (
            Code.BAD_SIGNATURE,
            "the timestamp is more than 60 s off",
        )


@pytest.mark.parametrize("timestamp", ["soon", "-1", "\u00b2"])
def test_in_a_window_a_timestamp_is_a_number(timestamp: str) -> None:
    signing = Signing({APP: SECRET}, SigningRules(clock_seconds=60))
    assert refusal(signed(timestamp=timestamp), signing=signing) == (
        Code.BAD_SIGNATURE,
        "the timestamp is no number",
    )


def test_once_only() -> None:
    signing = Signing({APP: SECRET}, SigningRules(clock_seconds=60, allows_repeats=False))
    assert check(signed("a"), signing=signing) == APP
    assert check(signed("b"), signing=signing) == APP
    assert refusal(signed("a"), now=NOW + 60, signing=signing) == (
        Code.BAD_SIGNATURE,
        "the signature was used before",
    )
    # It is forgotten when it would not be good any more.
    later = signed("c", timestamp="1700000121")
    assert check(later, now=NOW + 121, signing=signing) == APP
    assert len(signing._used) == 1
