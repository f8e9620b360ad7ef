"""`improto send`, `listen`, `history` and `bot`, with a real server."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from improto.codes import ErrorCode
from improto.messages import Conversation
from improto_server.chat import errands, program, running
from improto_server.chat.access import Access
from improto_server.commands import application, talking
from improto_server.testing import ImServer
from tests.samples import DOCS, samples_of
from tests.test_docs_commands import commands

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result


@pytest.fixture(scope="module")
def server() -> Iterator[ImServer]:
    """One for all; every test has users of its own."""
    settings = {"web.enabled": True, "web.port": 0, "web.api": False}
    with ImServer(settings=settings) as alive:
        yield alive


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty directory and no settings in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("IMPROTO_")]:
        monkeypatch.delenv(name)


def improto(
    server: ImServer, user: str, command: str, *arguments: str, given: str | bytes = ""
) -> Result:
    """Run a command as a user."""
    environment = {
        "IMPROTO_TOKEN": server.token(user),
        "IMPROTO_NAVI": server.navigation_url,
        "IMPROTO_APP": server.app_key,
    }
    return CliRunner().invoke(application, [command, *arguments], env=environment, input=given)


def said(result: Result) -> list[Any]:
    """What was printed as JSON."""
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def failure(result: Result) -> tuple[int, str]:
    """Status and the one line on standard error."""
    (line,) = result.stderr.splitlines()
    return result.exit_code, line


# -- send and listen -----------------------------------------------------------------------------


def test_a_message_is_sent_and_heard(server: ImServer) -> None:
    quiet = improto(server, "al1", "send", "bob1", "hello \x1b[31m")
    assert (quiet.exit_code, quiet.output) == (0, "")
    (sent,) = said(improto(server, "al1", "send", "bob1", "-", "--json", given="two\nlines\n"))
    assert sent["conversation"] == "bob1"
    heard = said(improto(server, "bob1", "listen", "--json", "--count", "2"))
    assert [(each["sender"], each["text"]) for each in heard] == [
        ("al1", "hello \x1b[31m"),
        ("al1", "two\nlines"),
    ]
    assert heard[1]["uid"] == sent["uid"]
    assert heard[0]["offline"]


def test_plain_lines_are_harmless(server: ImServer) -> None:
    improto(server, "al2", "send", "bob2", "a\x1b[31m\nb")
    result = improto(server, "bob2", "listen", "--count", "1")
    assert result.stdout.endswith(" al2: a\\nb\n")


def test_a_state_remembers(server: ImServer) -> None:
    improto(server, "al3", "send", "bob3", "one")
    state = ("--state", "state", "--json")
    assert len(said(improto(server, "bob3", "listen", "--count", "1", *state))) == 1
    improto(server, "al3", "send", "bob3", "two")
    (heard,) = said(improto(server, "bob3", "listen", "--count", "1", *state))
    assert heard["text"] == "two"


def test_listening_ends_in_time(server: ImServer) -> None:
    improto(server, "al4", "send", "bob4", "old")
    nothing = improto(server, "bob4", "listen", "--new", "--for", "0.2")
    assert (nothing.exit_code, nothing.output) == (0, "")
    too_few = improto(server, "bob4", "listen", "--count", "2", "--for", "0.2")
    assert too_few.exit_code == 1
    assert too_few.stdout.endswith("al4: old\n")


def test_signals_are_for_who_wants_them(server: ImServer) -> None:
    async def signals() -> None:
        async with Access.parse(
            server=server.navigation_url, app_key=server.app_key, token=server.token("al5")
        ).connect() as im:
            bob = Conversation.private("bob5")
            message = (await im.messages.history(bob).next_page())[0]
            await im.messages.confirm(message)

    improto(server, "bob5", "send", "al5", "hi")
    asyncio.run(signals())
    heard = said(improto(server, "bob5", "listen", "--all", "--json", "--count", "1"))
    assert [(each["object"], each["text"]) for each in heard] == [("RC:ReadNtf", None)]
    as_lines = improto(server, "bob5", "listen", "--all", "--count", "1")
    assert (as_lines.exit_code, as_lines.output) == (0, "")
    result = improto(server, "bob5", "listen", "--for", "0.2")
    assert (result.exit_code, result.output) == (0, "")


def test_rooms_are_entered(server: ImServer) -> None:
    assert improto(server, "al6", "send", "room:lobby6", "hi").exit_code == 0
    history = said(improto(server, "al6", "history", "room:lobby6", "--export", "json"))
    assert [each["text"] for each in history] == ["hi"]
    result = improto(server, "al6", "listen", "--room", "lobby6", "--for", "0.1")
    assert result.exit_code == 0


def test_a_file_is_sent(server: ImServer, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"meow")
    assert improto(server, "al7", "send", "bob7", "--file", "cat.png").exit_code == 0
    (heard,) = said(improto(server, "bob7", "listen", "--json", "--count", "1"))
    assert heard["object"] == "RC:FileMsg"
    assert heard["content"]["name"] == "cat.png"
    status, line = failure(improto(server, "al7", "send", "bob7", "--file", "none.png"))
    assert status == 1
    assert "none.png" in line


def test_a_refusal_is_one_line(server: ImServer) -> None:
    server.refuse_requests("al8", ErrorCode.SEND_FREQUENCY_TOO_FAST)
    status, line = failure(improto(server, "al8", "send", "bob8", "hi"))
    assert status == 1
    assert line.startswith("improto: SEND_FREQUENCY_TOO_FAST (20604): ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["send", "a b", "hi"], "'a b' cannot be a user id; others are group:ID and room:ID"),
        (["send", "bob"], "say what to send: either a TEXT (or -) or --file FILE"),
        (["send", "bob", "hi", "--file", "f"], "say what to send: either a TEXT (or -)"),
        (["send", "bob", " "], "there is nothing to send"),
        (["send", "bob", "-"], "there is nothing to send"),
        (["listen", "--room", "a b"], "'room:a b' cannot be a user id"),
        (["listen", *["--room", "r"] * 21], "--room: at most 20 rooms at a time"),
        (["listen", "--server", "x"], "either --server or --navi"),
        (["bot", "nothing"], "the bot must be like module:app, not 'nothing'"),
        (["bot", "no_such_module:app"], "there is no module no_such_module"),
        (["bot", "json.no_such:app"], "there is no module json.no_such"),
        (["bot", "..:app"], "'..' is no name of a module"),
        (["bot", "json:nothing.at_all"], "json:nothing.at_all is nothing that can be called"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(
    server: ImServer, arguments: list[str], message: str
) -> None:
    status, line = failure(improto(server, "al9", *arguments))
    assert status == 2
    assert message in line


def test_a_message_has_an_end(server: ImServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talking, "MOST_TEXT", 3)
    status, line = failure(improto(server, "al9", "send", "bob", "-", given="four"))
    assert (status, line) == (2, "improto: a message has at most 3 bytes")


# -- history -------------------------------------------------------------------------------------


def test_history(server: ImServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errands, "PAGE", 2)
    for text in ("one", "two", "three"):
        assert improto(server, "al10", "send", "bob10", text).exit_code == 0
    lines = improto(server, "bob10", "history", "al10", "--last", "2").stdout.splitlines()
    assert [line.partition(" ")[2] for line in lines] == ["al10: two", "al10: three"]
    lines = improto(server, "bob10", "history", "al10", "--export", "text").stdout.splitlines()
    assert [line.partition(" ")[2] for line in lines] == [
        *("al10: one", "al10: two", "al10: three")
    ]
    exported = said(improto(server, "al10", "history", "bob10", "--export", "json"))
    assert [each["text"] for each in exported] == ["one", "two", "three"]
    assert all(each["mine"] for each in exported)
    assert improto(server, "al10", "history", "nobody").output == ""


# -- bots ----------------------------------------------------------------------------------------

BOTS = """
    from improto_client import Bot
    from improto.contents import Text

    def echo(im):
        bot = Bot(im)

        @bot.on(Text)
        async def answer(message):
            await im.messages.send(message, message.text.upper())
            await im.disconnect()

        return bot

    async def once(im):
        await im.messages.send(CAROL, "by myself")

    async def slow(im):
        return echo(im)

    class Bots:
        wrong = staticmethod(lambda im: 7)

    from improto.messages import Conversation
    CAROL = Conversation.private("carol11")
