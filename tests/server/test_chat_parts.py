"""The parts of `improto chat` that know neither terminal nor network."""

from __future__ import annotations

import errno
import json
import ssl
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from socket import gaierror
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from improto import contents
from improto.codes import ConversationType
from improto.contents import Content, ReadReceipt, Text, Typing, Unknown
from improto.messages import Conversation
from improto_client import (
    Banned,
    ConversationInfo,
    Kicked,
    NoServer,
    NoWebSocket,
    Refused,
    Sent,
    TokenRefused,
)
from improto_server.chat import view as views
from improto_server.chat.access import MOST_NAVIGATORS, Access
from improto_server.chat.completion import ChatCompleter
from improto_server.chat.inputs import (
    HELP,
    Join,
    Leave,
    Mistake,
    Pick,
    Quit,
    Recall,
    SaveFile,
    Say,
    Search,
    SendFile,
    ShowConversations,
    ShowHelp,
    ShowHistory,
    ShowMore,
    ShowWho,
    TalkTo,
    understand,
)
from improto_server.chat.lines import Fate, Line, Tone
from improto_server.chat.painting import Painter
from improto_server.chat.printable import escaped, is_name, one_line, printable
from improto_server.chat.records import json_line, message_record, sent_record
from improto_server.chat.requests import LONGEST_NAME, file_name
from improto_server.chat.targets import read_target, target_text
from improto_server.chat.terminal import bar
from improto_server.chat.view import (
    TYPING_SHOWN,
    Connection,
    Download,
    Mark,
    Transfer,
    Unsent,
    View,
)
from improto_server.chat.wording import content_text, counted, error_text, system_text
from tests.server.chat_tools import ALICE, BOB, message

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


@pytest.mark.parametrize(
    "begin", ["\x9d", "\x1b]", "\x1bP", "\x9b1", "\x1b ", "\x90\x9d", "\x1b[ "]
)
def test_beginnings_without_an_end_cost_no_more_than_other_text(begin: str) -> None:
    # As many as fit into a message; the square of that would be minutes.
    assert "\x9d" not in printable(begin * 60_000)


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


@given(st.text(st.characters(codec=None) | st.sampled_from("\x7f\x9b\u202e\u2028\u2066")))
def test_json_is_harmless_and_means_the_same(text: str) -> None:
    line = escaped(json.dumps([text], ensure_ascii=False))
    assert json.loads(line) == [text]
    assert printable(line) == line
    line.encode()


# -- targets -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "target_id"),
    [
        ("bob", ConversationType.PRIVATE, "bob"),
        ("a:b", ConversationType.PRIVATE, "a:b"),
        ("user:group:x", ConversationType.PRIVATE, "group:x"),
        ("group:team", ConversationType.GROUP, "team"),
        ("room:lobby", ConversationType.CHATROOM, "lobby"),
        ("discussion:d", ConversationType.DISCUSSION, "d"),
        ("system:s", ConversationType.SYSTEM, "s"),
        ("default-public:p", ConversationType.APP_PUBLIC_SERVICE, "p"),
    ],
)
def test_a_target(text: str, kind: ConversationType, target_id: str) -> None:
    conversation = Conversation(type=kind, target_id=target_id)
    assert read_target(text) == conversation
    assert target_text(conversation) == text


@given(
    st.sampled_from([kind for kind in ConversationType if kind < ConversationType.ULTRA_GROUP]),
    st.text(min_size=1).filter(is_name) | st.sampled_from(["user:x", "room:", "user:user:x", ":"]),
)
def test_every_target_comes_back(kind: ConversationType, target_id: str) -> None:
    conversation = Conversation(type=kind, target_id=target_id)
    assert read_target(target_text(conversation)) == conversation


