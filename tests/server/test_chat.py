"""`improto chat` as a whole: on both screens, and talking to a real server."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from queue import Queue
from typing import IO, TYPE_CHECKING, Any

import pytest
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from improto.codes import ErrorCode
from improto.contents import BaseContent as Content
from improto.contents import File, Text, Typing
from improto.messages import Conversation
from improto_client import Sent
from improto_server.chat import link, program, run
from improto_server.chat.access import Access
from improto_server.chat.lines import Line, Tone
from improto_server.chat.painting import Painter
from improto_server.chat.plain import PlainScreen
from improto_server.chat.program import Chat
from improto_server.chat.terminal import TerminalScreen, cut
from improto_server.chat.view import Transfer, Unsent, View
from improto_server.services.accounts import Accounts
from improto_server.testing import ImServer
from tests.server.chat_tools import BOB, message

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
    from pathlib import Path

    from prompt_toolkit.input import PipeInput

    from improto_client import Im, Message

KEY = "demo"
SECRET = "s" * 32

DEADLINE = 15.0
"""Seconds until something that does not happen is a failure."""

PAINTER = Painter(now=time.time)


@pytest.fixture(scope="module")
def server() -> Iterator[ImServer]:
    """One for all; every test has users of its own."""
    with ImServer(settings={"web.enabled": True, "web.port": 0, "web.api": False}) as running:
        yield running


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "RECEIPT_AFTER", 0.01)


def access(server: ImServer, user: str, **more: Any) -> Access:
    """As files need it, by way of navigation."""
    given = {"navigators": [server.navigation_url], "app_key": server.app_key}
    return Access.parse(**given | {"token": server.token(user)} | more)


# -- the program, on a screen that is a script ---------------------------------------------------


class Script:
    """A screen on which the test types and reads."""

    def __init__(self, *, is_interactive: bool = True) -> None:
        self.is_interactive = is_interactive
        self.lines: list[Line] = []
        self.view: View
        self.typing: Callable[[str], None]
        self.is_finished = False
        self.has_begun = asyncio.Event()
        self._news = asyncio.Event()
        self._typed: asyncio.Queue[str | None] = asyncio.Queue()

    def type(self, *lines: str | None) -> None:
        """None is the end of all input."""
        for line in lines:
            self._typed.put_nowait(line)

    def texts(self, *tones: Tone) -> list[str]:
        return [line.text for line in self.lines if not tones or line.tone in tones]

    async def shows(self, text: str) -> Line:
        """Wait for a line with this in it, and take it away."""
        return await self.until(lambda: self._take(text))

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until something is so."""
        async with asyncio.timeout(DEADLINE):
            while not (found := condition()):
                self._news.clear()
                await self._news.wait()
        return found

    def _take(self, text: str) -> Line | None:
        for place, line in enumerate(self.lines):
            if text in line.text:
                return self.lines.pop(place)
        return None

    # -- improto_server.chat.program.Screen ------------------------------------------

    def show(self, line: Line) -> None:
        self.lines.append(line)
        self._news.set()

    def refresh(self) -> None:
        self._news.set()

    async def inputs(self, view: View, typing: Callable[[str], None]) -> AsyncGenerator[str]:
        self.view, self.typing = view, typing
        self.has_begun.set()
        while (line := await self._typed.get()) is not None:
            yield line

    async def finish(self) -> None:
        self.is_finished = True


@contextlib.asynccontextmanager
async def chatting(
    where: Access, *, peer: str | None = None, is_interactive: bool = True
) -> AsyncGenerator[tuple[Script, asyncio.Task[int]]]:
    """A chat that is online; it is left in the end, if it does not end by itself."""
    screen = Script(is_interactive=is_interactive)
    target = None if peer is None else Conversation.private(peer)
    async with asyncio.timeout(DEADLINE):
        running = asyncio.create_task(Chat(where, screen, peer=target).run())
        await asyncio.wait(
            {running, asyncio.create_task(screen.has_begun.wait())},
            return_when=asyncio.FIRST_COMPLETED,
        )
        try:
            yield screen, running
            screen.type(None)
            await running
        finally:
            running.cancel()
    assert screen.is_finished


def play(scenario: Awaitable[None]) -> None:
    asyncio.run(scenario)  # type: ignore[arg-type]


async def next_of(im: Im, kind: type) -> Message:
    """The next message of a kind."""
    async with asyncio.timeout(DEADLINE):
        async for found in im.messages:
            if isinstance(found.content, kind):
                return found
    raise AssertionError("it has ended")


