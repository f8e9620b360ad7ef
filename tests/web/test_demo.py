"""`improto demo`, as somebody has it who has typed `make demo`: a process, and browsers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from improto_server import pictures
from tests.web.visitors import Visitor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anyio.from_thread import BlockingPortal
    from playwright.async_api import FilePayload

    from tests.web.tabs import Chromium

pytestmark = pytest.mark.interop

LAST_LINE = "Everything is kept for the next time"


class Demo(NamedTuple):
    """What it has printed."""

    web_url: str
    password: str
    text: str


@contextmanager
def demo(directory: Path) -> Iterator[Demo]:
    """Run it until the block ends; it has to stop by itself then."""
    command = [sys.executable, "-m", "improto_server", "demo", "--port", "0"]
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith("IMPROTO_")
    }
    with subprocess.Popen(
        command, cwd=directory, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line.startswith(LAST_LINE):
                    break
            text = "".join(lines)
            page = re.search(r"Open +(http://\S+)/", text)
            password = re.search(r"Password: (\S+),", text)
            assert page is not None, text
            assert password is not None, text
            yield Demo(page[1], password[1], text)
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0


@contextmanager
def people(chromium: Chromium, portal: BlockingPortal, shown: Any) -> Iterator[Any]:
    """Let people come, each with a browser of his own."""
    there: list[Visitor] = []

    def come(path: str) -> Visitor:
        options = {"viewport": {"width": 1280, "height": 800}, "permissions": ["microphone"]}
        context = portal.call(lambda: chromium.context(**options))
        there.append(Visitor(portal, context, shown, path))
        return there[-1]

    try:
        yield come
        assert [mistake for each in there for mistake in each.mistakes] == []
    finally:
        for each in there:
            portal.call(each.context.close)


def log_in(visitor: Visitor, name: str, password: str) -> None:
    visitor.fill("input[name=account]", f"{name}@example.org")
    visitor.fill("input[name=password]", password)
    visitor.press(".fields button")
    visitor.sees(".side")


def test_the_demo(chromium: Chromium, portal: BlockingPortal, tmp_path: Path) -> None:
    with demo(tmp_path) as shown, people(chromium, portal, shown) as come:
        root, test = come("/"), come("/test.html")
        # There is something to see at once.
        root.press("a.item", "Test")
        root.sees(".content", "in another tab")
        root.until("document.querySelector('.pane-head .avatar img').naturalWidth === a", 128)
        test.press("a.item", "Root")
        root.say("Hello again")
        test.sees(".content", "Hello again")
        send_picture(test)
        root.sees(".picture")
        speak(root)
        test.sees(".voice")
        alice = come("/chat")
        log_in(alice, "alice", shown.password)
        alice.sees(".item", "Sunday hike")
        join(alice)
        join(test)
        alice.say("Hello, room")
        test.sees(".content", "Hello, room")
        root.reload()
        root.sees(".content", "Hello again")
        root.sees(".picture")
        root.sees(".voice")
    with demo(tmp_path) as again, people(chromium, portal, again) as come:
        assert again.password == shown.password
        root = come("/")
        root.press("a.item", "Test")
        root.sees(".content", "Hello again")
        assert root.texts(".content").count("Hello again") == 1


def join(visitor: Visitor) -> None:
    visitor.press("nav a", "Rooms")
    visitor.press(".side .item", "Lobby")
    visitor.sees(".pane-head h2", "Lobby")


def send_picture(visitor: Visitor) -> None:
    visitor.press("button", name="Send something else")

    async def choose() -> None:
        async with visitor.page.expect_file_chooser() as chooser:
            await visitor.page.get_by_role("button", name="Picture", exact=True).click()
        data = pictures.portrait("a picture")
        file: FilePayload = {"name": "picture.png", "mimeType": "image/png", "buffer": data}
        await (await chooser.value).set_files(file)

    visitor.wait(choose)


def speak(visitor: Visitor) -> None:
    visitor.press("button", name="Send something else")
    visitor.press("button.attach-choice", "Voice")
    visitor.sees(".recorder", "0:01 of")
    visitor.press(".recorder button", "Send")