@pytest.mark.parametrize("text", ["", "a b", "group:", "room:a b", "\x1b[0m", "user:"])
def test_no_target(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be a user id; others are group:ID and room:ID"):
        read_target(text)


@pytest.mark.parametrize("kind", [10, 12, 77])
def test_a_kind_that_nobody_can_write_has_a_number(kind: int) -> None:
    assert target_text(Conversation(type=kind, target_id="x")) == f"{kind}:x"


# -- where and who -----------------------------------------------------------------------------


def parse(server: str | None = "http://h", **more: Any) -> Access:
    return Access.parse(**{"server": server, "app_key": "app", "token": "t"} | more)


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (None, ("127.0.0.1", 8080, False, "127.0.0.1:8080")),
        ("http://127.0.0.1:8080", ("127.0.0.1", 8080, False, "127.0.0.1:8080")),
        ("http://im.example.com", ("im.example.com", 80, False, "im.example.com:80")),
        (" https://im.example.com/ ", ("im.example.com", 443, True, "im.example.com:443")),
        ("https://[::1]:8443", ("::1", 8443, True, "[::1]:8443")),
    ],
)
def test_where_the_server_is(server: str, expected: tuple[str, int, bool, str]) -> None:
    access = parse(server)
    assert (access.host, access.port, access.is_encrypted, access.address) == expected
    assert access.navigators == ()


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


def test_who_knows_where_the_server_is() -> None:
    access = parse(None, navigators=["nav.example.com", "http://10.0.0.1:8080/"])
    assert access.navigators == ("https://nav.example.com", "http://10.0.0.1:8080")
    assert (access.host, access.address) == ("", "nav.example.com")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"app_key": " "}, "the app key is empty"),
        ({"token": ""}, "the token is empty"),
        ({"user": ""}, "your user: '' cannot be a user id"),
        ({"navigators": ["n"]}, "either --server or --navi"),
        ({"server": None, "navigators": ["ftp://n"]}, "'ftp://n' is no navigator"),
        (
            {"server": None, "navigators": ["n"] * (MOST_NAVIGATORS + 1)},
            "there are more than 10 navigators",
        ),
    ],
)
def test_what_an_access_cannot_be(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(**arguments)


def test_an_access_keeps_the_token_to_itself() -> None:
    access = parse(token=" secret\n", user="alice")
    assert (access.token, access.user) == ("secret", "alice")
    assert "secret" not in repr(access)


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
        ("/to bob", TalkTo(target=BOB)),
        ("/to   bob ", TalkTo(target=BOB)),
        ("/to group:team", TalkTo(target=Conversation.group("team"))),
        ("/to #12", Pick(number=12)),
        ("/conversations", ShowConversations()),
        ("/join lobby", Join(room=Conversation.chatroom("lobby"))),
        ("/join room:lobby", Join(room=Conversation.chatroom("lobby"))),
        ("/leave", Leave()),
        ("/more", ShowMore()),
        ("/send a b.png", SendFile(path=Path("a b.png"))),
        ("/send ~/x", SendFile(path=Path.home() / "x")),
        ("/send ~nobody-at-all/x", SendFile(path=Path("~nobody-at-all/x"))),
        ("/save 3", SaveFile(number=3)),
        ("/save #3  a b.png", SaveFile(number=3, path=Path("a b.png"))),
        ("/recall", Recall()),
        ("/search a b", Search(text="a b")),
        ("/search", Mistake(hint="for what? /search TEXT")),
        ("/history", ShowHistory(count=20)),
        ("/history 1", ShowHistory(count=1)),
        ("/history 100", ShowHistory(count=100)),
        ("/who", ShowWho()),
        ("/help ", ShowHelp()),
        ("/quit", Quit()),
        ("/to", Mistake(hint="whom to? /to TARGET")),
        (
            "/to a b",
            Mistake(hint="'a b' cannot be a user id; others are group:ID and room:ID"),
        ),
        ("/to #0", Mistake(hint="which one? /to #N, with a number that /conversations shows")),
        ("/join", Mistake(hint="which chatroom? /join ROOM")),
        ("/join a b", Mistake(hint="which chatroom? /join ROOM")),
        ("/send", Mistake(hint="which file? /send FILE")),
        ("/save", Mistake(hint="which file? /save N, with the number of its message")),
        ("/save x", Mistake(hint="which file? /save N, with the number of its message")),
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


def test_help_fits_into_40_columns() -> None:
    shown = PAINTER.rich(Line(tone=Tone.NOTICE, text=HELP)).plain
    assert max(map(len, shown.splitlines())) <= 40


def completions(text: str, *known: str) -> list[str]:
    completer = ChatCompleter(lambda: [*known])
    found = completer.get_completions(Document(text), CompleteEvent())
    return [text[: len(text) + each.start_position] + each.text for each in found]


def test_what_can_be_completed(tmp_path: Path) -> None:
    assert completions("/h") == ["/help", "/history"]
    assert completions("hello /h") == completions("") == completions("hello") == []
    known = ("bob", "room:lobby", "b\x1b[0m", "group:team")
    assert completions("/to ", *known) == ["/to bob", "/to room:lobby", "/to group:team"]
    assert completions("/to b", *known) == ["/to bob"]
    assert completions("/join ", *known) == ["/join lobby"]
    assert completions("/who ", *known) == []
    (tmp_path / "cat.png").touch()
    assert completions(f"/send {tmp_path}/ca") == [f"/send {tmp_path}/cat.png"]


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
        (contents.RecallNotification(), "[message recalled]"),
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
    ("content", "found"),
    [
        (contents.File(name="a", file_url="u"), ("u", "a")),
        (contents.File(file_url="u"), ("u", "")),
        (contents.File(name="a"), None),
        (contents.Image(image_uri="u"), ("u", "")),
        (contents.Gif(remote_url="u"), ("u", "")),
        (contents.HighQualityVoice(remote_url="u"), ("u", "")),
        (contents.ShortVideo(name="n", sight_url="u"), ("u", "n")),
        (Text("u"), None),
    ],
)
def test_what_can_be_downloaded(content: Content, found: tuple[str, str] | None) -> None:
    assert views.download_of(content) == found


