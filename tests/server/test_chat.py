"""`improto chat` as a whole: on both screens, and talking to a real server."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
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

from improto import payloads
from improto.codes import DisconnectStatus, ErrorCode
from improto.contents import Text, Typing
from improto.events import CaughtUp, CloseReason
from improto.frames import TimeMs
from improto.operations import Topic
from improto_server.chat import ChatSettings, program, run
from improto_server.chat.memory import StateFile
from improto_server.chat.painting import Painter
from improto_server.chat.plain import PlainScreen
from improto_server.chat.program import PATIENCE, SHORT_PATIENCE, Chat
from improto_server.chat.terminal import TerminalScreen, cut
from improto_server.chat.view import Line, Tone, Unsent, View
from improto_server.services.accounts import Accounts
from tests.server.chat_tools import Client, FakeServer, acknowledged, message, play, turns

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator
    from pathlib import Path

    from prompt_toolkit.input import PipeInput

KEY = "demo"
SECRET = "s" * 32

DEADLINE = 60.0
"""Seconds until something that does not happen is a failure."""

PAINTER = Painter(now=time.time)


def settings_for(**more: Any) -> ChatSettings:
    given = {"server": "http://h:1", "app_key": KEY, "token": "t", "peer": "bob"}
    return ChatSettings.parse(**given | more)


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
        self._typed: asyncio.Queue[str | None] = asyncio.Queue()

    def type(self, *lines: str | None) -> None:
        """None is the end of all input."""
        for line in lines:
            self._typed.put_nowait(line)

    def texts(self, *tones: Tone) -> list[str]:
        return [line.text for line in self.lines if not tones or line.tone in tones]

    # -- improto_server.chat.program.Screen ------------------------------------------

    def show(self, line: Line) -> None:
        self.lines.append(line)

    def refresh(self) -> None:
        pass

    async def inputs(self, view: View, typing: Callable[[str], None]) -> AsyncGenerator[str]:
        self.view, self.typing = view, typing
        self.has_begun.set()
        while (line := await self._typed.get()) is not None:
            yield line

    async def finish(self) -> None:
        self.is_finished = True


def begin(
    tasks: asyncio.TaskGroup, screen: Script, server: FakeServer, **settings: Any
) -> asyncio.Task[int]:
    chat = Chat(settings_for(**settings), screen, connect=server.connect)
    return tasks.create_task(chat.run())


def test_a_chat() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        screen, server = Script(), FakeServer()
        running = begin(tasks, screen, server, peer=None)
        client = await server.arrival()
        screen.type("hello?", "/history", "/to bob", "hello", "/history 3", "", "/x", "/who")
        screen.type("/help")
        await turns()
        ((outgoing, _),) = client.published
        assert (outgoing.topic, outgoing.target_id) == (Topic.PP_MSG_P, "bob")
        client.acknowledge()
        await turns()
        screen.type("/quit", "not sent any more")
        assert await running == 0
        assert screen.is_finished
        assert len(client.published) == 1
        notices = [text.partition("\n")[0] for text in screen.texts(Tone.NOTICE)]
        assert notices == [
            "you are alice, online at h:1",
            "you talk to bob",
            "nothing has been said with bob",
            "you are alice at h:1, online; you talk to bob",
            "/to USER      talk to USER from now on",
        ]
        assert screen.texts(Tone.ERROR) == [
            "whom to? /to USER",
            "whom to? /to USER",
            "there is no command /x; /help shows them all",
        ]
        assert screen.texts(Tone.SENT) == ["hello"]
        assert server.exits == ["closed"]

    play(scenario)


def test_only_messages_are_announced_while_they_are_typed() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        screen, server = Script(), FakeServer()
        running = begin(tasks, screen, server, peer=None)
        client = await server.arrival()
        await screen.has_begun.wait()
        screen.typing("hel")
        screen.view.talk_to("bob")
        for text in ("", "/he", "/help"):
            screen.typing(text)
        await turns()
        assert client.sent == []
        screen.typing("hel")
        await turns()
        assert client.sent == [("bob", Typing("RC:TxtMsg"))]
        screen.type(None)
        assert await running == 0

    play(scenario)


def test_a_person_leaves_at_once_but_not_before_the_last_word() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        screen, server = Script(), FakeServer()
        running = begin(tasks, screen, server)
        client = await server.arrival()
        client.tell(CaughtUp(room_id=None, cursor=TimeMs(1)))
        screen.type("last words", None)
        await turns()
        assert not running.done()
        client.acknowledge()
        assert await running == 0
        assert asyncio.get_running_loop().time() < SHORT_PATIENCE

    play(scenario)


def test_what_is_not_sent_is_told() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        screen, server = Script(), FakeServer()
        running = begin(tasks, screen, server)
        await server.arrival()
        screen.type("one", "two", None)
        assert await running == 1
        assert asyncio.get_running_loop().time() == pytest.approx(SHORT_PATIENCE, abs=0.1)
        assert screen.texts(Tone.ERROR) == ["2 messages not sent, lost"]
        # Without a connection there is nothing to wait for.
        screen = Script()
        server.outcomes = [OSError("nothing")]
        before = asyncio.get_running_loop().time()
        running = begin(tasks, screen, server)
        screen.type("one", None)
        assert await running == 1
        assert asyncio.get_running_loop().time() < before + 0.1
        assert screen.texts(Tone.ERROR) == ["1 message not sent, lost"]

    play(scenario)


def test_an_end_for_good_interrupts_the_person() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        screen, server = Script(), FakeServer()
        running = begin(tasks, screen, server)
        client = await server.arrival()
        await turns()
        client.end(CloseReason.KICKED, DisconnectStatus.OTHER_DEVICE_LOGIN)
        assert await running == 1
        assert screen.lines[-1].text == "you have signed in somewhere else, which ends this chat"
        assert screen.lines[-1].tone is Tone.ERROR

    play(scenario)


def test_a_script_is_read_no_faster_than_it_is_sent() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        screen, server = Script(is_interactive=False), FakeServer()
        server.delay = 3.0
        screen.type("one", "two", None)
        running = begin(tasks, screen, server)
        await asyncio.sleep(1.0)
        assert not screen.has_begun.is_set()
        client = await server.arrival()
        await turns()
        assert [json.loads(text) for text in said(client)] == [{"content": "one"}]
        client.acknowledge()
        await turns()
        assert len(client.published) == 2
        client.acknowledge()
        await turns()
        assert not running.done()  # messages may still be coming in
        client.receive(message(Text("an answer")))
        client.tell(CaughtUp(room_id=None, cursor=TimeMs(1)))
        assert await running == 0
        assert screen.texts(Tone.RECEIVED) == ["an answer"]
        assert client.sent == []

    play(scenario)


def said(client: Client) -> list[bytes]:
    """The contents of what was published."""
    return [
        payloads.decode(payloads.UpStreamMessage, outgoing.data).content
        for outgoing, _ in client.published
    ]


def test_a_script_that_is_refused_fails() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        for is_interactive, status in [(False, 1), (True, 0)]:
            screen, server = Script(is_interactive=is_interactive), FakeServer()
            running = begin(tasks, screen, server)
            client = await server.arrival()
            client.tell(CaughtUp(room_id=None, cursor=TimeMs(1)))
            screen.type("one", None)
            await turns()
            client.refuse(ErrorCode.SEND_FREQUENCY_TOO_FAST)
            assert await running == status
            assert "SEND_FREQUENCY_TOO_FAST (20604)" in screen.texts(Tone.ERROR)[0]

    play(scenario)


def test_a_script_does_not_wait_for_ever() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        screen, server = Script(is_interactive=False), FakeServer()
        screen.type(None)
        running = begin(tasks, screen, server)
        assert await running == 0  # everything typed is sent; nobody knows what else there is
        assert asyncio.get_running_loop().time() == pytest.approx(PATIENCE, abs=0.1)

    play(scenario)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("is_interactive", [True, False])
def test_a_signal_ends_it(number: int, is_interactive: bool) -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        screen, server = Script(is_interactive=is_interactive), FakeServer()
        server.outcomes = [OSError("nothing")] * 3
        running = begin(tasks, screen, server)
        await asyncio.sleep(0.1)
        os.kill(os.getpid(), number)
        assert await running == 1  # it has never been online
        assert asyncio.get_running_loop().time() < 0.5

    play(scenario)


def test_a_mistake_in_the_program_is_not_hidden() -> None:
    async def scenario(tasks: asyncio.TaskGroup) -> None:
        screen, server = Script(), FakeServer()
        screen.inputs = broken  # type: ignore[method-assign]
        with pytest.raises(ExceptionGroup) as raised:
            await Chat(settings_for(), screen, connect=server.connect).run()
        assert raised.group_contains(ZeroDivisionError)

    async def broken(view: View, typing: Callable[[str], None]) -> AsyncGenerator[str]:
        raise ZeroDivisionError
        yield ""

    play(scenario)


# -- the state file ------------------------------------------------------------------------------


def test_the_session_is_kept_between_two_runs(tmp_path: Path) -> None:
    path = tmp_path / "state.json"

    async def scenario(tasks: asyncio.TaskGroup) -> None:
        screen, server = Script(), FakeServer()
        running = begin(tasks, screen, server, state=path)
        client = await server.arrival()
        client.end(CloseReason.LOST)
        await turns()
        screen.type("keep this")
        await asyncio.sleep(program.SAVE_AFTER + 0.01)
        assert len(StateFile(path, app_key=KEY).load().outbox) == 1
        screen.type(None)
        assert await running == 1
        assert screen.texts(Tone.ERROR) == [f"1 message not sent, kept in {path}"]

        screen = Script()
        running = begin(tasks, screen, server, state=path)
        await screen.has_begun.wait()
        ((unique_id, unsent),) = screen.view.waiting.items()
        assert unsent == Unsent(peer="bob", text="keep this")
        client = await server.arrival()
        assert list(client.session.outbox) == [unique_id]
        client.session.settle(unique_id)
        client.tell(acknowledged(unique_id))
        await turns()
        assert screen.texts(Tone.SENT) == ["keep this"]
        screen.type(None)
        assert await running == 0
        assert StateFile(path, app_key=KEY).load().outbox == {}

    play(scenario)


def test_a_file_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    directory = tmp_path / "there"
    directory.mkdir()
    path = directory / "state.json"

    async def scenario(tasks: asyncio.TaskGroup) -> None:
        screen, server = Script(), FakeServer()
        running = begin(tasks, screen, server, state=path)
        client = await server.arrival()
        await asyncio.sleep(1.0)
        path.unlink()
        directory.rmdir()
        for _ in range(3):
            client.receive(message(Text("hi")))
            await asyncio.sleep(1.0)
        complaint = f"{path} cannot be written: No such file or directory"
        assert screen.texts(Tone.ERROR) == [complaint]
        directory.mkdir()
        client.receive(message(Text("hi")))
        await asyncio.sleep(1.0)
        assert path.exists()
        path.unlink()
        directory.rmdir()
        client.receive(message(Text("hi")))
        await asyncio.sleep(1.0)
        assert screen.texts(Tone.ERROR) == [complaint, complaint]
        screen.type(None)
        assert await running == 0

    play(scenario)


def test_a_file_of_something_else_ends_it_before_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.json"
    path.write_text("{}")
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: SIM115
    assert run(settings_for(state=path)) == 1
    sys.stdin.close()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"improto: {path} is no state of a chat (")
    assert path.read_text() == "{}"


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


def view_on(screen: Any, *, peer: str | None = "bob") -> View:
    return View(server="h:1", user="me", peer=peer, show=screen.show, changed=screen.refresh)


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
        view.typed(1, Unsent(peer="bob", text="hello"))
        view.held(1)
        view.sent(1, time=2000)
        view.error("bad")
        view.notice("good")
        pipe.screen.refresh()
        asyncio.run(pipe.screen.finish())
        stamp = r"1970-01-01T\d\d:\d\d:0\d\+\d\d:\d\d"
        assert re.fullmatch(
            rf"{stamp} bob: hi\\nthere\n{stamp} me -> bob: hello\n", pipe.out.getvalue()
        )
        assert pipe.err.getvalue() == "(waiting) me -> bob: hello\n! bad\n* good\n"


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
        view.online("alice")
        await terminal.shows("alice at h:1")
        await terminal.shows("online")
        for number in range(1, 8):
            view.typed(number, Unsent(peer="bob", text=f"word{number} " + "x" * 100))
            view.held(number)
        await terminal.shows("7 messages not sent yet")
        assert f"(waiting) bob: word5 {'x' * 77}…" in output.text
        assert "(waiting) and 2 more" in output.text
        assert "word6" not in output.text
        output.text = ""
        for number in range(1, 8):
            view.sent(number, time=1000)
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
        alice.err.wait_for("(waiting) alice -> bob: two while away")
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
        first.err.wait_for("! you have signed in somewhere else, which ends this chat")
        assert first.wait() == 1
        second.err.wait_for("* you are alice, online")
        second.signal(signal.SIGINT)
        assert second.wait() == 0
        assert len(second.err.all) == 1
        stranger = server.chat("alice", "bob", "--app", "other")
        assert stranger.end() == 1
        assert stranger.err.said == [
            "the server refuses the login: IDENTIFIER_REJECTED (2): app key unknown"
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
