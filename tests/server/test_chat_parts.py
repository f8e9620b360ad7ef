"""The parts of `improto chat` that know neither terminal nor network."""

from __future__ import annotations

import errno
import json
import ssl
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from socket import gaierror
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improto import contents
from improto.codes import ConnAckStatus, ConversationType, DisconnectStatus
from improto.contents import Content, ReadReceipt, Text, Typing, Unknown
from improto.events import CloseReason
from improto.frames import MessageUid, TimeMs
from improto.messages import ChatMessage, Conversation, MessageDirection, compose
from improto.session import ClientSession
from improto_server.chat import memory
from improto_server.chat.inputs import (
    Mistake,
    Quit,
    Say,
    ShowHelp,
    ShowHistory,
    ShowWho,
    TalkTo,
    understand,
)
from improto_server.chat.memory import StateError, StateFile
from improto_server.chat.painting import Painter
from improto_server.chat.printable import is_name, one_line, printable
from improto_server.chat.settings import ChatSettings
from improto_server.chat.view import TYPING_SHOWN, Connection, Line, Mark, Tone, Unsent, View
from improto_server.chat.wording import content_text, counted, ending_text, failure_text

NOON = datetime(2024, 5, 17, 12, 0, tzinfo=UTC)


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


# -- printable ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hgone", "gone"),
        ("\x9b31mred", "red"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]52;c;Y2xpcA==\x1b\\text", "text"),
        ("\x9d8;;http://x\x9ctext", "text"),
        ("\x1bP1$r0m\x1b\\text", "text"),
        ("\x1b(0lines\x1bc", "lines"),
        ("never ended \x1b]0;title", "never ended 0;title"),
        ("alone \x1b", "alone "),
        ("a\x1b\x1b[31m[31mb", "a[31mb"),
        ("bell\x07 back\x08 null\x00 delete\x7f c1\x80", "bell back null delete c1"),
        ("a\r\nb\rc\x0bd\x0ce\x85f\u2028g\u2029h", "a\nb\nc\nd\ne\nf\ng\nh"),
        ("a\tb", "a    b"),
        ("user\u202etxt.exe\u2066", "usertxt.exe"),
        ("half \ud83d a face", "half \N{REPLACEMENT CHARACTER} a face"),
        ("👨‍👩‍👧 中文 مرحبا é", "👨‍👩‍👧 中文 مرحبا é"),
    ],
)
def test_what_a_terminal_would_obey_is_dropped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters(codec=None) | st.sampled_from("\x1b[]\x07\x9b\x9d\\;0m")))
def test_whatever_comes_is_harmless(text: str) -> None:
    shown = printable(text)
    kinds = {unicodedata.category(character) for character in shown.replace("\n", "")}
    assert not kinds & {"Cc", "Cs"}
    assert printable(shown) == shown
    assert "\n" not in one_line(text)


@pytest.mark.parametrize("name", ["bob", "b.o-b_@example.org", "鲍勃", "x" * 1024])
def test_a_name(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a\u00a0b", "a\x1b[0m", "a\u202eb", "\ud800", "x" * 1025, "鲍" * 342]
)
def test_no_name(name: str) -> None:
    assert not is_name(name)


# -- settings ----------------------------------------------------------------------------------


def parse(server: str = "http://h", **more: Any) -> ChatSettings:
    return ChatSettings.parse(**{"server": server, "app_key": "app", "token": "t"} | more)


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("http://127.0.0.1:8080", ("127.0.0.1", 8080, False, "127.0.0.1:8080")),
        ("http://im.example.com", ("im.example.com", 80, False, "im.example.com:80")),
        (" https://im.example.com/ ", ("im.example.com", 443, True, "im.example.com:443")),
        ("https://[::1]:8443", ("::1", 8443, True, "[::1]:8443")),
    ],
)
def test_where_the_server_is(server: str, expected: tuple[str, int, bool, str]) -> None:
    settings = parse(server)
    assert (settings.host, settings.port, settings.is_encrypted, settings.address) == expected


@pytest.mark.parametrize(
    "server",
    [
        *("", "localhost", "localhost:8080", "ftp://h", "http://", "http://:8080", "http://h:0"),
        *("http://h/path", "http://h?a=b", "http://h#f", "http://user@h"),
    ],
)
def test_no_server(server: str) -> None:
    with pytest.raises(ValueError, match=r"the server must be like http://127.0.0.1:8080, not"):
        parse(server)