def test_a_chat(server: ImServer) -> None:
    async def scenario() -> None:
        async with (
            access(server, "bob1").connect() as bob,
            chatting(access(server, "al1")) as (screen, running),
        ):
            screen.type("hello?", "/history", "/to bob1", "hello", "", "/x", "/who", "/help")
            assert (await screen.shows("whom to?")).tone is Tone.ERROR
            sent = await screen.shows("hello")
            assert (await next_of(bob, Text)).text == "hello"
            await screen.shows("bob1 is online")
            await bob.messages.send(Conversation.private("al1"), "hi \x1b[31mred")
            received = await screen.shows("hi ")
            assert (received.tone, received.speaker) == (Tone.RECEIVED, "bob1")
            screen.type("/quit", "not sent any more")
            assert await running == 0
            assert (sent.tone, sent.target) == (Tone.SENT, "bob1")
            assert "there is no command /x; /help shows them all" in screen.texts(Tone.ERROR)

    play(scenario())


def test_what_is_said_to_nobody_is_said_to_nobody(server: ImServer) -> None:
    async def scenario() -> None:
        async with chatting(access(server, "al2")) as (screen, _):
            screen.type("hello?", "/history", "/x", "/send f", "/leave", "/who")
            await screen.until(lambda: len(screen.texts(Tone.ERROR)) == 5)
            assert sorted(screen.texts(Tone.ERROR)) == [
                "there is no command /x; /help shows them all",
                *["whom to? /to TARGET"] * 4,
            ]
            where = f"{server.host}:{server.port}"
            await screen.shows(f"you are al2 at {where}, online; you talk to nobody")
            assert screen.texts(Tone.NOTICE) == [f"you are al2, online at {where}"]

    play(scenario())


def test_only_messages_are_announced_while_they_are_typed(server: ImServer) -> None:
    async def scenario() -> None:
        async with (
            access(server, "bob3").connect() as bob,
            chatting(access(server, "al3")) as (screen, _),
        ):
            screen.typing("hel")
            screen.view.talk_to(Conversation.group("team"))
            screen.typing("hel")
            screen.view.talk_to(Conversation.private("bob3"))
            for text in ("", "/he", "/help"):
                screen.typing(text)
            screen.typing("hel")
            screen.typing("hell")
            assert isinstance((await next_of(bob, Content)).content, Typing)
            screen.type("hello")
            assert (await next_of(bob, Content)).text == "hello"

    play(scenario())


async def until(condition: Callable[[], Any]) -> None:
    """Wait until something is so in another thread."""
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def told(server: ImServer, user: str, target: str, content: str) -> bool:
    """Whether a user has sent this kind of content there."""
    return bool(re.search(rf" {user}/\d+ -> .* to {target}: {content}", server.transcript))


def test_what_was_shown_is_told_to_who_has_sent_it(server: ImServer) -> None:
    server.group("team4", ["al4", "bob4"])
    al, team, room = Conversation.private("al4"), Conversation.group("team4"), "lobby4"

    async def scenario() -> None:
        async with (
            access(server, "bob4").connect() as bob,
            chatting(access(server, "al4"), peer="bob4") as (screen, _),
        ):
            await bob.messages.send(al, "one")
            sent = await bob.messages.send(al, "two")
            await until(lambda: told(server, "al4", "bob4", f'RC:ReadNtf .*":{sent.time}'))
            await bob.chatrooms.join(room)
            screen.type(f"/join {room}")
            await screen.shows("2 people are in")
            await bob.messages.send(Conversation.chatroom(room), "in the room")
            await screen.shows("in the room")
            await bob.messages.send(team, "all")
            await until(lambda: told(server, "al4", "team4", "RC:SRSMsg"))
            assert not told(server, "al4", room, "RC:(SRSMsg|ReadNtf)")

    play(scenario())


def test_a_program_does_not_read(server: ImServer) -> None:
    async def scenario() -> None:
        async with access(server, "bob5").connect() as bob:
            where = access(server, "al5")
            async with chatting(where, peer="bob5", is_interactive=False) as (screen, _):
                await bob.messages.send(Conversation.private("al5"), "one")
                await screen.shows("one")
                screen.type("two")
                await screen.shows("two")
        assert not told(server, "al5", "bob5", "RC:ReadNtf")

    play(scenario())


