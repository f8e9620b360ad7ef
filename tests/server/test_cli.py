from __future__ import annotations

import os
import re
import runpy
import socket
import sys
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import typer.main
from typer.testing import CliRunner

from improto_server import app, cli, commands
from improto_server.config import Backend, Framer, LogLevel, Settings
from improto_server.services.accounts import Accounts, TokenOutcome
from improto_server.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

SECRET = "s" * 32
OTHER = "o" * 32


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty directory and no settings in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("IMPROTO_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings of servers that would have been run."""
    seen: list[Settings] = []

    def run(settings: Settings, announce: Callable[[str], None], furnish: Any) -> None:
        seen.append(settings)
        announce(f"http://127.0.0.1:{settings.gateway.port or 4321}")

    monkeypatch.setattr(app, "run", run)
    return seen


def improto(*arguments: str) -> Result:
    return CliRunner().invoke(commands.application, arguments)


def outcome(token: str, *, key: str = "a", secret: str = SECRET) -> TokenOutcome:
    return Accounts({key: secret}).check(key, token, now=time.time()).outcome


# -- serve ---------------------------------------------------------------------------


def test_serve_takes_the_defaults(ran: list[Settings]) -> None:
    result = improto("serve", "--app", f"a:{SECRET}")
    assert result.exit_code == 0
    assert result.stdout == "improto: listening on http://127.0.0.1:8080 (asyncio)\n"
    (settings,) = ran
    assert [(each.key, each.secret) for each in settings.apps] == [("a", SECRET)]
    assert settings.gateway == Settings().gateway
    assert settings.messages == Settings().messages


def test_serve_takes_every_option(ran: list[Settings]) -> None:
    result = improto(
        "serve",
        *("--app", f"a:{SECRET}", "--app", f"b:{OTHER}"),
        *("--host", "localhost", "--port", "9000", "--public-address", "im.example.com:443"),
        *("--backend", "trio", "--framer", "websockets", "--store", "sqlite:///x.db"),
        *("--multi-device", "--log-level", "debug"),
    )
    assert result.exit_code == 0, result.output
    (settings,) = ran
    assert [each.key for each in settings.apps] == ["a", "b"]
    assert settings.gateway.host == "localhost"
    assert settings.gateway.port == 9000
    assert settings.gateway.public_address == "im.example.com:443"
    assert settings.gateway.backend is Backend.TRIO
    assert settings.gateway.framer is Framer.WEBSOCKETS
    assert settings.store.url == "sqlite:///x.db"
    assert settings.messages.multi_device is True
    assert settings.log_level is LogLevel.DEBUG


def test_a_file_is_read_if_it_is_here(ran: list[Settings]) -> None:
    Path("improto.toml").write_text(
        f'[[apps]]\nkey = "a"\nsecret = "{SECRET}"\n[gateway]\nport = 9001\n'
        "[messages]\nmulti_device = true\n"
    )
    assert improto("serve", "--one-device").exit_code == 0
    (settings,) = ran
    assert settings.gateway.port == 9001
    assert settings.messages.multi_device is False


def test_a_file_can_be_named_and_the_environment_counts(
    ran: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("improto.toml").write_text("nonsense")
    Path("other.toml").write_text(f'[[apps]]\nkey = "a"\nsecret = "{SECRET}"\n')
    monkeypatch.setenv("IMPROTO_GATEWAY_PORT", "9002")
    assert improto("serve", "--config", "other.toml").exit_code == 0
    (settings,) = ran
    assert settings.gateway.port == 9002


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "there is no app; name one with --app KEY:SECRET or in a settings file"),
        (["--app", "a"], "--app must be KEY:SECRET, but 'a' has no colon"),
        (["--app", f"a:{SECRET}", "--port", "70000"], "gateway.port must be 0 to 65535"),
        (["--app", f"a:{SECRET}", "--config", "none.toml"], "none.toml cannot be read"),
    ],
)
def test_a_wrong_setting_is_one_line_and_status_2(
    ran: list[Settings], arguments: list[str], message: str
) -> None:
    result = improto("serve", *arguments)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("improto: ")
    assert message in line
    assert ran == []