@pytest.mark.parametrize("server", ["http://h:x", "http://h:70000", "http://[::1", "http://a..b"])
def test_no_url(server: str) -> None:
    with pytest.raises(ValueError, match=r"the server '.*' is no URL: "):
        parse(server)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"app_key": " "}, "the app key is empty"),
        ({"token": ""}, "the token is empty"),
        ({"peer": "a b"}, "the user to talk to: 'a b' cannot be a user id"),
        ({"user": ""}, "your user: '' cannot be a user id"),
    ],
)
def test_what_settings_cannot_be(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(**arguments)


def test_settings_keep_the_token_to_themselves() -> None:
    settings = parse(token=" secret\n", peer="bob", user="alice", state=Path("s"))
    assert settings.token == "secret"
    assert "secret" not in repr(settings)
    assert (settings.peer, settings.user, settings.state) == ("bob", "alice", Path("s"))


# -- inputs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("", None),
        (" \t", None),
        ("hello", Say(text="hello")),
        ("  with blanks ", Say(text="  with blanks ")),
        ("two\nlines", Say(text="two\nlines")),
        ("//not a command", Say(text="/not a command")),
        ("/to bob", TalkTo(peer="bob")),
        ("/to   bob ", TalkTo(peer="bob")),
        ("/history", ShowHistory(count=20)),
        ("/history 1", ShowHistory(count=1)),
        ("/history 100", ShowHistory(count=100)),
        ("/who", ShowWho()),
        ("/help ", ShowHelp()),
        ("/quit", Quit()),
        ("/to", Mistake(hint="whom to? /to USER")),
        ("/to a b", Mistake(hint="'a b' cannot be a user id")),
        ("/who me", Mistake(hint="'me' is too much")),
        ("/histroy", Mistake(hint="there is no command /histroy; did you mean /history?")),
        ("/", Mistake(hint="there is no command /; /help shows them all")),
        ("/dance x", Mistake(hint="there is no command /dance; /help shows them all")),
    ],
)
def test_what_a_line_means(line: str, action: object) -> None:
    assert understand(line) == action


@pytest.mark.parametrize("count", ["0", "101", "-1", "1.5", "many", "9" * 5000])
def test_how_much_history(count: str) -> None:
    hint = "how many? /history N, with N from 1 to 100"
    assert understand(f"/history {count}") == Mistake(hint=hint)


# -- wording -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (Text("hi"), "hi"),
        (Text(""), ""),
        (contents.Image(image_uri="http://i"), "[image] http://i"),
        (contents.Image(), "[image]"),
        (contents.Gif(remote_url="http://g"), "[gif] http://g"),
        (contents.Voice(duration=3), "[voice 3 s]"),
        (contents.Voice(), "[voice]"),
        (contents.Voice(duration=-1.0), "[voice]"),
        (contents.Voice(duration=float("inf")), "[voice]"),
        (contents.HighQualityVoice(duration=61.2, remote_url="u"), "[voice 1:01 min] u"),
        (
            contents.ShortVideo(duration=600, name="n.mp4", sight_url="u"),
            "[video 10:00 min] n.mp4 u",
        ),
        (contents.File(name="a", size=10, file_url="u"), "[file] a (10 bytes) u"),
        (contents.File(name="a", size=1536), "[file] a (1.5 KiB)"),
        (contents.File(size=5 * 1024**2), "[file] (5.0 MiB)"),
        (contents.File(size=3 * 1024**3), "[file] (3.0 GiB)"),
        (contents.File(size=10**18), "[file]"),
        (contents.RichContent(title="t", content="c", url="u"), "[link] t c u"),
        (contents.Location(52.5, 13.25, poi="here"), "[location] here (52.50000, 13.25000)"),
        (contents.Location(91.0, 13.25, poi="here"), "[location] here"),
        (contents.Location(1.0, 200.0), "[location]"),
        (contents.Location(), "[location]"),
        (contents.Combine(summary_list=("a: b", "c: d")), "[forwarded]\na: b\nc: d"),
        (contents.Combine(), "[forwarded]"),
        (contents.Reference(refer_msg_user_id="bob", content="yes"), "[answer to bob] yes"),
        (contents.Reference(content="yes"), "[answer to ?] yes"),
        (contents.RecallCommand(), "[message recalled]"),
        (contents.InformationNotification("news"), "[RC:InfoNtf] news"),
        (contents.GroupNotification(message="news"), "[RC:GrpNtf] news"),
        (contents.ContactNotification(), "[RC:ContactNtf]"),
        (contents.CallInvite(), "[RC:VCInvite]"),
        (contents.PublicRichContent(), "[RC:PSImgTxtMsg]"),
        (Unknown(object_name="my:Type", data=b""), "[my:Type]"),
        (Typing(), None),
        (ReadReceipt(), None),
        (contents.Command(), None),
    ],
)
def test_what_a_message_says(content: Content, text: str | None) -> None:
    assert content_text(content) == text