def test_who_has_read(server: ImServer) -> None:
    async def scenario() -> None:
        async with (
            access(server, "bob6").connect() as bob,
            chatting(access(server, "al6"), peer="bob6") as (screen, _),
        ):
            screen.type("hello")
            await bob.messages.confirm(await next_of(bob, Text))
            bar = "\N{CHECK MARK}\N{CHECK MARK} bob6 has read it"
            await screen.until(lambda: bar in [text for _, text in screen.view.toolbar(now=0.0)])

    play(scenario())


def test_a_break_is_told_and_what_waits_is_sent(server: ImServer) -> None:
    async def scenario() -> None:
        async with (
            access(server, "bob7").connect() as bob,
            chatting(access(server, "al7"), peer="bob7") as (screen, _),
        ):
            server.cut("al7")
            await screen.shows("the connection is lost; trying again until it works")
            screen.type("while away")
            assert (await screen.shows("while away")).tone is Tone.WAITING
            await screen.shows("you are al7, online")
            assert (await screen.shows("while away")).tone is Tone.SENT
            assert (await next_of(bob, Text)).text == "while away"

    play(scenario())


def test_what_is_not_sent_is_told(server: ImServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "SHORT_PATIENCE", 0.01)

    async def scenario() -> None:
        server.delay("al8", 2 * DEADLINE)
        async with chatting(access(server, "al8"), peer="bob8") as (screen, running):
            screen.type("one", "two", None)
            assert await running == 1
            assert screen.texts(Tone.ERROR) == ["not sent to bob8: one", "not sent to bob8: two"]
            server.reset()

    play(scenario())


def test_not_too_much_waits(server: ImServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "MOST_WAITING", 0)

    async def scenario() -> None:
        where = access(server, "al9")
        async with chatting(where, peer="bob9", is_interactive=False) as (screen, running):
            screen.type("one", None)
            assert await running == 1
            assert screen.texts(Tone.ERROR) == ["not sent: 0 messages wait already"]

    play(scenario())


def test_an_end_for_good_interrupts_the_person(server: ImServer) -> None:
    async def scenario() -> None:
        async with chatting(access(server, "al10"), peer="bob") as (screen, running):
            server.kick("al10")
            assert await running == 1
            assert screen.lines[-1].text == "you have signed in somewhere else, which ends this"
            assert screen.lines[-1].tone is Tone.ERROR

    play(scenario())


def test_what_waits_when_it_ends_for_good_is_told(server: ImServer) -> None:
    async def scenario() -> None:
        async with chatting(access(server, "al11"), peer="bob") as (screen, running):
            server.delay("al11", 2 * DEADLINE)
            screen.type("one")
            await screen.until(lambda: screen.view.waiting)
            server.kick("al11")
            assert await running == 1
            assert screen.texts(Tone.ERROR)[-1] == "not sent to bob: one"
            server.reset()

    play(scenario())


@pytest.mark.parametrize(("is_interactive", "status"), [(False, 1), (True, 0)])
def test_a_script_that_is_refused_fails(
    server: ImServer, is_interactive: bool, status: int
) -> None:
    async def scenario() -> None:
        where = access(server, "al12")
        server.refuse_requests("al12", ErrorCode.SEND_FREQUENCY_TOO_FAST)
        async with chatting(where, peer="bob", is_interactive=is_interactive) as (screen, running):
            screen.type("one")
            await screen.shows("not sent to bob: SEND_FREQUENCY_TOO_FAST (20604)")
            screen.type(None)
            assert await running == status

    play(scenario())


def test_a_script_gets_what_has_waited(server: ImServer) -> None:
    async def scenario() -> None:
        async with access(server, "bob13").connect() as bob:
            for text in ("one", "two"):
                await bob.messages.send(Conversation.private("al13"), text)
        async with chatting(access(server, "al13"), is_interactive=False) as (screen, running):
            screen.type(None)
            assert await running == 0
            assert screen.texts(Tone.RECEIVED) == ["one", "two"]

    play(scenario())


def test_a_script_does_not_wait_for_ever(server: ImServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "PATIENCE", 0.01)

    async def scenario() -> None:
        async with chatting(access(server, "al14"), is_interactive=False) as (screen, running):
            server.cut("al14")
            screen.type(None)
            assert await running == 0

    play(scenario())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it(server: ImServer, number: int) -> None:
    async def scenario() -> None:
        async with chatting(access(server, "al15")) as (_, running):
            os.kill(os.getpid(), number)
            assert await running == 0

    play(scenario())


