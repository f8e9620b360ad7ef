"""Settings: where they come from, what is allowed, and what the manual says about them."""

from __future__ import annotations

import enum
import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improto.config import Limits
from improto_server.config import (
    SETTINGS,
    AppSettings,
    Backend,
    Framer,
    LogLevel,
    Setting,
    Settings,
    SettingsError,
    load,
)

MANUAL = Path(__file__).parents[2] / "docs" / "configuration.md"
SECRET = "s" * 32


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "improto.toml"


def error(
    path: Path | None = None,
    environment: dict[str, str] | None = None,
    overrides: dict[str, Any] | None = None,
) -> str:
    with pytest.raises(SettingsError) as caught:
        load(path, environment=environment or {}, overrides=overrides)
    return str(caught.value)


# -- where they come from --------------------------------------------------------------


def test_defaults() -> None:
    settings = load(environment={})
    assert settings == Settings()
    assert (settings.gateway.host, settings.gateway.port) == ("127.0.0.1", 8080)
    assert settings.gateway.framer is Framer.WSPROTO
    assert settings.store.url == "sqlite:///improto.db"
    assert settings.store.durable
    assert not settings.messages.multi_device
    assert (settings.messages.offline_days, settings.messages.rate) == (7, 5)
    assert settings.apps == ()


def test_the_environment_of_the_tests_is_accepted() -> None:
    load(environment=os.environ)


def test_later_places_win(file: Path) -> None:
    file.write_text("[gateway]\nport = 1\nhost = 'file'\n[messages]\nrate = 9\n")
    settings = load(
        file,
        environment={"IMPROTO_GATEWAY_PORT": "2", "IMPROTO_GATEWAY_HOST": "environment"},
        overrides={"gateway.port": 3},
    )
    assert settings.gateway.port == 3
    assert settings.gateway.host == "environment"
    assert settings.messages.rate == 9
    assert settings.messages.offline_days == 7


def test_a_file_with_everything(file: Path) -> None:
    file.write_text(
        f"""
        log_level = "debug"
        token_days = 1
        [gateway]
        host = "::"
        port = 0
        public_address = "chat.example.org:443"
        allowed_origins = ["https://example.org", "http://localhost:3000"]
        framer = "websockets"
        backend = "trio"
        [store]
        url = "sqlite:////var/lib/improto.db"
        durable = false
        [messages]
        multi_device = true
        offline_days = 365
        rate = 0
        [limits]
        content_bytes = 1024
        message_bytes = 4096
        outbound_bytes = 65536
        pull_bytes = 4096
        pull_messages = 1
        requests_in_flight = 32767
        [[apps]]
        key = "one"
        secret = "{SECRET}"
        [[apps]]
        key = "two"
        secret = "{SECRET}"
        """
    )
    settings = load(file, environment={})
    assert settings.log_level is LogLevel.DEBUG
    assert settings.gateway.backend is Backend.TRIO
    assert settings.gateway.allowed_origins == ("https://example.org", "http://localhost:3000")
    assert settings.apps == (
        AppSettings(key="one", secret=SECRET),
        AppSettings(key="two", secret=SECRET),
    )
    limits = asdict(settings.limits.as_limits())
    assert limits["requests_in_flight"] == 32767
    assert limits["rooms"] == Limits().rooms


def test_an_environment_with_everything() -> None:
    settings = load(
        environment={
            "IMPROTO_APPS": f"one:{SECRET}  two:{SECRET}:with:colons",
            "IMPROTO_GATEWAY_ALLOWED_ORIGINS": "https://a.org https://b.org",
            "IMPROTO_GATEWAY_PORT": "9000",
            "IMPROTO_GATEWAY_BACKEND": "trio",
            "IMPROTO_STORE_DURABLE": "false",
            "IMPROTO_LOG_LEVEL": "error",
            "IMPROTO_TOKEN_DAYS": "",
            "IMPROTO_SOMETHING_ELSE": "of another program",
            "PATH": "/bin",
        }
    )
    assert [app.key for app in settings.apps] == ["one", "two"]
    assert settings.apps[1].secret == f"{SECRET}:with:colons"
    assert settings.gateway.allowed_origins == ("https://a.org", "https://b.org")
    assert settings.gateway.port == 9000
    assert settings.gateway.backend is Backend.TRIO
    assert not settings.store.durable
    assert settings.log_level is LogLevel.ERROR
    assert settings.token_days == 30