@pytest.mark.parametrize("content_type", list(contents.DEFAULT))
def test_every_content_can_be_shown(content_type: type[contents.BaseContent]) -> None:
    content_text(content_type())


@pytest.mark.parametrize(
    ("reason", "status", "sentence"),
    [
        (
            *(CloseReason.REFUSED, ConnAckStatus.TOKEN_INCORRECT),
            "the server refuses the login: TOKEN_INCORRECT (4): token unknown, malformed or"
            " of another app",
        ),
        (CloseReason.REFUSED, 99, "the server refuses the login: unknown status 99"),
        (
            *(CloseReason.KICKED, DisconnectStatus.OTHER_DEVICE_LOGIN),
            "you have signed in somewhere else, which ends this chat",
        ),
        (CloseReason.BLOCKED, 2, "the server has blocked you"),
        (
            *(CloseReason.ENDED, DisconnectStatus.LOGOUT),
            "the server has ended this chat for good: LOGOUT (4): logged out",
        ),
        (CloseReason.NO_CONNACK, None, "the server did not answer the login in time"),
    ],
)
def test_why_it_ended(reason: CloseReason, status: int | None, sentence: str) -> None:
    assert ending_text(reason, status) == sentence


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), "connection refused"),
        (TimeoutError(), "no answer"),
        (gaierror(-2, "Name or service not known"), "name or service not known"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]"), "[ssl: wrong_version_number]"),
        (OSError("Multiple exceptions"), "multiple exceptions"),
        (ConnectionAbortedError(), "connectionabortederror"),
    ],
)
def test_why_there_is_no_connection(error: OSError, text: str) -> None:
    assert failure_text(error) == text


def test_one_and_many() -> None:
    assert [counted(number, "message") for number in (0, 1, 2)] == [
        *("0 messages", "1 message", "2 messages")
    ]


# -- painting ----------------------------------------------------------------------------------

PAINTER = Painter(now=NOON.timestamp, zone=UTC)


def painted(line: Line) -> tuple[str, str]:
    return PAINTER.rich(line).plain, PAINTER.plain(line)


@pytest.mark.parametrize(
    ("line", "rich", "plain"),
    [
        (
            Line(tone=Tone.RECEIVED, text="hi", speaker="bob", time=milliseconds(NOON)),
            "12:00 bob: hi",
            "2024-05-17T12:00:00+00:00 bob: hi",
        ),
        (
            Line(tone=Tone.SENT, text="a\nb", speaker="al", target="bob", time=milliseconds(NOON)),
            "12:00 al → bob: a\n  │ b ✓",
            "2024-05-17T12:00:00+00:00 al -> bob: a\\nb",
        ),
        (
            Line(tone=Tone.PAST, text="a", speaker="al", target="bob", time=milliseconds(NOON)),
            "12:00 al → bob: a",
            "2024-05-17T12:00:00+00:00 al -> bob: a",
        ),
        (
            Line(tone=Tone.WAITING, text="a", speaker="al", target="bob"),
            "al → bob: a",
            "al -> bob: a",
        ),
        (Line(tone=Tone.NOTICE, text="news"), "* news", "news"),
        (Line(tone=Tone.ERROR, text="bad\nnews"), "! bad\n  │ news", "bad\\nnews"),
        (
            Line(tone=Tone.RECEIVED, text="\x1b[31mhi\x07", speaker="b\x1b[0mo\nb", target="\x1bc"),
            "bo b → : hi",
            "bo b -> : hi",
        ),
    ],
)
def test_a_line_as_text(line: Line, rich: str, plain: str) -> None:
    assert painted(line) == (rich, plain)


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        (NOON.replace(day=16), "05-16 12:00"),
        (NOON.replace(year=2023), "2023-05-17 12:00"),
        (NOON.replace(hour=0), "00:00"),
    ],
)
def test_a_date_where_it_is_needed(time: datetime, shown: str) -> None:
    line = Line(tone=Tone.RECEIVED, text="hi", speaker="bob", time=milliseconds(time))
    assert PAINTER.rich(line).plain == f"{shown} bob: hi"


