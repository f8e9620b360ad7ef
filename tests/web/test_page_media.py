"""The web page's pictures, files, voice messages, places, emoji and answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

from improto_server import pictures
from improto_server.testing import ImServer
from tests.web.test_page_sealing import back, both_on
from tests.web.visitors import PHONE, visitors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anyio.from_thread import BlockingPortal

    from tests.web.tabs import Chromium
    from tests.web.visitors import Visitor

    Come = Callable[..., Visitor]

pytestmark = pytest.mark.interop

LIMIT = 64 * 1024
SETTINGS = {
    "accounts.enabled": True,
    "accounts.entries": 0,
    "messages.multi_device": True,
    "messages.rate": 0,
    "robot": True,
    "uploads.file_bytes": LIMIT,
    "web.enabled": True,
    "web.port": 0,
}

HEARD = {"permissions": ["microphone"]}
HERE = {
    "permissions": ["geolocation"],
    "geolocation": {"latitude": 31.2304, "longitude": 121.4737},
}

HOSTILE = (
    b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script></svg>'
)


@pytest.fixture(scope="module")
def media_server() -> Iterator[ImServer]:
    """The server of all tests; each has people of its own."""
    with ImServer(settings=SETTINGS) as server:
        yield server


@pytest.fixture
def come(chromium: Chromium, portal: BlockingPortal, media_server: ImServer) -> Iterator[Come]:
    """Let somebody come."""
    media_server.reset()
    with visitors(chromium, portal, media_server) as come:
        yield come


def pair(come: Come, mark: str, **options: Any) -> tuple[Visitor, Visitor]:
    """Two people; the first has the chat with the other open."""
    anna, bert = come(**options), come()
    anna.enter_as_guest(f"Anna {mark}")
    bert.enter_as_guest(f"Bert {mark}")
    anna.open_chat(f"Bert {mark}")
    return anna, bert


def choose(visitor: Visitor, what: str, *files: dict[str, Any]) -> None:
    """By the buttons."""
    visitor.press("button", name="Send something else")

    async def run() -> None:
        async with visitor.page.expect_file_chooser() as chooser:
            await visitor.page.get_by_role("button", name=what, exact=True).click()
        await (await chooser.value).set_files(list(files))  # type: ignore[arg-type]

    visitor.wait(run, f"choose {what}")


def a_file(name: str, kind: str, data: bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": kind, "buffer": data}


def a_picture(name: str = "holiday.png") -> dict[str, Any]:
    return a_file(name, "image/png", pictures.portrait(name))


def give(visitor: Visitor, event: str, name: str, kind: str, text: str) -> None:
    """Drop a file on the chat, or paste one."""
    visitor.run(
        """
        const given = new DataTransfer();
        given.items.add(new File([d], b, { type: c }));
        const [Kind, key] = a === "paste"
          ? [ClipboardEvent, "clipboardData"]
          : [DragEvent, "dataTransfer"];
        const options = { bubbles: true, cancelable: true, [key]: given };
        if (a === "drop") document.body.dispatchEvent(new Kind("dragover", options));
        window.wasMarked = document.documentElement.classList.contains("is-dropping");
        document.querySelector(".chat").dispatchEvent(new Kind(a, options));
        """,
        event,
        name,
        kind,
        text,
    )


def test_a_picture_is_shown_small_and_opened_large(come: Come) -> None:
    anna, bert = pair(come, "P")
    choose(anna, "Picture", a_picture())
    anna.sees(".message.mine .picture")
    anna.sees(".message.mine .tick[aria-label=Sent]")
    anna.misses(".upload")
    bert.sees(".item-text", "[Picture]")
    bert.press("a.item", "Anna P")
    bert.sees(".picture")
    bert.until("document.querySelector('.picture').src.startsWith('data:image/jpeg;base64,')")
    bert.press("button", name="Open the picture")
    bert.until("document.querySelector('.viewer img').naturalWidth === a", pictures.SIDE)
    bert.keys("Escape")
    bert.misses(".viewer")
    bert.press("button", name="Open the picture")
    bert.press(".viewer button")
    bert.misses(".viewer")
    # What is no picture for every browser becomes a file.
    choose(anna, "Picture", a_file("phone.heic", "image/heic", b"heic"), a_picture("two.png"))
    bert.sees(".card-title", "phone.heic")
    bert.sees(".picture", count=2)


def test_a_file_is_downloaded_and_runs_nowhere(come: Come) -> None:
    anna, bert = pair(come, "F")
    give(anna, "drop", "page.html", "text/html", "<script>alert(1)</script>")
    assert anna.run("return window.wasMarked") is True
    assert anna.run("return document.documentElement.className") == ""
    give(anna, "paste", "picture.svg", "image/svg+xml", HOSTILE.decode())
    anna.sees(".message.mine .card", count=2)
    bert.press("a.item", "Anna F")
    bert.sees(".card", count=2)
    assert bert.texts(".card-title") == ["page.html", "picture.svg"]
    assert bert.texts(".card-text") == ["25 byte", "89 byte"]
    for url in bert.run("return [...document.querySelectorAll('a.card')].map((each) => each.href)"):
        with urlopen(url) as answer:
            assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
            assert answer.headers["content-disposition"].startswith("attachment;")
            assert answer.headers["x-content-type-options"] == "nosniff"


def test_what_is_too_large_is_not_sent(come: Come) -> None:
    anna, _ = pair(come, "L")
    choose(anna, "File", a_file("film.bin", "", b"x" * (LIMIT + 1)))
    anna.sees(".toast.error", "film.bin is too large: at most 64 kB can be sent")
    choose(anna, "File", a_file("nothing.txt", "text/plain", b""))
    anna.sees(".toast.error", "nothing.txt is empty")
    choose(anna, "File", *(a_file(f"{n}.txt", "text/plain", b"x") for n in range(21)))
    anna.sees(".toast.error", "At most 20 files")
    anna.misses(".upload")
    anna.misses(".message")


def test_an_upload_that_fails_can_be_tried_again_or_given_up(come: Come) -> None:
    anna, bert = pair(come, "U")
    anna.wait(lambda: anna.page.route("**/files", lambda route: route.abort()))
    choose(anna, "File", a_file("one.txt", "text/plain", b"1"), a_file("two.txt", "", b"2"))
    anna.sees(".upload .problem", count=2)
    anna.wait(lambda: anna.page.unroute("**/files"))
    anna.wait(lambda: anna.find(".upload", has_text="two").get_by_label("Send again").click())
    anna.wait(lambda: anna.find(".upload", has_text="one").get_by_label("Do not send").click())
    anna.sees(".card-title", "two.txt")
    anna.misses(".upload")
    bert.sees(".item-text", "[File] two.txt")


def test_an_upload_is_given_up_while_it_goes_on(come: Come) -> None:
    anna, _ = pair(come, "G")
    # Nobody answers it.
    anna.wait(lambda: anna.page.route("**/files", lambda route: None))
    choose(anna, "File", a_file("slow.txt", "text/plain", b"x" * 1000))
    anna.sees(".upload progress")
    anna.press("button", name="Do not send")
    anna.misses(".upload")
    anna.wait(lambda: anna.page.unroute("**/files"))
    choose(anna, "File", a_file("next.txt", "text/plain", b"x"))
    anna.sees(".card-title", "next.txt")
    assert anna.texts(".card-title") == ["next.txt"]


def test_something_is_spoken_and_heard(come: Come) -> None:
    anna, bert = pair(come, "V", **HEARD)
    speak = "button.attach-choice"
    anna.press("button", name="Send something else")
    anna.press(speak, "Voice")
    anna.sees(".recorder-dot.is-on")
    anna.press(".recorder button", "Cancel")
    anna.misses(".recorder")
    anna.press("button", name="Send something else")
    anna.press(speak, "Voice")
    anna.sees(".recorder", "0:01 of 1:00")
    anna.press(".recorder button", "Send")
    anna.sees(".message.mine .voice")
    anna.misses(".recorder")
    bert.sees(".item-text", "[Voice message] 0:0")
    bert.press("a.item", "Anna V")
    bert.press("button", name="Play")
    bert.sees(".voice button[aria-label=Pause]")
    bert.until("Number(document.querySelector('.voice input').value) > 0.1")
    bert.sees(".voice button[aria-label=Play]")
    fields = bert.run(
        "const { state } = await import('/static/page/state.js');"
        "return [...state.chats.values()].flatMap((each) => each.messages)"
        ".map((each) => [each.name, each.fields.duration, each.fields.type])"
    )
    assert fields == [["RC:HQVCMsg", 1, "webm"]]


def test_without_a_microphone_it_says_so(come: Come) -> None:
    anna, _ = pair(come, "M")
    anna.press("button", name="Send something else")
    anna.press("button.attach-choice", "Voice")
    anna.sees(".toast.error", "The microphone may not be used")
    anna.misses(".recorder")
    anna.press("button", name="Send something else")
    anna.press("button.attach-choice", "Place")
    anna.press("button", name="Use my position")
    anna.sees(".toast.error", "may not tell where you are")


def test_a_place_is_a_card(come: Come) -> None:
    anna, bert = pair(come, "W", **HERE)
    anna.press("button", name="Send something else")
    anna.press("button.attach-choice", "Place")
    anna.fill("input[name=latitude]", "91")
    anna.press(".place-buttons button", "Send")
    anna.sees("input[name=latitude]:invalid")
    anna.press("button", name="Use my position")
    anna.until("document.querySelector('input[name=latitude]').value === '31.230400'")
    anna.fill("input[name=poi]", "The Bund")
    anna.press(".place-buttons button", "Send")
    anna.misses(".place-form")
    bert.sees(".item-text", "[Place] The Bund")
    bert.press("a.item", "Anna W")
    bert.sees(".card", "31.23040, 121.47370")
    link = bert.run("return document.querySelector('a.card').href")
    assert link.startswith("https://www.openstreetmap.org/?mlat=31.2304&mlon=121.4737")


def test_emoji_are_chosen_by_keys(come: Come) -> None:
    anna, bert = pair(come, "E")
    anna.press("button", name="Emoji")
    anna.wait(lambda: anna.find(".emoji button").first.focus())
    anna.keys("ArrowRight", "ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight", "Enter")
    anna.wait(lambda: anna.find(".emoji button", has_text="👍").click())
    box = anna.find(".composer textarea")
    assert anna.wait(box.input_value) == "😃👍"
    anna.wait(lambda: anna.find(".emoji button").first.focus())
    assert anna.texts(".emoji-group >> nth=0 >> button") == ["👍", "😃"]
    anna.keys("Escape")
    anna.misses(".emoji")
    anna.keys("Enter")
    bert.sees(".item-text", "😃👍")


def test_messages_are_answered_changed_and_passed_on(come: Come) -> None:
    anna, bert = pair(come, "Q")
    anna.say("Shall we go?")
    bert.press("a.item", "Anna Q")
    bert.sees(".content", "Shall we go?")
    act(bert, "Shall we go?", "Answer")
    bert.sees(".about", "Answer to Anna Q")
    bert.say("Yes")
    bert.misses(".about")
    anna.sees(".quote-text", "Shall we go?")
    anna.sees(".quote-name", "Anna Q")
    anna.fill(".composer textarea", "a draft")
    act(anna, "Shall we go?", "Say it differently", first=True)
    box = anna.find(".composer textarea")
    assert anna.wait(box.input_value) == "Shall we go?"
    anna.press("button", name="Cancel")
    assert anna.wait(box.input_value) == "a draft"
    act(anna, "Shall we go?", "Say it differently", first=True)
    anna.say("Shall we stay?")
    anna.sees(".message", "edited")
    bert.sees(".message .content", "Shall we stay?")
    assert anna.wait(box.input_value) == "a draft"
    act(anna, "Shall we stay?", "Pass on", first=True)
    anna.press(".chooser .item", "Bert Q")
    anna.misses(".chooser")
    bert.sees(".content", "Shall we stay?", count=2)


def act(visitor: Visitor, text: str, action: str, *, first: bool = False) -> None:
    """Use a button beside a message."""
    found = visitor.find(".message", has_text=text)
    message = found.first if first else found
    visitor.wait(message.hover)
    visitor.wait(lambda: message.get_by_label(action, exact=True).click(), action)


def test_nothing_leaves_a_sealed_conversation_unsealed(come: Come) -> None:
    anna, bert = pair(come, "X")
    anna.say("in the open")
    bert.press("a.item", "Anna X")
    both_on(anna, bert)
    back(anna)
    choose(anna, "File", a_file("secret.txt", "text/plain", b"x"))
    anna.sees(".toast.error", "Files cannot be encrypted")
    anna.misses(".upload")
    anna.say("in private")
    anna.sees(".message .seal")
    actions = "[...document.querySelectorAll('.message')].map((each) => " + (
        "[...each.querySelectorAll('.actions button')].map((one) => one.ariaLabel))"
    )
    assert anna.run(f"return {actions}") == [
        ["Copy", "Take back", "Answer", "Pass on"],
        ["Take back"],
    ]


def test_strange_contents_do_no_harm(come: Come, media_server: ImServer) -> None:
    anna, bert = pair(come, "S")
    names = ("ImgMsg", "FileMsg", "HQVCMsg", "LBSMsg", "SightMsg", "ReferenceMsg", "VcMsg")
    strange: list[dict[str, Any]] = [
        {},
        {
            "content": '"><img src=x onerror=alert(1)>',
            **dict.fromkeys(
                ("imageUri", "fileUrl", "remoteUrl", "sightUrl"), "javascript:alert(1)"
            ),
            **dict.fromkeys(("name", "size", "duration", "poi", "objName"), "x<b>"),
            **dict.fromkeys(("latitude", "longitude"), "north"),
            "referMsg": "text",
            "referMsgUserId": 7,
        },
        {
            "content": [],
            "name": {},
            "duration": -1,
            "latitude": 99,
            "longitude": 0,
            "referMsg": None,
        },
    ]
    anna.run(
        """
        const { send, openConversation } = await import("/static/page/im.js");
        for (const name of a) {
          for (const fields of b) await send(openConversation(), { name: `RC:${name}`, fields });
        }
        """,
        names,
        strange,
    )
    bert.press("a.item", "Anna S")
    bert.sees(".message", count=len(names) * len(strange))
    assert bert.run("return document.querySelectorAll('.content a, .content img, b').length") == 0
    bert.sees(".unknown", "RC:VcMsg")


def test_the_robot_answers(come: Come) -> None:
    anna = come()
    anna.enter_as_guest("Anna B")
    anna.press(".empty a", "robot")
    anna.say("dice 2d6")
    anna.sees(".message:not(.mine) .content")
    assert re.fullmatch(r"\d \+ \d = \d+", anna.texts(".message:not(.mine) .content")[0])
    anna.press("button", name="What the robot can do")
    anna.press(".robot-command", "help")
    anna.sees(".content", "I answer to")
    anna.press(".robot-command", "echo")
    anna.misses(".robot-command")
    box = anna.find(".composer textarea")
    assert anna.wait(box.input_value) == "echo "


def test_all_of_it_on_a_phone(come: Come) -> None:
    options = {**PHONE, "permissions": ["microphone", "geolocation"], "color_scheme": "dark"}
    anna, _ = pair(come, "H", **options)
    choose(anna, "Picture", a_picture())
    choose(anna, "File", a_file(f"{'a long name ' * 9}.pdf", "application/pdf", b"%PDF"))
    anna.sees(".card")
    anna.press("button", name="Send something else")
    anna.press("button.attach-choice", "Voice")
    anna.sees(".recorder", "0:01 of")
    anna.press(".recorder button", "Send")
    anna.sees(".voice")
    for panel in ("Emoji", "Send something else"):
        anna.press("button", name=panel)
        small = anna.run(
            """
            return [...document.querySelectorAll("button, a, select, textarea")]
              .filter((each) => each.checkVisibility() && !each.closest(".log"))
              .map((each) => [each.outerHTML, each.getBoundingClientRect()])
              .filter(([, { width, height }]) => width < 44 || height < 44)
              .map(([html]) => html);
            """
        )
        assert small == []
        assert anna.run("return document.documentElement.scrollWidth") == 375
    assert anna.run("return document.querySelector('textarea').clientWidth") > 160