def test_a_mistake_in_the_program_is_not_hidden(server: ImServer) -> None:
    async def broken(view: View, typing: Callable[[str], None]) -> AsyncGenerator[str]:
        raise ZeroDivisionError
        yield ""

    async def scenario() -> None:
        screen = Script()
        screen.inputs = broken  # type: ignore[method-assign]
        with pytest.raises(ExceptionGroup) as raised:
            await Chat(access(server, "al16"), screen, peer=None).run()
        assert raised.group_contains(ZeroDivisionError)

    play(scenario())


def test_what_the_library_complains_of_is_shown_once(
    server: ImServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "_MOST_COMPLAINTS", 2)

    async def scenario() -> None:
        async with chatting(access(server, "al17")) as (screen, _):
            logger = logging.getLogger("improto_client.link")
            for text in ("one", "one", "two", "three"):
                logger.warning("%s", text)
            logger.info("nothing")
            assert screen.texts(Tone.ERROR) == ["one", "two"]
        assert logging.getLogger("improto_client").handlers == []

    play(scenario())


class Window(io.StringIO):
    """Something at which a person sits."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 0


@pytest.mark.parametrize(
    ("file", "term", "is_interactive"),
    [(Window, "xterm", True), (Window, "dumb", False), (io.StringIO, "xterm", False)],
)
def test_a_person_gets_a_prompt(
    monkeypatch: pytest.MonkeyPatch, file: type[io.StringIO], term: str, is_interactive: bool
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys, "stdin", Window())
    monkeypatch.setattr(sys, "stdout", file())
    assert program._screen().is_interactive is is_interactive


# -- what can be asked for -----------------------------------------------------------------------


def test_conversations_and_history(server: ImServer) -> None:
    server.group("team20", ["al20", "bob20"])

    async def scenario() -> None:
        async with access(server, "bob20").connect() as bob:
            for number in range(5):
                await bob.messages.send(Conversation.private("al20"), f"number {number}")
            await bob.messages.send(Conversation.group("team20"), "all of you")
        async with chatting(access(server, "al20")) as (screen, _):
            screen.type("/to #1")
            await screen.shows("there is no #1; /conversations shows what there is")
            screen.type("/conversations")
            listed = (await screen.shows("pick one")).text.splitlines()
            assert listed[1].startswith("#1 group:team20")
            assert listed[2].startswith("#2 bob20")
            screen.type("/to #2")
            await screen.shows("you talk to bob20")
            screen.type("/more")
            await screen.shows("more of what? /history begins")
            screen.type("/history 3")
            await screen.shows("history with bob20; /more shows earlier messages")
            assert screen.texts(Tone.PAST) == ["number 2", "number 3", "number 4"]
            screen.lines.clear()
            screen.type("/more")
            await screen.shows("history with bob20; this is where it begins")
            assert screen.texts(Tone.PAST) == ["number 0", "number 1"]
            screen.type("/more")
            await screen.shows("there is no more")
            screen.type("/to group:team20", "/more")
            await screen.shows("more of what?")
            screen.type("/search NUMBER 3")
            await screen.shows("1 message with 'NUMBER 3'")
            await screen.shows("number 3")

    play(scenario())


def test_a_room(server: ImServer) -> None:
    async def scenario() -> None:
        async with (
            access(server, "bob21").connect() as bob,
            chatting(access(server, "al21")) as (screen, _),
        ):
            screen.type("/to room:lobby21")
            await screen.shows("you are not in this room yet: /join lobby21")
            screen.type("hello")
            await screen.shows("not sent to room:lobby21: ")
            screen.type("/join lobby21")
            await screen.shows("1 person is in room:lobby21: al21")
            await bob.chatrooms.join("lobby21")
            screen.type("/who")
            await screen.shows("2 people are in room:lobby21: al21, bob21")
            await bob.messages.send(Conversation.chatroom("lobby21"), "hi all")
            assert (await screen.shows("hi all")).target == "room:lobby21"
            screen.type("/leave")
            await screen.shows("you have left room:lobby21")
            screen.type("/leave")
            await screen.shows("NOT_IN_CHATROOM")
            screen.type("/to bob21", "/leave")
            await screen.shows("bob21 is no chatroom")
            screen.type("/to group:x21", "/who")
            await screen.shows("you talk to group:x21")

    play(scenario())


def test_a_message_is_taken_back(server: ImServer) -> None:
    async def scenario() -> None:
        async with (
            access(server, "bob22").connect() as bob,
            chatting(access(server, "al22"), peer="bob22") as (screen, _),
        ):
            screen.type("/recall")
            await screen.shows("you have said nothing to bob22 in this chat")
            screen.type("oh no")
            await screen.shows("oh no")
            screen.type("/recall")
            await screen.shows("your last message is taken back")
            (found,) = await bob.messages.history(Conversation.private("al22")).next_page()
            assert found.text is None

    play(scenario())


def test_files_go_and_come(
    server: ImServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.png").write_bytes(b"meow" * 1000)

    async def scenario() -> None:
        async with (
            access(server, "bob23").connect() as bob,
            chatting(access(server, "al23"), peer="bob23") as (screen, _),
        ):
            screen.type("/send none.png")
            assert (await screen.shows("none.png")).tone is Tone.ERROR
            screen.type("/send cat.png")
            line = await screen.shows("[file] cat.png")
            assert (line.tone, line.fate.value) == (Tone.SENT, "\N{CHECK MARK}")
            found = await next_of(bob, File)
            await bob.messages.send(Conversation.private("al23"), found.content)
            assert (await screen.shows("[file] cat.png")).number == 1
            screen.type("/save 1")
            await screen.shows("cat.png is there already; /save 1 NAME")
            screen.type("/save 1 dog.png")
            await screen.shows("saved as dog.png")
            assert (tmp_path / "dog.png").read_bytes() == b"meow" * 1000
            screen.type("/save 2")
            await screen.shows("there is no file #2")
            assert screen.view.transfers == {}

    play(scenario())


# -- the state file ------------------------------------------------------------------------------


def test_what_was_seen_is_remembered(server: ImServer, tmp_path: Path) -> None:
    where = access(server, "al30", state=tmp_path / "state")

    async def scenario() -> None:
        async with access(server, "bob30").connect() as bob:
            for text in ("one", "two"):
                await bob.messages.send(Conversation.private("al30"), text)
                async with chatting(where, is_interactive=False) as (screen, running):
                    screen.type(None)
                    assert await running == 0
                    assert screen.texts(Tone.RECEIVED) == [text]

    play(scenario())


def test_a_file_of_something_else_ends_it_before_it_begins(
    server: ImServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "state"
    path.write_text("something else " * 100)
    with open(os.devnull) as nothing, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", nothing)
        assert run(access(server, "al31", state=path), None) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("improto: ")
    assert len(err.splitlines()) == 1
    assert path.read_text() == "something else " * 100


# -- the plain screen ----------------------------------------------------------------------------


class Pipe:
    """A plain screen between two pipes."""

    def __init__(self) -> None:
        self.source, self.typed = os.pipe()
        self.out, self.err = io.StringIO(), io.StringIO()
        self.screen = PlainScreen(PAINTER, source=self.source, out=self.out, err=self.err)

    def type(self, data: bytes) -> None:
        os.write(self.typed, data)

    def __enter__(self) -> Pipe:
        return self

    def __exit__(self, *_: object) -> None:
        # In this order: a thread may still read.
        for descriptor in (self.typed, self.source):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def view_on(screen: Any) -> View:
    return View(server="h:1", user="me", peer=BOB, show=screen.show, changed=screen.refresh)


def stored(time: int = 2000) -> Sent:
    return Sent(conversation=BOB, uid="U", time=time)


async def all_inputs(screen: PlainScreen) -> list[str]:
    return [line async for line in screen.inputs(view_on(screen), lambda text: None)]


def test_plain_lines_in() -> None:
    with Pipe() as pipe:
        pipe.type("one\r\ntwo\n\nemoji 😀\nbad \xff\nno end".encode("utf-8", "surrogateescape"))
        pipe.type(b"\xff\n")
        os.close(pipe.typed)
        lines = asyncio.run(all_inputs(pipe.screen))
    assert lines == ["one", "two", "", "emoji 😀", "bad ÿ", "no end\N{REPLACEMENT CHARACTER}"]


def test_plain_lines_in_are_read_as_they_are_wanted() -> None:
    count = 1000
    with Pipe() as pipe:
        pipe.type(b"x\n" * count)
        os.close(pipe.typed)
        assert asyncio.run(all_inputs(pipe.screen)) == ["x"] * count


def test_a_source_that_breaks_is_an_end() -> None:
    with Pipe() as pipe:
        os.close(pipe.typed)
        directory = os.open(os.sep, os.O_RDONLY)
        screen = PlainScreen(PAINTER, source=directory, out=pipe.out, err=pipe.err)
        assert asyncio.run(all_inputs(screen)) == []
        os.close(directory)


def test_plain_lines_out() -> None:
    with Pipe() as pipe:
        view = view_on(pipe.screen)
        view.received(message(Text("\x1b[31mhi\nthere")), now=0.0)
        view.typed(1, Unsent(target=BOB, text="hello"))
        view.away()
        view.sent(1, stored())
        view.error("bad")
        view.notice("good")
        pipe.screen.refresh()
        asyncio.run(pipe.screen.finish())
        stamp = r"1970-01-01T\d\d:\d\d:0\d\+\d\d:\d\d"
        assert re.fullmatch(
            rf"{stamp} bob: hi\\nthere\n{stamp} me -> bob: hello\n", pipe.out.getvalue()
        )
        assert pipe.err.getvalue() == (
            "* the connection is lost; trying again until it works\n"
            "(waiting) me -> bob: hello\n! bad\n* good\n"
        )


class Broken(io.StringIO):
    """A file that nobody reads."""

    def flush(self) -> None:
        raise BrokenPipeError


def test_an_output_that_nobody_reads_is_an_end() -> None:
    reading, writing = os.pipe()
    os.close(reading)

    async def scenario() -> None:
        screen = PlainScreen(PAINTER, source=pipe.source, out=out, err=Broken())
        screen.show(Line(tone=Tone.NOTICE, text="a notice is no reason to end"))
        inputs = screen.inputs(view_on(screen), lambda text: None)
        assert await anext(inputs) == "one"
        screen.show(Line(tone=Tone.RECEIVED, text="hi"))
        assert [line async for line in inputs] == []
        await screen.finish()

    # Closing the file writes what is in its buffer, which must not fail either.
    with Pipe() as pipe, open(writing, "w") as out:
        pipe.type(b"one\n")
        asyncio.run(scenario())


# -- the terminal --------------------------------------------------------------------------------


class Recorder(DummyOutput):
    """A terminal of 100 columns that remembers what was written to it."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, data: str) -> None:
        self.text += data

    write_raw = write

    def get_size(self) -> Size:
        return Size(rows=24, columns=100)