@pytest.mark.parametrize("time", [2**63, -(2**63), 10**30])
def test_a_time_that_is_none(time: int) -> None:
    line = Line(tone=Tone.RECEIVED, text="hi", speaker="bob", time=time)
    assert painted(line) == ("--:-- bob: hi", "- bob: hi")


def test_local_time_without_a_zone() -> None:
    line = Line(tone=Tone.RECEIVED, text="hi", speaker="bob", time=milliseconds(NOON))
    shown = Painter(now=NOON.timestamp).plain(line).partition(" ")[0]
    assert datetime.fromisoformat(shown) == NOON


def test_everybody_has_a_colour() -> None:
    def colour(speaker: str) -> str:
        line = Line(tone=Tone.RECEIVED, text="", speaker=speaker)
        return str(PAINTER.rich(line).spans[0].style)

    assert colour("bob") == colour("bob")
    assert len({colour(f"user{number}") for number in range(50)}) > 3
    assert colour("\ud800") in {colour(f"user{number}") for number in range(50)}


# -- the view ----------------------------------------------------------------------------------


class Sight:
    """A view and all that it has shown."""

    def __init__(self, *, user: str | None = None, peer: str | None = "bob") -> None:
        self.lines: list[Line] = []
        self.changes = 0
        self.view = View(
            server="host:1", user=user, peer=peer, show=self.lines.append, changed=self._changed
        )

    def _changed(self) -> None:
        self.changes += 1

    def texts(self) -> list[str]:
        """What was shown since the last call."""
        texts = [PAINTER.plain(line) for line in self.lines]
        self.lines.clear()
        return texts

    def toolbar(self, now: float = 0.0) -> str:
        return " | ".join(text for _, text in self.view.toolbar(now=now))


def message(content: Content, **more: Any) -> ChatMessage:
    values: dict[str, Any] = {
        "conversation": Conversation.private("bob"),
        "sender_id": "bob",
        "direction": MessageDirection.RECEIVED,
        "object_name": content.object_name,
        "content": contents.encode(content),
        "uid": MessageUid("U"),
        "time": TimeMs(milliseconds(NOON)),
    }
    return ChatMessage(**values | more)


def test_a_connection_comes_and_goes() -> None:
    sight = Sight()
    view = sight.view
    assert sight.toolbar() == "? at host:1 | connecting"
    view.connecting()
    view.away("no answer", retry_at=12.4)
    assert sight.toolbar(now=10.0) == "? at host:1 | reconnecting in 2 s"
    assert sight.toolbar(now=20.0) == "? at host:1 | reconnecting in 0 s"
    view.connecting()
    view.away("no answer", retry_at=20.0)
    view.connecting()
    view.online("alice")
    assert view.toolbar(now=0.0) == [(Mark.PLAIN, "alice at host:1"), (Mark.GOOD, "online")]
    view.away("it broke off", retry_at=30.0)
    view.away("no answer", retry_at=40.0)
    view.over("the server has blocked you")
    assert sight.toolbar() == "alice at host:1 | the server has blocked you"
    assert view.connection is Connection.OVER
    assert sight.texts() == [
        "host:1 cannot be reached (no answer); trying again until it works",
        "you are alice, online at host:1",
        "the connection is lost (it broke off); trying again until it works",
    ]
    assert sight.changes == 9