@pytest.mark.parametrize(
    "arguments", [["serve", "--backend", "curio"], ["nothing"], ["serve", "x"]]
)
def test_wrong_usage_is_status_2(ran: list[Settings], arguments: list[str]) -> None:
    assert improto(*arguments).exit_code == 2
    assert ran == []


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (StoreError("the store is damaged"), "the store is damaged"),
        (ImportError("the framer needs an extra"), "the framer needs an extra"),
        (
            OSError(98, "error while attempting to bind"),
            "cannot listen on 127.0.0.1 port 8080: another program listens there",
        ),
        (
            socket.gaierror(-2, "Name or service not known"),
            "cannot listen on 127.0.0.1 port 8080: Name or service not known",
        ),
        (OSError("no reason"), "cannot listen on 127.0.0.1 port 8080: no reason"),
    ],
)
def test_what_goes_wrong_afterwards_is_one_line_and_status_1(
    monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def run(settings: Settings, announce: Callable[[str], None], furnish: None) -> None:
        raise error

    monkeypatch.setattr(app, "run", run)
    result = improto("serve", "--app", f"a:{SECRET}")
    assert result.exit_code == 1
    assert result.stderr == f"improto: {message}\n"


# -- token ---------------------------------------------------------------------------


@pytest.fixture
def _two_apps() -> None:
    Path("improto.toml").write_text(
        f'token_days = 3\n[[apps]]\nkey = "a"\nsecret = "{SECRET}"\n'
        f'[[apps]]\nkey = "b"\nsecret = "{OTHER}"\n'
    )


@pytest.mark.usefixtures("_two_apps")
def test_a_token_is_for_one_app() -> None:
    result = improto("token", "alice", "--app", "b")
    assert result.exit_code == 0
    assert outcome(result.stdout.strip(), key="b", secret=OTHER) is TokenOutcome.VALID


@pytest.mark.usefixtures("_two_apps")
def test_which_one_must_be_said() -> None:
    result = improto("token", "alice")
    assert result.exit_code == 2
    assert result.stderr == "improto: there are several apps; choose with --app: a, b\n"


def test_unless_there_is_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPROTO_APPS", f"a:{SECRET}")
    result = improto("token", "alice")
    assert outcome(result.stdout.strip()) is TokenOutcome.VALID


@pytest.mark.parametrize(("days", "result"), [(2, TokenOutcome.EXPIRED), (4, TokenOutcome.VALID)])
def test_a_token_has_its_days(
    monkeypatch: pytest.MonkeyPatch, days: int, result: TokenOutcome
) -> None:
    monkeypatch.setenv("IMPROTO_APPS", f"a:{SECRET}")
    token = improto("token", "alice", "--days", str(days)).stdout.strip()
    later = time.time() + 3 * 86_400
    assert Accounts({"a": SECRET}).check("a", token, now=later).outcome is result


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["alice smith", "--app", "a"], "a user id has 1 to 64 characters"),
        (["alice", "--app", "c"], "there is no app with the key 'c'"),
    ],
)
@pytest.mark.usefixtures("_two_apps")
def test_nobody_gets_a_wrong_token(arguments: list[str], message: str) -> None:
    result = improto("token", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


# -- demo ----------------------------------------------------------------------------


def test_the_demo_makes_a_server_with_two_users(ran: list[Settings]) -> None:
    result = improto("demo")
    assert result.exit_code == 0
    (settings,) = ran
    assert settings.messages.rate == 0
    (demo_app,) = settings.apps
    assert (settings.gateway.host, settings.web.host) == ("127.0.0.1", "127.0.0.1")
    url = f"http://127.0.0.1:{settings.gateway.port}"
    page = f"http://127.0.0.1:{settings.web.port}/"
    assert result.stdout.split()[:2] == ["Open", page]
    assert settings.web.port > settings.gateway.port
    assert "alice@example.org, bob@example.org" in result.stdout
    assert f"{Path.cwd()}/.demo/messages.db-mails\n" in result.stdout
    chats = re.findall(r"chat (\w+) --server (\S+) --app demo --token (\S+)", result.stdout)
    assert [(peer, where) for peer, where, _ in chats] == [("bob", url), ("alice", url)]
    accounts = Accounts({"demo": demo_app.secret})
    checks = [accounts.check("demo", token, now=time.time()) for _, _, token in chats]
    assert [check.user_id for check in checks] == ["alice", "bob"]


def test_the_demo_keeps_its_secret_and_its_messages(ran: list[Settings]) -> None:
    improto("demo")
    improto("demo", "--backend", "trio")
    first, second = ran
    assert first.apps[0].secret == second.apps[0].secret
    assert second.gateway.backend is Backend.TRIO
    assert first.store.url == f"sqlite:///{Path.cwd()}/.demo/messages.db"
    improto("demo", "--directory", "other")
    assert ran[2].apps[0].secret != first.apps[0].secret
    assert tomllib.loads(Path("other/improto.toml").read_text())["messages"]["rate"] == 0


def test_the_demo_says_where_its_page_is_when_it_is_furnished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    furnished: list[tuple[Any, str]] = []
    running = SimpleNamespace(site=SimpleNamespace(url="http://127.0.0.1:4322"))
    secrets: list[str] = []

    async def furnish(application: Any, secret: str) -> None:
        furnished.append((application, secret))

    def run(settings: Settings, announce: Callable[[str], None], furnish: Any) -> None:
        secrets.append(settings.apps[0].secret)
        anyio.run(furnish, running)
        announce("http://127.0.0.1:4321")

    monkeypatch.setattr(commands.demo.demonstration, "furnish", furnish)
    monkeypatch.setattr(app, "run", run)
    result = improto("demo", "--port", "0")
    assert result.stdout.split()[:2] == ["Open", "http://127.0.0.1:4322/"]
    assert "--server http://127.0.0.1:4321 " in result.stdout
    assert furnished == [(running, *secrets)]


def test_no_two_demos_have_the_same_password(ran: list[Settings]) -> None:
    said = [improto("demo", "--directory", name).stdout for name in ("one", "two", "one")]
    one, two, again = (
        re.findall(r"^Password: ([a-z2-7]{5}-[a-z2-7]{5}),", text, re.M) for text in said
    )
    assert one == again != two
    assert len(one) == len(two) == 1


def test_the_demo_needs_its_accounts(ran: list[Settings]) -> None:
    Path(".demo").mkdir()
    Path(".demo/improto.toml").write_text(f'[[apps]]\nkey = "demo"\nsecret = "{SECRET}"\n')
    result = improto("demo")
    assert (result.exit_code, ran) == (1, [])
    assert "accounts.enabled switched off; delete .demo to begin anew" in result.stderr


def test_the_demo_takes_any_port_if_told_so(ran: list[Settings]) -> None:
    result = improto("demo", "--port", "0")
    assert (ran[0].gateway.port, ran[0].web.port) == (0, 0)
    assert "--server http://127.0.0.1:4321 " in result.stdout


def test_the_secret_of_the_demo_is_not_for_everybody(ran: list[Settings]) -> None:
    improto("demo", "--directory", 'a "strange" name')
    config = Path('a "strange" name/improto.toml')
    assert config.stat().st_mode & 0o077 == 0
    assert ran[0].store.url == f"sqlite:///{config.absolute().parent / 'messages.db'}"


def test_the_demo_takes_the_next_port_that_is_free(ran: list[Settings]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert improto("demo", "--port", str(port)).exit_code == 0
    assert port < ran[0].gateway.port <= port + 20
    assert ran[0].gateway.port < ran[0].web.port <= ran[0].gateway.port + 20


def test_the_demo_gives_up_when_none_is(
    ran: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands.demo, "_PORTS_TRIED", 1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = improto("demo", "--port", str(port))
    assert (result.exit_code, ran) == (1, [])
    assert result.stderr == f"improto: no port from {port} on is free\n"


def test_the_demo_needs_a_directory(ran: list[Settings]) -> None:
    Path(".demo").write_text("a file")
    result = improto("demo")
    assert (result.exit_code, ran) == (1, [])
    assert result.stderr == "improto: .demo cannot be used: File exists\n"


def test_a_program_on_the_path_is_called_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: list[Settings]
) -> None:
    script = tmp_path / "improto"
    script.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(script)])
    monkeypatch.setenv("PATH", "")
    assert f"\n  {script} chat bob" in improto("demo").stdout
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "\n  improto chat bob" in improto("demo").stdout
    monkeypatch.setattr(sys, "argv", ["/somewhere/__main__.py"])
    assert f"\n  {sys.executable} -m improto_server chat bob" in improto("demo").stdout


