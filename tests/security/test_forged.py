"""Everything that the server signs: changed anywhere, made with another secret, or used elsewhere.

There are tokens for the gateway, tickets for uploads, links to files, links to archives, and what
accounts sign. Each is good for one app and one purpose.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Final

import jwt
import pytest

from improto.codes import FileType
from improto_server.accounts.refusals import RefusedError
from improto_server.accounts.signatures import Claims, Purpose, Signatures
from improto_server.api.replies import RefusedError as ApiRefusedError
from improto_server.api.signing import Signing, SigningRules
from improto_server.files.grants import Download, Fetch, GrantError, Signer, Upload
from improto_server.services.accounts import Accounts, TokenOutcome
from tests.security.security_tools import BLUE, RED, SECRETS
from tests.server.api_tools import signature

if TYPE_CHECKING:
    from collections.abc import Callable

NOW: Final = 1_700_000_000.0
LATER: Final = int(NOW) + 600

ACCOUNTS: Final = Accounts(SECRETS)
SIGNER: Final = Signer(SECRETS)
SIGNATURES: Final = {app: Signatures(secret) for app, secret in SECRETS.items()}


def is_token(text: str, app: str = RED) -> bool:
    return ACCOUNTS.check(app, text, now=NOW).outcome is TokenOutcome.VALID


def is_grant(read: Callable[..., object]) -> Callable[[str], bool]:
    def is_good(text: str) -> bool:
        try:
            read(text, now=NOW)
        except GrantError:
            return False
        return True

    return is_good


def is_signed_for(purpose: Purpose) -> Callable[[str], bool]:
    def is_good(text: str) -> bool:
        try:
            SIGNATURES[RED].read(purpose, text, now=NOW)
        except RefusedError:
            return False
        return True

    return is_good


def made(app: str) -> dict[str, str]:
    """One of each."""
    claims = Claims(sub="alice", exp=LATER)
    return {
        "token": ACCOUNTS.issue(app, "alice", now=NOW, lifetime=600),
        "ticket": SIGNER.ticket(
            Upload(app=app, user_id="alice", kind=int(FileType.FILE), until=LATER)
        ),
        "link": SIGNER.link(Download(app=app, key="k", until=LATER)),
        "archive": SIGNER.fetch(Fetch(app=app, date="2023111422", until=LATER)),
        "confirm": SIGNATURES[app].sign(Purpose.CONFIRM, claims),
        "reset": SIGNATURES[app].sign(Purpose.RESET, claims),
        "guest": SIGNATURES[app].sign(Purpose.GUEST, claims),
    }


READERS: Final[dict[str, Callable[[str], bool]]] = {
    "token": is_token,
    "ticket": is_grant(SIGNER.read_ticket),
    "link": is_grant(SIGNER.read_link),
    "archive": is_grant(SIGNER.read_fetch),
    "confirm": is_signed_for(Purpose.CONFIRM),
    "reset": is_signed_for(Purpose.RESET),
    "guest": is_signed_for(Purpose.GUEST),
}


def test_each_is_good_for_one_purpose() -> None:
    for kind, text in made(RED).items():
        assert {name for name, is_good in READERS.items() if is_good(text)} == {kind}


def test_each_is_good_for_one_app() -> None:
    for kind in ("token", "confirm", "reset", "guest"):
        assert not READERS[kind](made(BLUE)[kind])
    for kind in ("ticket", "link", "archive"):
        text = made(BLUE)[kind].replace(BLUE, RED, 1)
        assert not READERS[kind](text)


@pytest.mark.parametrize("kind", READERS)
def test_no_character_can_be_changed(kind: str) -> None:
    text = made(RED)[kind]
    same = decoded(text)
    for position, character in enumerate(text):
        for other in ("A", "B", ".", ":", "\x00", "é", ""):
            changed = text[:position] + other + text[position + 1 :]
            # The last character of base64 has bits that mean nothing.
            if other == character or decoded(changed) == same:
                continue
            assert not READERS[kind](changed), (position, other)


def decoded(text: str) -> object:
    """What base64 means in all parts."""
    try:
        parts = text.replace(":", ".").split(".")
        return [urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts[1:]], parts[0]
    except ValueError:
        return text


@pytest.mark.parametrize("kind", ["token", "confirm", "reset", "guest"])
def test_nobody_chooses_how_it_is_signed(kind: str) -> None:
    """The tricks of JSON Web Tokens: no algorithm, another one, a key that comes along."""
    claims = {"app": RED, "sub": "alice", "exp": LATER, "iat": int(NOW), "epoch": 0}
    forged = [
        jwt.encode(claims, None, algorithm="none"),
        jwt.encode(claims, SECRETS[RED] * 2, algorithm="HS512"),
        jwt.encode(claims, "x" * 32, algorithm="HS256"),
        jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": "../../dev/null"}),
        jwt.encode(claims, "x" * 32, headers={"jwk": {"kty": "oct", "k": "eHh4"}}),
        jwt.encode(claims, "x" * 32, headers={"jku": "http://127.0.0.1/keys"}),
        made(RED)[kind].rpartition(".")[0] + ".",
        made(RED)[kind].rpartition(".")[0],
    ]
    assert not [text for text in forged if READERS[kind](text)]


@pytest.mark.parametrize(
    "changed",
    [
        {"Signature": ""},
        {"Signature": "0" * 40},
        {"Signature": signature("n", "1700000000", SECRETS[BLUE])},
        {"Signature": signature("n", "1700000000", SECRETS[RED]).upper()},
        {"Nonce": "m"},
        {"Timestamp": "1700000001"},
        {"App-Key": BLUE},
        {"App-Key": "green"},
        {"App-Key": ""},
    ],
)
def test_calls_of_the_api_are_signed(changed: dict[str, str]) -> None:
    signing = Signing(SECRETS, SigningRules())
    headers = {
        "App-Key": RED,
        "Nonce": "n",
        "Timestamp": "1700000000",
        "Signature": signature("n", "1700000000", SECRETS[RED]),
    }
    assert signing.check(headers, now=NOW) == RED
    with pytest.raises(ApiRefusedError):
        signing.check(headers | changed, now=NOW)