class Terminal:
    """A terminal screen whose keys are pressed by the test."""

    def __init__(self, keys: PipeInput) -> None:
        self.keys = keys
        self.output = Recorder()
        self.screen = TerminalScreen(PAINTER, input=keys, output=self.output)
        self.view = view_on(self.screen)
        self.typed: list[str] = []
        self.inputs = self.screen.inputs(self.view, self.typed.append)

    async def read(self, keys: str) -> str:
        """Press keys, then wait for a line."""
        self.keys.send_text(keys)
        async with asyncio.timeout(DEADLINE):
            return await anext(self.inputs)

    async def shows(self, text: str) -> None:
        """Wait until this has been written."""
        async with asyncio.timeout(DEADLINE):
            while text not in self.output.text:  # noqa: ASYNC110
                await asyncio.sleep(0.005)


@pytest.fixture
def keys() -> Iterator[PipeInput]:
    with create_pipe_input() as pipe:
        yield pipe


def test_what_is_typed_in_a_terminal(keys: PipeInput) -> None:
    async def scenario() -> None:
        terminal = Terminal(keys)
        assert await terminal.read("hello 😀\r") == "hello 😀"
        assert terminal.typed[0] == "h"
        assert "hello 😀" in terminal.typed
        assert await terminal.read("two\x1b\rlines\r") == "two\nlines"
        completing = asyncio.create_task(terminal.read("/hist\t"))
        await terminal.shows("ory")
        keys.send_text(" 5\r")
        assert await completing == "/history 5"
        assert await terminal.read("\x1b[200~a paste\nof lines\x1b[201~\r") == "a paste\nof lines"
        assert "bob>" in terminal.output.text
        for leave in ("\x04", "half a line\x03"):
            with pytest.raises(StopAsyncIteration):
                await terminal.read(leave)
            terminal = Terminal(keys)
        await terminal.screen.finish()

    asyncio.run(scenario())