def test_a_command_line() -> None:
    settings = load(
        environment={},
        overrides={
            "gateway.backend": Backend.TRIO,
            "gateway.framer": "websockets",
            "gateway.port": None,
            "store.durable": False,
        },
    )
    assert settings.gateway.backend is Backend.TRIO
    assert settings.gateway.framer is Framer.WEBSOCKETS
    assert settings.gateway.port == 8080
    assert not settings.store.durable


def test_limits_of_the_core_are_the_defaults() -> None:
    assert Settings().limits.as_limits() == Limits()


def test_secrets_are_not_shown() -> None:
    settings = load(environment={"IMPROTO_APPS": f"one:{SECRET}"})
    assert SECRET not in repr(settings)
    assert "'one'" in repr(settings)


# -- what is wrong ---------------------------------------------------------------------

_APPS = f"apps must be {SETTINGS['apps'].allowed}; the fault is in apps"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gateway.port = 70000", "gateway.port must be 0 to 65535, not 70000"),
        ("gateway.port = -1", "gateway.port must be 0 to 65535, not -1"),
        ("gateway.port = '80'", "gateway.port must be 0 to 65535, not '80'"),
        ("gateway.port = true", "gateway.port must be 0 to 65535, not True"),
        ("gateway.prot = 80", "there is no setting gateway.prot"),
        ("gateway = 80", "there is no setting gateway"),
        ("port = 80", "there is no setting port"),
        ("gateway.port.number = 80", "gateway.port must be 0 to 65535, not {'number': 80}"),
        ("gateway.host = ''", "gateway.host must be a name or an IP address, not ''"),
        ('gateway.host = "a\\n"', "gateway.host must be a name or an IP address, not 'a\\n'"),
        (
            "gateway.public_address = 'here'",
            "gateway.public_address must be host:port, or nothing, not 'here'",
        ),
        (
            "gateway.allowed_origins = ['https://a.org/path']",
            "gateway.allowed_origins must be a list, such as https://example.org, or nothing,"
            " not ['https://a.org/path']",
        ),
        ("gateway.backend = 'uvloop'", "gateway.backend must be asyncio or trio, not 'uvloop'"),
        ("store.durable = 1", "store.durable must be true or false, not 1"),
        ("store.url = 'improto.db'", "store.url must be sqlite:/// and a file, not 'improto.db'"),
        ("messages.rate = nan", "messages.rate must be 0 to 1000, not nan"),
        ("messages.offline_days = 0", "messages.offline_days must be 1 to 365, not 0"),
        (f"apps = [{{key = 'a b', secret = '{SECRET}'}}]", f"{_APPS}[0].key"),
        ("apps = [{key = 'a', secret = 'too short'}]", f"{_APPS}[0].secret"),
        ("apps = [{key = 'a'}]", f"{_APPS}[0]"),
        (f"apps = [{{key = 'a', secret = '{SECRET}', admin = true}}]", f"{_APPS}[0]"),
        ("apps = 5", _APPS),
    ],
)
def test_a_wrong_file(file: Path, text: str, expected: str) -> None:
    file.write_text(text)
    assert error(file) == f"{file}: {expected}"


def test_a_file_that_is_not_there(file: Path) -> None:
    assert error(file) == f"the settings file {file} cannot be read: No such file or directory"


@pytest.mark.parametrize("data", [b"port: 80", b"\xff\xfe"])
def test_a_file_that_is_not_toml(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    assert error(file).startswith(f"the settings file {file} is not TOML: ")


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("GATEWAY_PORT", "x", "IMPROTO_GATEWAY_PORT: gateway.port must be 0 to 65535, not 'x'"),
        (
            "GATEWAY_PORT",
            "65536",
            "IMPROTO_GATEWAY_PORT: gateway.port must be 0 to 65535, not '65536'",
        ),
        (
            "STORE_DURABLE",
            "yes",
            "IMPROTO_STORE_DURABLE: store.durable must be true or false, not 'yes'",
        ),
        ("GATEWAY_PROT", "80", "the environment has IMPROTO_GATEWAY_PROT, which is no setting"),
        (
            "APPS",
            "key",
            f"IMPROTO_APPS: {_APPS}[0]",
        ),
    ],
)
def test_a_wrong_environment(variable: str, text: str, expected: str) -> None:
    assert error(environment={f"IMPROTO_{variable}": text}) == expected