def unreachable() -> NoServer:
    error = NoServer("h:1: [Errno 111] Connect call failed")
    error.__cause__ = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")
    return error


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (Kicked(), "you have signed in somewhere else, which ends this"),
        (Banned(), "the server has blocked you"),
        (unreachable(), "the server cannot be reached: connection refused"),
        (
            NoServer("no host answers"),
            "no host answers. Check network, address and port; then try again",
        ),
        (NoWebSocket("x"), "x. Check that host and port are those of an IM server"),
        (
            TokenRefused(31004, "the token is old"),
            "the token is old. Get a new token from the application's server",
        ),
        (
            Refused(20604),
            "SEND_FREQUENCY_TOO_FAST (20604): too many messages or requests per second",
        ),
        (FileNotFoundError(errno.ENOENT, "x", "a.png"), "a.png: no such file or directory"),
        (OSError(errno.EIO, "x"), "input/output error"),
        (ValueError(), "ValueError"),
    ],
)
def test_what_went_wrong(error: Exception, sentence: str) -> None:
    assert error_text(error) == sentence


def bad_certificate() -> ssl.SSLError:
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), "connection refused"),
        (TimeoutError(), "no answer"),
        (gaierror(-2, "Name or service not known"), "name or service not known"),
        (bad_certificate(), "its certificate is not good: self-signed certificate"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]"), "[ssl: wrong_version_number]"),
        (OSError("Multiple exceptions"), "multiple exceptions"),
        (ConnectionAbortedError(), "connectionabortederror"),
    ],
)
def test_what_the_system_says(error: OSError, text: str) -> None:
    assert system_text(error) == text


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
            Line(
                tone=Tone.SENT,
                text="a\nb",
                speaker="al",
                target="bob",
                time=milliseconds(NOON),
                fate=Fate.SENT,
            ),
            "12:00 al → bob: a\n  │ b ✓",
            "2024-05-17T12:00:00+00:00 al -> bob: a\\nb",
        ),
        (
            Line(
                tone=Tone.PAST,
                text="a",
                speaker="al",
                target="bob",
                time=milliseconds(NOON),
                fate=Fate.READ,
                number=3,
            ),
            "12:00 al → bob: #3 a ✓✓",
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

TEAM = Conversation.group("team")
WHEN = "2024-05-17T12:00:00+00:00"
STAMP = milliseconds(NOON)


class Sight:
    """A view and all that it has shown."""

    def __init__(self, *, peer: Conversation | None = BOB) -> None:
        self.lines: list[Line] = []
        self.changes = 0
        self.view = View(
            server="host:1", user="alice", peer=peer, show=self.lines.append, changed=self._changed
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

    def hears(self, content: Content, *, now: float = 0.0, **more: Any) -> bool:
        return self.view.received(message(content, **{"time": STAMP} | more), now=now)

    def says(self, text: str, *, to: Conversation = BOB, time: int = STAMP) -> Sent:
        sent = Sent(conversation=to, uid=text, time=time)
        self.view.typed(7, Unsent(target=to, text=text))
        self.view.sent(7, sent)
        return sent


def test_a_connection_comes_and_goes() -> None:
    sight = Sight()
    view = sight.view
    view.online()
    assert view.toolbar(now=0.0) == [(Mark.GOOD, "online"), (Mark.PLAIN, "alice at host:1")]
    view.typed(1, Unsent(target=BOB, text="under way"))
    view.away()
    view.away()
    view.typed(2, Unsent(target=TEAM, text="in the queue"))
    assert sight.toolbar() == "reconnecting | 2 messages not sent yet | alice at host:1"
    view.online()
    view.over("the server has blocked you")
    assert sight.toolbar().startswith("the server has blocked you | ")
    assert view.connection is Connection.OVER
    assert [line.tone for line in sight.lines if line.speaker] == [Tone.WAITING] * 2
    assert sight.texts() == [
        "you are alice, online at host:1",
        "the connection is lost; trying again until it works",
        "alice -> bob: under way",
        "alice -> group:team: in the queue",
        "you are alice, online at host:1",
    ]
    assert sight.changes == 7


def test_messages_are_shown() -> None:
    sight = Sight()
    assert sight.hears(Text("hi"))
    assert not sight.hears(Text("from elsewhere"), is_mine=True)
    assert sight.hears(Text("all"), conversation=TEAM)
    assert not sight.hears(contents.Command())
    assert sight.texts() == [
        f"{WHEN} bob: hi",
        f"{WHEN} alice -> bob: from elsewhere",
        f"{WHEN} bob -> group:team: all",
    ]


def test_who_writes_to_somebody_who_talks_to_nobody_gets_an_introduction() -> None:
    sight = Sight(peer=None)
    assert sight.view.prompt() == "/to TARGET> "
    for _ in range(2):
        sight.hears(Text("hi"), conversation=TEAM)
    texts = sight.texts()
    assert texts[0] == "answer with /to group:team"
    assert len(texts) == 3
    sight.view.talk_to(TEAM)
    assert sight.texts() == ["you talk to group:team"]
    assert sight.view.prompt() == "group:team> "
    sight.hears(Text("hi"), sender_id="carol")
    assert len(sight.texts()) == 1


def test_files_have_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MOST_FILES", 2)
    sight = Sight()
    for name in ("a", "b", "c"):
        sight.hears(contents.File(name=name, file_url=f"http://{name}"))
        sight.hears(Text(name))
    assert [line.number for line in sight.lines] == [1, None, 2, None, 3, None]
    assert PAINTER.rich(sight.lines[0]).plain.endswith(" bob: #1 [file] a")
    assert PAINTER.plain(sight.lines[0]).endswith(" bob: [file] a http://a")
    assert sight.view.file(3) == Download(url="http://c", name="c")
    assert sight.view.file(1) is None
    assert sight.view.file(4) is None


def test_typing_is_shown_for_a_while() -> None:
    sight = Sight()
    assert not sight.hears(Typing("RC:TxtMsg"), is_offline=True)
    assert "typing" not in sight.toolbar()
    assert not sight.hears(Typing("RC:TxtMsg"))
    assert sight.toolbar(now=TYPING_SHOWN - 1).startswith("online | bob is typing... | ")
    sight.hears(Typing("RC:TxtMsg"), sender_id="carol", now=1.0)
    assert "bob, carol are typing..." in sight.toolbar(now=2.0)
    assert "| carol is typing..." in sight.toolbar(now=TYPING_SHOWN)
    sight.hears(Text("done"), now=2.0)
    assert "| carol is typing..." in sight.toolbar(now=3.0)
    sight.view.away()
    assert "typing" not in sight.toolbar(now=3.0)
    sight.hears(Typing("RC:TxtMsg"), is_mine=True, now=3.0)
    assert "typing" not in sight.toolbar(now=3.0)


def test_what_has_been_read() -> None:
    sight = Sight()
    view = sight.view
    sent = sight.says("hi", time=1000)
    assert "read" not in sight.toolbar()
    sight.hears(ReadReceipt(last_message_send_time=999))
    assert "read" not in sight.toolbar()
    sight.hears(ReadReceipt(last_message_send_time=1000))
    sight.hears(ReadReceipt())
    assert "| ✓✓ bob has read it |" in sight.toolbar()
    view.typed(2, Unsent(target=BOB, text="and"))
    assert "read" not in sight.toolbar()
    view.refused(2, "no")
    assert "bob has read it" in sight.toolbar()
    assert view.last_sent(BOB) == sent
    view.recalled(sent)
    view.recalled(sent)
    assert view.last_sent(BOB) is None
    assert "read" not in sight.toolbar()
    sight.says("hi", to=TEAM, time=1)
    view.talk_to(TEAM)
    assert "read" not in sight.toolbar()


def test_a_message_is_sent_or_not() -> None:
    sight = Sight()
    view = sight.view
    view.typed(1, Unsent(target=BOB, text="one"))
    assert "| 1 message not sent yet |" in sight.toolbar()
    view.typed(2, Unsent(target=BOB, text="two"))
    assert "| 2 messages not sent yet |" in sight.toolbar()
    view.sent(1, Sent(conversation=BOB, uid="U", time=STAMP))
    view.refused(2, "RULES (1): no")
    assert view.waiting == {}
    assert [(line.tone, line.fate) for line in sight.lines] == [
        (Tone.SENT, Fate.SENT),
        (Tone.ERROR, Fate.UNKNOWN),
    ]
    assert sight.texts() == [f"{WHEN} alice -> bob: one", "not sent to bob: RULES (1): no"]
    assert view.refusals == 1


def test_history() -> None:
    sight = Sight()
    sight.view.history(BOB, [], has_more=False)
    assert sight.texts() == ["nothing has been said with bob"]
    sight.hears(ReadReceipt(last_message_send_time=STAMP))
    page = [
        message(Text("hi"), time=STAMP),
        message(contents.Command(), time=STAMP),
        message(Text("hello"), time=STAMP, is_mine=True),
        message(contents.File(name="f", file_url="u"), time=STAMP + 1, is_mine=True),
    ]
    sight.view.history(BOB, page, has_more=True)
    assert [(line.tone, line.fate, line.number) for line in sight.lines] == [
        (Tone.NOTICE, Fate.UNKNOWN, None),
        (Tone.PAST, Fate.UNKNOWN, None),
        (Tone.PAST, Fate.READ, None),
        (Tone.PAST, Fate.SENT, 1),
        (Tone.NOTICE, Fate.UNKNOWN, None),
    ]
    texts = sight.texts()
    assert texts[0] == "history with bob; /more shows earlier messages"
    assert texts[1] == f"{WHEN} bob: hi"
    sight.view.history(BOB, page, has_more=False)
    assert sight.texts()[0] == "history with bob; this is where it begins"


def test_what_was_found() -> None:
    sight = Sight()
    sight.view.found("x", [])
    sight.view.found("h", [message(Text("hi"), time=STAMP), message(contents.Command())])
    assert sight.texts() == ["0 messages with 'x'", "1 message with 'h'", f"{WHEN} bob: hi"]


def test_conversations() -> None:
    sight = Sight(peer=None)
    sight.view.conversations([])
    assert sight.texts() == ["there are no conversations yet"]
    listed = [
        ConversationInfo(conversation=TEAM, last=message(Text("x" * 70)), unread=2),
        ConversationInfo(conversation=BOB, last=message(Text("a\nb")), unread=0),
        ConversationInfo(conversation=ALICE, last=message(contents.Command()), unread=0),
        ConversationInfo(conversation=Conversation.chatroom("r"), last=None, unread=0),
    ]
    sight.view.conversations(listed)
    (line,) = sight.lines
    assert line.text.splitlines() == [
        "pick one with /to #N:",
        f"#1 group:team (2 new): {'x' * 58}…",
        "#2 bob: a b",
        "#3 alice",
        "#4 room:r",
    ]
    assert sight.view.listed == [each.conversation for each in listed]
    assert sight.view.known == ["room:r", "alice", "bob", "group:team"]


def test_what_can_be_typed_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MOST_KNOWN", 2)
    sight = Sight()
    for sender in ("carol", "dave", "bob"):
        sight.hears(Text("hi"), conversation=Conversation.private(sender), sender_id=sender)
    assert sight.view.known == ["bob", "dave"]
    sight.texts()
    sight.view.who()
    assert sight.texts()[1] == "messages have come from carol, dave"


def test_who_and_help() -> None:
    sight = Sight(peer=None)
    sight.view.who()
    assert sight.texts() == ["you are alice at host:1, online; you talk to nobody (/to TARGET)"]
    sight.view.talk_to(BOB)
    for sender in ("carol", "dave"):
        sight.hears(Text("hi"), sender_id=sender)
    sight.texts()
    sight.view.who()
    assert sight.texts() == [
        "you are alice at host:1, online; you talk to bob",
        "messages have come from carol, dave",
    ]
    sight.view.help()
    (line,) = sight.lines
    assert (line.tone, line.text) == (Tone.NOTICE, HELP)


def test_transfers_come_and_go() -> None:
    sight = Sight()
    sight.view.transfer(1, Transfer(name="cat.png", done=1))
    assert sight.view.transfers == {1: Transfer(name="cat.png", done=1)}
    sight.view.transfer(1, None)
    sight.view.transfer(1, None)
    assert sight.view.transfers == {}
    assert sight.changes == 3


@pytest.mark.parametrize(
    ("transfer", "width", "shown"),
    [
        (Transfer(name="cat.png"), 40, "cat.png: 0 bytes"),
        (Transfer(name="cat.png", done=5, total=10), 40, f"cat.png {'█' * 10}{'░' * 10}  50%"),
        (Transfer(name="cat.png", done=11, total=10), 40, f"cat.png {'█' * 20} 100%"),
        (Transfer(name="a-long-name.png", done=0, total=1), 36, f"a-long-na… {'░' * 20}   0%"),
        (Transfer(name="c\x1b[0mat\n", done=0, total=1), 36, f"cat  {'░' * 20}   0%"),
        (Transfer(name="cat.png", done=0, total=1), 2, f"… {'░' * 20}   0%"),
    ],
)
def test_how_far_a_file_is(transfer: Transfer, width: int, shown: str) -> None:
    assert bar(transfer, width) == shown


def test_nothing_in_toolbar_or_prompt_is_obeyed() -> None:
    sight = Sight(peer=Conversation.private("b\x1b[31mob\n"))
    sight.view.user = "al\x1bcice"
    assert sight.view.prompt() == "bob > "
    assert sight.toolbar() == "online | alice at host:1"


@pytest.mark.parametrize(
    ("url", "name", "found"),
    [
        ("http://h/a/cat.png", "", "cat.png"),
        ("http://h/a/c%20at%2F..%2Fx.png?y=z", "", "c at_.._x.png"),
        ("http://h/a/cat.png", "dog.png", "dog.png"),
        ("http://h", "../../.bashrc", "_.._.bashrc"),
        ("http://h", "C:\\evil\x1b[2J\n.exe", "C__evil .exe"),
        ("http://h", "...", "file"),
        ("http://h/", "", "file"),
        ("http://h", "x" * 300 + ".png", "x" * (LONGEST_NAME - 4) + ".png"),
        ("http://h", "\N{GRINNING FACE}" * 100 + ".md", "\N{GRINNING FACE}" * 49 + ".md"),
    ],
)
def test_a_file_has_a_name_that_leads_nowhere(url: str, name: str, found: str) -> None:
    assert file_name(Download(url=url, name=name)) == found


# -- for programs --------------------------------------------------------------------------------


def test_a_message_as_a_record() -> None:
    got = message(Text("hi\x9b"), conversation=TEAM, time=5, is_mentioned=True)
    line = json_line(message_record(got))
    assert "\x9b" not in line
    assert json.loads(line) == {
        "conversation": "group:team",
        "type": 3,
        "target": "team",
        "sender": "bob",
        "uid": "U",
        "time": 5,
        "mine": False,
        "offline": False,
        "mentioned": True,
        "object": "RC:TxtMsg",
        "text": "hi\x9b",
        "content": {"content": "hi\x9b"},
    }


@pytest.mark.parametrize("data", [b"\xff\x00", b"[NaN]", b"[" * 100_000, b"1" * 10_000])
def test_what_is_no_json_is_data(data: bytes) -> None:
    got = message(Text("hi"))
    record = message_record(replace(got, raw=replace(got.raw, content=data)))
    assert record["content"] is None
    assert record["data"]


def test_what_was_sent_as_a_record() -> None:
    sent = Sent(conversation=BOB, uid="U", time=1)
    assert sent_record(sent) == {"conversation": "bob", "uid": "U", "time": 1}