def test_what_is_shown_in_a_terminal(keys: PipeInput) -> None:
    async def scenario() -> None:
        terminal = Terminal(keys)
        screen, view, output = terminal.screen, terminal.view, terminal.output
        view.notice("before the prompt")
        reading = asyncio.create_task(terminal.read("a draft"))
        await terminal.shows("a draft")
        assert "before the prompt" in output.text
        output.text = ""
        view.received(message(Text("\x1b]0;title\x07hi\x1b[2J")), now=0.0)
        view.received(message(Text("more")), now=0.0)
        await terminal.shows("a draft")
        shown, _, drawn = output.text.partition("bob>")
        assert "hi" in shown
        assert "more" in shown
        assert "title" not in output.text
        assert "[2J" not in output.text
        assert "a draft" in drawn
        output.text = ""
        view.online()
        await terminal.shows("me at h:1")
        view.transfer(1, Transfer(name="cat.png", done=1, total=2))
        await terminal.shows("cat.png \N{FULL BLOCK}")
        for number in range(1, 8):
            view.typed(number, Unsent(target=BOB, text=f"word{number} " + "x" * 100))
        await terminal.shows("7 messages not sent yet")
        assert f"(waiting) bob: word5 {'x' * 77}…" in output.text
        assert "(waiting) and 2 more" in output.text
        assert "word6" not in output.text
        output.text = ""
        for number in range(1, 8):
            view.sent(number, stored())
        await terminal.shows("word7")
        keys.send_text("\r")
        assert await reading == "a draft"
        await terminal.inputs.aclose()
        screen.refresh()
        view.notice("after the prompt")
        await screen.finish()
        assert output.text.endswith("after the prompt\x1b[0m\r\n")

    asyncio.run(scenario())