# -- the script ----------------------------------------------------------------------


def test_without_a_command_there_is_help() -> None:
    assert "Run a server with a page" in improto().output


@pytest.mark.parametrize("name", sorted(typer.main.get_command(commands.application).commands))  # type: ignore[attr-defined]
def test_every_command_has_a_page_with_an_example(name: str) -> None:
    page = improto(name, "--help")
    assert page.exit_code == 0
    assert f"Example: improto {name} " in page.output


def test_completion_can_be_shown() -> None:
    shown = CliRunner().invoke(
        commands.application,
        prog_name="improto",
        env={
            "_IMPROTO_COMPLETE": "complete_bash",
            "COMP_WORDS": "improto his",
            "COMP_CWORD": "1",
        },
    )
    assert shown.output.split() == ["history"]


def test_main_runs_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMPROTO_APPS", f"a:{SECRET}")
    monkeypatch.setattr(sys, "argv", ["improto", "token", "alice"])
    with pytest.raises(SystemExit) as caught:
        # By its path: pytest loads the packages of its plugins in a way that runpy does not know.
        runpy.run_path(str(Path(cli.__file__).with_name("__main__.py")), run_name="__main__")
    assert caught.value.code == 0
    assert outcome(capsys.readouterr().out.strip()) is TokenOutcome.VALID


def without(monkeypatch: pytest.MonkeyPatch, name: str) -> Any:
    """Make a module unfindable, and find out what ``improto`` exits with."""
    ours = [each for each in sys.modules if each.startswith("improto_server.commands")]
    for each in ours:
        monkeypatch.delitem(sys.modules, each)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises((SystemExit, ModuleNotFoundError)) as caught:
        cli.main()
    return caught.value


def test_main_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    error = without(monkeypatch, "typer")
    assert error.code == "improto: typer is not installed; try: pip install 'improto[server]'"


def test_a_missing_part_of_our_own_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    error = without(monkeypatch, "improto_server.store")
    assert isinstance(error, ModuleNotFoundError)