def test_a_wrong_command_line() -> None:
    assert error(overrides={"gateway.port": 70000}) == (
        "command line: gateway.port must be 0 to 65535, not 70000"
    )
    assert error(overrides={"port": 1}) == "command line: there is no setting port"


def test_the_same_app_twice() -> None:
    twice = f"one:{SECRET} two:{SECRET} one:{SECRET}"
    assert error(environment={"IMPROTO_APPS": twice}) == (
        "apps: the key one is there more than once"
    )


def test_used_signatures_are_remembered_for_a_while_only() -> None:
    text = error(overrides={"web.api_repeats": False})
    assert text.startswith("web.api_repeats can be false only if web.api_clock_seconds is above 0")
    both = {"web.api_repeats": False, "web.api_clock_seconds": 60}
    assert not load(environment={}, overrides=both).web.api_repeats


@pytest.mark.parametrize(
    ("own", "other"),
    [
        ({}, "localhost:8080"),
        ({"gateway.host": "0.0.0.0", "gateway.port": 81}, "127.0.0.1:81"),
        ({"gateway.public_address": "Chat.example.org:443"}, "chat.example.org:443"),
    ],
)
def test_a_server_does_not_hand_over_to_itself(own: dict[str, object], other: str) -> None:
    text = error(overrides=own | {"gateway.hand_over_to": other})
    assert text.startswith("gateway.hand_over_to must be another server's address, but ")
    for port in ("8082", "65535"):
        elsewhere = f"{other.rpartition(':')[0]}:{port}"
        settings = load(environment={}, overrides=own | {"gateway.hand_over_to": elsewhere})
        assert settings.gateway.hand_over_to == elsewhere


def test_limits_that_contradict_each_other() -> None:
    assert error(overrides={"limits.content_bytes": 262_144}) == (
        "limits.content_bytes must be below limits.message_bytes, 262144, not 262144"
    )
    assert error(overrides={"limits.outbound_bytes": 65_536}) == (
        "limits.pull_bytes must not be above limits.outbound_bytes, 65536, but is 1048576"
    )
    load(environment={}, overrides={"limits.content_bytes": 262_143})
    load(environment={}, overrides={"limits.outbound_bytes": 1_048_576})


@given(
    st.dictionaries(
        st.sampled_from([setting.variable for setting in SETTINGS.values()]),
        st.text() | st.integers().map(str) | st.sampled_from(["true", "asyncio", "a:b"]),
    )
)
def test_any_environment_is_read_or_refused_in_one_line(environment: dict[str, str]) -> None:
    text = ""
    try:
        load(environment=environment)
    except SettingsError as refusal:
        text = str(refusal)
    assert "\n" not in text


def test_a_type_without_words() -> None:
    with pytest.raises(TypeError, match="setting x"):
        Setting(key="x", type=float, default=1.0).allowed  # noqa: B018


# -- the manual ------------------------------------------------------------------------


def shown(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, enum.Enum):
        return str(default.value)
    return "nothing" if default in ("", ()) else str(default)


def test_the_manual_has_every_setting() -> None:
    rows = re.findall(
        r"^\| `([\w.]+)` \| (.*?) \| (.*?) \| `(\w+)` \| (.+) \|$",
        MANUAL.read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    assert [row[:4] for row in rows] == [
        (setting.key, shown(setting.default), setting.allowed, setting.variable)
        for setting in sorted(SETTINGS.values(), key=lambda setting: order(setting.key))
    ]


def order(key: str) -> tuple[bool, int, int]:
    """General settings first, then the tables as the manual has them."""
    tables = [
        "gateway",
        "messages",
        "users",
        "chatrooms",
        "webhooks",
        "moderation",
        "store",
        "web",
        "uploads",
        "accounts",
        "limits",
    ]
    table, dot, _ = key.partition(".")
    return bool(dot), tables.index(table) if dot else 0, list(SETTINGS).index(key)


def test_the_example_of_the_manual_works(file: Path) -> None:
    [example] = re.findall(r"```toml\n(.*?)```", MANUAL.read_text(encoding="utf-8"), re.DOTALL)
    file.write_text(example)
    settings = load(file, environment={})
    assert settings.gateway.public_address == "chat.example.org:8080"
    assert [app.key for app in settings.apps] == ["my-app"]