"""


@pytest.fixture
def _bots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bots11.py").write_text(textwrap.dedent(BOTS))
    monkeypatch.delitem(sys.modules, "bots11", raising=False)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])


@pytest.mark.usefixtures("_bots")
@pytest.mark.parametrize(
    ("name", "backend"), [("echo", "asyncio"), ("echo", "trio"), ("slow", "asyncio")]
)
def test_a_bot_answers(server: ImServer, name: str, backend: str) -> None:
    user = f"bob11-{name}-{backend}"
    improto(server, user, "send", f"bot-{user}", "hello")
    result = improto(server, f"bot-{user}", "bot", f"bots11:{name}", "--backend", backend)
    assert result.exit_code == 0, result.output
    (heard,) = said(improto(server, user, "listen", "--json", "--count", "1"))
    assert heard["text"] == "HELLO"


@pytest.mark.usefixtures("_bots")
def test_a_bot_may_be_a_function_that_ends(server: ImServer) -> None:
    assert improto(server, "bob12", "bot", "bots11:once").exit_code == 0
    (heard,) = said(improto(server, "carol11", "listen", "--json", "--count", "1"))
    assert heard["text"] == "by myself"


@pytest.mark.usefixtures("_bots")
def test_what_is_no_bot(server: ImServer) -> None:
    result = improto(server, "bob12", "bot", "bots11:Bots.wrong")
    assert result.exit_code == 1
    assert "it gave int and not an improto_client.Bot" in result.stderr


def test_what_a_bot_lacks_is_not_hidden(server: ImServer, tmp_path: Path) -> None:
    (tmp_path / "bots13.py").write_text("import something_that_is_not_there")
    result = improto(server, "bob12", "bot", "bots13:app")
    assert isinstance(result.exception, ModuleNotFoundError)


# -- the manual ----------------------------------------------------------------------------------

PAGE = DOCS / "command-line.md"


def test_the_bot_of_the_manual_answers(server: ImServer, tmp_path: Path) -> None:
    (program,) = [each.text for each in samples_of(PAGE) if each.language == "python"]
    ending = program.replace("message.text)\n", "message.text)\n        await im.disconnect()\n")
    (tmp_path / "my_bots.py").write_text(ending)
    improto(server, "al40", "send", "echo40", "hello")
    assert improto(server, "echo40", "bot", "my_bots:echo", "--state", "s").exit_code == 0
    (heard,) = said(improto(server, "al40", "listen", "--json", "--count", "1"))
    assert heard["text"] == "hello"


def test_the_commands_of_the_manual_work(server: ImServer, tmp_path: Path) -> None:
    server.group("team", ["al41", "bob"])
    (tmp_path / "report.pdf").write_bytes(b"a report")
    improto(server, "bob", "send", "al41", "thanks")
    shown = [
        words
        for sample in samples_of(PAGE)
        if sample.language == "console"
        for line in sample.text.splitlines()
        for words in commands(line.removeprefix("$ "))
        if words[:1] == ["improto"] and words[1] in {"send", "listen", "history"}
    ]
    assert {words[1] for words in shown} == {"send", "listen", "history"}
    for _, *words in shown:
        kept = words[: words.index("--navi")] if "--navi" in words else words
        kept = kept[: kept.index(">")] if ">" in kept else kept
        result = improto(server, "al41", *kept, given="from a pipe")
        assert result.exit_code == 0, (words, result.output)


# -- how it ends ---------------------------------------------------------------------------------


def test_who_is_not_let_in_gets_status_3(server: ImServer) -> None:
    here = ("--navi", server.navigation_url)
    status, line = failure(improto(server, "al20", "send", "b", "hi", "--token", "x", *here))
    assert status == 3
    assert "Get a new token" in line
    status, line = failure(improto(server, "al20", "send", "b", "hi", "--user", "carol"))
    assert (status, line) == (3, "improto: the token is that of al20, not of carol")


def test_a_server_that_is_not_there_is_status_1() -> None:
    result = CliRunner().invoke(
        application, ["listen", "--token", "t", "--server", "http://127.0.0.1:9"]
    )
    assert failure(result) == (1, "improto: the server cannot be reached: connection refused")


def test_an_interruption_is_status_130() -> None:
    async def interrupted() -> int:
        raise KeyboardInterrupt

    assert running.perform(interrupted) == 130


def test_an_output_that_nobody_reads_is_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    async def speak() -> int:
        print("hello", flush=True)
        return 1

    with open(writing, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        assert running.perform(speak) == 0


def test_chat_takes_what_it_is_told(server: ImServer, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    async def chat(self: program.Chat) -> int:
        seen.append((self._access, self._peer))
        return 7

    monkeypatch.setattr(program.Chat, "run", chat)
    monkeypatch.setattr(program, "_screen", io.StringIO)
    assert improto(server, "al30", "chat", "group:x", "--state", "s").exit_code == 7
    assert improto(server, "al30", "chat").exit_code == 7
    (access, target), (_, nobody) = seen
    assert (access.app_key, str(access.state)) == (server.app_key, "s")
    assert (target, nobody) == (Conversation.group("x"), None)