def test_a_terminal_is_left_in_order_when_somebody_else_ends_it(keys: PipeInput) -> None:
    async def scenario() -> None:
        terminal = Terminal(keys)
        reading = asyncio.create_task(terminal.read("half a line"))
        await terminal.shows("half a line")
        reading.cancel()
        await asyncio.wait({reading})
        await terminal.inputs.aclose()
        assert reading.cancelled()
        terminal.screen.show(Line(tone=Tone.ERROR, text="blocked"))
        await terminal.screen.finish()
        assert "! blocked" in terminal.output.text

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("", 3, ""),
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("你好吗", 6, "你好吗"),
        ("你好吗", 5, "你好…"),
        ("你好吗", 4, "你…"),
        ("😀😀😀", 5, "😀😀…"),
        ("e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
        ("x" * 131_072, 3, "xx…"),
    ],
)
def test_a_text_is_cut_by_its_width(text: str, width: int, shown: str) -> None:
    assert cut(text, width) == shown


# -- with a real server --------------------------------------------------------------------------


class Server:
    """`improto serve` in a process of its own, with one app."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._port = 0
        self._process: Process | None = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, again on the same port."""
        self._process = Process(
            *("serve", "--app", f"{KEY}:{SECRET}", "--port", str(self._port)),
            *("--store", f"sqlite:///{self._directory / 'messages.db'}"),
        )
        line = self._process.out.wait_for("listening on")
        self._port = int(line.rpartition(":")[2].split()[0])

    def stop(self) -> None:
        """Stop it; everybody is sent away."""
        assert self._process is not None
        self._process.signal(signal.SIGTERM)
        assert self._process.wait() == 0

    def chat(self, user: str, peer: str, *more: str, terminal: int | None = None) -> Process:
        """Somebody who talks to somebody else."""
        token = Accounts({KEY: SECRET}).issue(KEY, user, now=time.time(), lifetime=3600)
        server = f"http://127.0.0.1:{self._port}"
        arguments = ("chat", peer, "--server", server, "--app", KEY, "--token", token, *more)
        return Process(*arguments, terminal=terminal)


ENVIRONMENT = {
    "PROMPT_TOOLKIT_NO_CPR": "1",
    "PYTHONPATH": os.pathsep.join(sys.path),
    "PYTHONUTF8": "1",
    "TERM": "xterm-256color",
}
"""Nobody answers the terminal's questions for it."""