def test_messages_are_shown() -> None:
    sight = Sight()
    assert sight.view.received(message(Text("hi")), now=0.0)
    own = {"direction": MessageDirection.SENT, "sender_id": "alice"}
    assert not sight.view.received(message(Text("from elsewhere"), **own), now=0.0)
    group = Conversation(type=ConversationType.GROUP, target_id="team")
    assert sight.view.received(message(Text("all"), conversation=group), now=0.0)
    assert not sight.view.received(message(contents.Command()), now=0.0)
    when = "2024-05-17T12:00:00+00:00"
    assert sight.texts() == [
        f"{when} bob: hi",
        f"{when} alice -> bob: from elsewhere",
        f"{when} bob -> team: all",
    ]


def test_who_writes_to_somebody_who_talks_to_nobody_gets_an_introduction() -> None:
    sight = Sight(peer=None)
    assert sight.view.prompt() == "/to USER> "
    for _ in range(2):
        sight.view.received(message(Text("hi")), now=0.0)
    texts = sight.texts()
    assert texts[0] == "answer with /to bob"
    assert len(texts) == 3
    sight.view.talk_to("bob")
    assert sight.texts() == ["you talk to bob"]
    assert sight.view.prompt() == "bob> "
    sight.view.received(message(Text("hi"), sender_id="carol"), now=0.0)
    assert len(sight.texts()) == 1


def test_typing_is_shown_for_a_while() -> None:
    sight = Sight(user="alice")
    view = sight.view
    assert not view.received(message(Typing("RC:TxtMsg"), is_offline=True), now=0.0)
    assert "typing" not in sight.toolbar()
    assert not view.received(message(Typing("RC:TxtMsg")), now=0.0)
    assert sight.toolbar(now=TYPING_SHOWN - 1).endswith(" | bob is typing...")
    view.received(message(Typing("RC:TxtMsg"), sender_id="carol"), now=1.0)
    assert sight.toolbar(now=2.0).endswith(" | bob, carol are typing...")
    assert sight.toolbar(now=TYPING_SHOWN).endswith(" | carol is typing...")
    view.received(message(Text("done")), now=2.0)
    assert sight.toolbar(now=3.0).endswith(" | carol is typing...")
    view.away("no answer", retry_at=5.0)
    assert "typing" not in sight.toolbar(now=3.0)
    own = {"direction": MessageDirection.SENT, "sender_id": "alice"}
    view.received(message(Typing("RC:TxtMsg"), **own), now=3.0)
    assert "typing" not in sight.toolbar(now=3.0)


def test_what_has_been_read() -> None:
    sight = Sight(user="alice")
    view = sight.view
    view.typed(1, Unsent(peer="bob", text="hi"))
    view.sent(1, time=1000)
    assert "read" not in sight.toolbar()
    assert not view.received(message(ReadReceipt(last_message_send_time=999)), now=0.0)
    assert "read" not in sight.toolbar()
    view.received(message(ReadReceipt(last_message_send_time=1000)), now=0.0)
    view.received(message(ReadReceipt()), now=0.0)
    assert sight.toolbar().endswith(" | bob has read it")
    view.typed(2, Unsent(peer="bob", text="and"))
    assert "read" not in sight.toolbar()
    view.refused(2, "no")
    assert sight.toolbar().endswith(" | bob has read it")
    view.talk_to("carol")
    assert "read" not in sight.toolbar()


def test_a_message_waits_and_is_sent() -> None:
    sight = Sight(user="alice")
    view = sight.view
    view.typed(1, Unsent(peer="bob", text="one"))
    assert sight.toolbar().endswith(" | 1 message not sent yet")
    view.typed(2, Unsent(peer="bob", text="two"))
    view.typed(3, Unsent(peer="bob", text="three"))
    assert sight.toolbar().endswith(" | 3 messages not sent yet")
    view.held(1)
    view.sent(1, time=milliseconds(NOON))
    view.refused(2, "RULES (1): no")
    assert list(view.waiting) == [3]
    assert [line.tone for line in sight.lines] == [Tone.WAITING, Tone.SENT, Tone.ERROR]
    assert sight.texts() == [
        "alice -> bob: one",
        "2024-05-17T12:00:00+00:00 alice -> bob: one",
        "not sent to bob: RULES (1): no",
    ]
    assert view.refusals == 1


def test_news_of_an_unknown_message_is_ignored() -> None:
    sight = Sight()
    sight.view.held(1)
    sight.view.sent(1, time=1)
    sight.view.refused(1, "why")
    assert (sight.lines, sight.view.refusals, sight.changes) == ([], 0, 0)