class Process:
    """An `improto` command whose lines are read as they come."""

    def __init__(self, *arguments: str, terminal: int | None = None) -> None:
        pipe_or_terminal = subprocess.PIPE if terminal is None else terminal
        self._process = subprocess.Popen(
            [sys.executable, "-m", "improto_server", *arguments],
            stdin=pipe_or_terminal,
            stdout=pipe_or_terminal,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=os.environ | ENVIRONMENT,
        )
        # Nothing is read here from a terminal.
        self.out = Lines(self._process.stdout or io.StringIO())
        self.err = Lines(self._process.stderr or io.StringIO())

    def type(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def end(self) -> int:
        """Say no more and wait for the exit status."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self.wait()

    def wait(self) -> int:
        """The exit status."""
        try:
            return self._process.wait(timeout=DEADLINE)
        finally:
            self._process.kill()
            self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()
            self.out.close()
            self.err.close()


class Lines:
    """What a process writes, read by a thread."""

    def __init__(self, file: IO[str]) -> None:
        self.all: list[str] = []
        self._file = file
        self._news: Queue[str | None] = Queue()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        for line in self._file:
            self._news.put(line.rstrip("\n"))
        self._news.put(None)

    def wait_for(self, text: str) -> str:
        """The next line with this in it."""
        while (line := self._news.get(timeout=DEADLINE)) is not None:
            self.all.append(line)
            if text in line:
                return line
        raise AssertionError(f"{text!r} is not in {self.all}")

    def close(self) -> None:
        self._thread.join()
        self._file.close()
        while not self._news.empty():
            line = self._news.get()
            if line is not None:
                self.all.append(line)

    @property
    def said(self) -> list[str]:
        """All lines without their times."""
        return [line.partition(" ")[2] for line in self.all]


@pytest.mark.slow
def test_two_chats_talk_and_a_server_that_is_gone_for_a_while_loses_nothing(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "alice.json"))
    with Server(tmp_path) as server:
        alice, bob = server.chat("alice", "bob", *state), server.chat("bob", "alice")
        for chat, user in ((alice, "alice"), (bob, "bob")):
            chat.err.wait_for(f"* you are {user}, online")
        alice.type("hello bob")
        bob.out.wait_for("alice: hello bob")
        bob.type("你好 😀 \x1b[31mred")
        alice.out.wait_for("bob: 你好 😀 red")
        server.stop()
        for chat in (alice, bob):
            chat.err.wait_for("* the connection is lost")
        alice.type("one while away")
        alice.type("two while away")
        alice.err.wait_for("(waiting) alice -> bob: one while away")
        server.start()
        alice.out.wait_for("alice -> bob: two while away")
        bob.out.wait_for("alice: two while away")
        bob.type("/history 3")
        bob.err.wait_for("* end of the history")
        assert (alice.end(), bob.end()) == (0, 0)
        assert alice.out.said == [
            *("alice -> bob: hello bob", "bob: 你好 😀 red"),
            *("alice -> bob: one while away", "alice -> bob: two while away"),
        ]
        away = ["alice: one while away", "alice: two while away"]
        past = ["bob -> alice: 你好 😀 red", *away]
        assert bob.out.said == ["alice: hello bob", "bob -> alice: 你好 😀 red", *away, *past]
        # Alice remembers what she has seen; without a state everything would come again.
        bob = server.chat("bob", "alice")
        bob.type("news")
        assert bob.end() == 0
        alice = server.chat("alice", "bob", *state)
        assert alice.end() == 0
        assert alice.out.said == ["bob: news"]


@pytest.mark.slow
def test_a_chat_is_ended_by_the_server_by_itself_or_by_a_signal(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        first = server.chat("alice", "bob")
        first.err.wait_for("* you are alice, online")
        second = server.chat("alice", "bob")
        first.err.wait_for("! you have signed in somewhere else, which ends this")
        assert first.wait() == 1
        second.err.wait_for("* you are alice, online")
        second.signal(signal.SIGINT)
        assert second.wait() == 0
        assert len(second.err.all) == 1
        stranger = server.chat("alice", "bob", "--app", "other")
        assert stranger.end() == 3
        assert stranger.err.said == [
            "the server refused the login: IDENTIFIER_REJECTED (2): app key unknown."
            " Check the app key"
        ]


@pytest.mark.slow
def test_a_real_terminal_is_left_as_it_was(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    before = termios.tcgetattr(theirs)
    with Server(tmp_path) as server, open(ours, "r+b", buffering=0) as terminal:
        chat = server.chat("alice", "bob", terminal=theirs)
        seen = b""

        def wait_for(text: str) -> None:
            nonlocal seen
            deadline = time.monotonic() + DEADLINE
            while text.encode() not in seen:
                ready, _, _ = select.select([terminal], [], [], deadline - time.monotonic())
                assert ready, seen
                seen += terminal.read(4096)
            seen = seen.partition(text.encode())[2]

        wait_for("you are alice, online")
        wait_for("bob>")
        assert termios.tcgetattr(theirs) != before
        terminal.write(b"hello\r")
        wait_for("hello")
        wait_for("\N{CHECK MARK}")
        terminal.write(b"\x04")
        assert chat.wait() == 0
        assert termios.tcgetattr(theirs) == before
    os.close(theirs)