def test_who_is_not_known_yet_is_you() -> None:
    sight = Sight()
    sight.view.typed(1, Unsent(peer="bob", text="hi"))
    sight.view.held(1)
    assert sight.texts() == ["you -> bob: hi"]


def test_history() -> None:
    sight = Sight(user="alice")
    sight.view.history("bob", [], has_more=False)
    assert sight.texts() == ["nothing has been said with bob"]
    own = {"direction": MessageDirection.SENT, "sender_id": "alice"}
    page = [message(Text("hi")), message(contents.Command()), message(Text("hello"), **own)]
    sight.view.history("bob", page, has_more=True)
    assert {line.tone for line in sight.lines} == {Tone.NOTICE, Tone.PAST}
    assert sight.texts() == [
        "history with bob; earlier messages are left out",
        "2024-05-17T12:00:00+00:00 bob: hi",
        "2024-05-17T12:00:00+00:00 alice -> bob: hello",
        "end of the history",
    ]
    sight.view.history("bob", page, has_more=False)
    assert sight.texts()[0] == "history with bob; this is where it begins"


def test_who_and_help() -> None:
    sight = Sight(peer=None)
    sight.view.who()
    assert sight.texts() == [
        "you are not known yet at host:1, connecting; you talk to nobody (/to USER)"
    ]
    sight.view.online("alice")
    sight.view.talk_to("bob")
    for sender in ("carol", "dave"):
        sight.view.received(message(Text("hi"), sender_id=sender), now=0.0)
    sight.texts()
    sight.view.who()
    assert sight.texts() == [
        "you are alice at host:1, online; you talk to bob",
        "messages have come from carol, dave",
    ]
    sight.view.help()
    (line,) = sight.lines
    assert line.tone is Tone.NOTICE
    assert [row.split()[0] for row in line.text.splitlines()] == [
        *("/to", "/history", "/who", "/quit", "//TEXT")
    ]


def test_nothing_in_toolbar_or_prompt_is_obeyed() -> None:
    sight = Sight(peer="b\x1b[31mob\n")
    sight.view.online("al\x1bcice")
    assert sight.view.prompt() == "bob > "
    assert sight.toolbar() == "alice at host:1 | online"


# -- the state file ----------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def test_a_session_is_kept(path: Path) -> None:
    file = StateFile(path, app_key="app")
    session = file.load()
    assert session.to_state() == ClientSession().to_state()
    session.user_id = "alice"
    session.keep(compose(Conversation.private("bob"), Text("hi"), unique_id=7), 7)
    file.save(session)
    assert file.load().to_state() == session.to_state()
    assert path.stat().st_mode & 0o777 == 0o600
    file.save(session)
    assert list(path.parent.iterdir()) == [path]


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(path)
    StateFile(link, app_key="app").save(ClientSession())
    assert link.is_symlink()
    assert path.exists()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "7", '{"app": "app", "session": {}}', '{"app": "app", "session": 1}']
)
def test_a_file_of_something_else(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(StateError, match=r"state\.json is no state of a chat \("):
        StateFile(path, app_key="app").load()
    assert path.read_text() == text


def test_a_file_of_another_app(path: Path) -> None:
    path.write_text(json.dumps({"app": "other", "session": ClientSession().to_state()}))
    with pytest.raises(StateError, match="belongs to the app other, not to app"):
        StateFile(path, app_key="app").load()


def test_a_file_that_cannot_be_read(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StateError, match=r"state\.json cannot be read: "):
        StateFile(path, app_key="app").load()
    path.rmdir()
    path.write_bytes(b"\xff")
    with pytest.raises(StateError, match=r"state\.json cannot be read: "):
        StateFile(path, app_key="app").load()


def test_a_file_that_cannot_be_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = StateFile(path / "deeper", app_key="app")
    with pytest.raises(StateError, match="deeper cannot be written: No such file or directory"):
        file.save(ClientSession())

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path.write_text("as it was")
    monkeypatch.setattr(memory.os, "fsync", full)
    with pytest.raises(StateError, match="cannot be written: No space left on device"):
        StateFile(path, app_key="app").save(ClientSession())
    assert path.read_text() == "as it was"
    assert list(path.parent.iterdir()) == [path]
