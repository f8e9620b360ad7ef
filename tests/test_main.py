"""``python -m improto``: agrees with the golden vectors, and bad lines hurt nobody else."""

from __future__ import annotations

import io
import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improto._cli import main
from improto._cli_fields import from_fields, to_fields
from improto.frames import ConnAck, Connect, ProtocolVersion, Qos, Role, TimeMs, Will
from improto.testing.codec_properties import VIEWS
from improto.testing.frame_strategies import frames

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parent / "vectors"
FRAMES_FILE, PAYLOADS_FILE = FOLDER / "frames.jsonl", FOLDER / "payloads.jsonl"
V3, V4 = ProtocolVersion.V3, ProtocolVersion.V4


def load(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


FRAMES, PAYLOADS = load(FRAMES_FILE), load(PAYLOADS_FILE)


class Run:
    """Runs the command line in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments: str | Path, stdin: str | bytes = "", status: int = 0) -> str:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert main([str(argument) for argument in arguments]) == status
        output = self._capsys.readouterr()
        assert output.err == ""
        return output.out

    def lines(self, *arguments: str | Path, stdin: str | bytes = "", status: int = 0) -> list[Any]:
        """Every line of the output, decoded from JSON."""
        output = self(*arguments, stdin=stdin, status=status)
        return [json.loads(line) for line in output.splitlines()]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(capsys, monkeypatch)


# --- The golden vectors -------------------------------------------------------------------


def test_decode_agrees_with_every_frame_vector(run: Run) -> None:
    assert run.lines("decode", FRAMES_FILE) == [vector["fields"] for vector in FRAMES]


@pytest.mark.parametrize(
    ("side", "direction", "version"),
    [("client", "c2s", 3), ("server", "s2c", 3), ("server", "s2c", 4)],
)
def test_bare_hex_decodes_by_the_options(run: Run, side: str, direction: str, version: int) -> None:
    chosen = [
        vector
        for vector in FRAMES
        if vector["direction"] == direction and vector.get("protocolVersion", 3) == version
    ]
    stdin = "\n".join(vector["hex"] for vector in chosen)
    options = ["--from", side, "--protocol-version", str(version)]
    assert run.lines("decode", *options, stdin=stdin) == [vector["fields"] for vector in chosen]


def test_members_are_in_the_order_of_the_vectors(run: Run) -> None:
    output = run.lines("decode", FRAMES_FILE)
    for line, vector in zip(output, FRAMES, strict=True):
        if not vector["name"].startswith("s2c/random"):
            assert list(line) == list(vector["fields"])


def test_encode_gives_the_bytes_of_every_frame_vector(run: Run) -> None:
    """But for four-byte UTF-8 in strings, which nobody writes (wire 3)."""
    output = run("encode", FRAMES_FILE).splitlines()
    for line, vector in zip(output, FRAMES, strict=True):
        assert (line == vector["hex"]) is ("stringEncoding" not in vector)


def test_payloads_of_frames_agree_with_the_vectors(run: Run) -> None:
    output = run.lines("decode", "--payload", FRAMES_FILE)
    expected = [vector["payload"] for vector in FRAMES if "payload" in vector]
    found = [
        line["payload"] for line, vector in zip(output, FRAMES, strict=True) if "payload" in vector
    ]
    # One layout under two names: only its sender knows which it meant (operations 14.1).
    same_layout = {"DeleteChrmKV": "SetChrmKV"}
    assert found == [
        {**payload, "message": same_layout.get(payload["message"], payload["message"])}
        for payload in expected
    ]


def test_decode_agrees_with_every_payload_vector(run: Run) -> None:
    output = run.lines("decode", PAYLOADS_FILE, status=1)
    for line, vector in zip(output, PAYLOADS, strict=True):
        if vector.get("reject"):
            assert line.keys() == {"error", "line"}
        else:
            assert line == vector["fields"]


def test_encode_gives_the_bytes_of_every_payload_vector(run: Run) -> None:
    output = run("encode", PAYLOADS_FILE, status=1).splitlines()
    for line, vector in zip(output, PAYLOADS, strict=True):
        if vector.get("reject"):
            assert "error" in json.loads(line)
        else:
            assert (line == vector["hex"]) is ("decodeOnly" not in vector)


# --- Payloads -----------------------------------------------------------------------------

TEXT = {"sessionId": 3, "classname": "RC:TxtMsg", "content": "eyJjb250ZW50IjoiaGkifQ=="}
TEXT_HEX = "08031209 52433a5478744d7367 1a107b22636f6e74656e74223a226869227d".replace(" ", "")


def test_a_bare_payload_by_its_name(run: Run) -> None:
    options = ["--message", "UpStreamMessage"]
    assert run.lines("decode", *options, stdin=TEXT_HEX) == [TEXT]
    assert run("encode", *options, stdin=json.dumps(TEXT)) == TEXT_HEX + "\n"


def test_encode_takes_what_decode_prints_with_payloads(run: Run) -> None:
    publish = "32000670704d7367500002753200 01".replace(" ", "") + TEXT_HEX
    options = ["--from", "client"]
    printed = run("decode", "--payload", *options, stdin=publish)
    assert run("encode", *options, stdin=printed) == publish + "\n"


def test_encode_makes_missing_data_from_the_payload(run: Run) -> None:
    frame = {
        "type": "PUBLISH",
        "topic": "ppMsgP",
        "targetId": "u2",
        "messageId": 1,
        "payload": {"message": "UpStreamMessage", "fields": TEXT},
    }
    output = run("encode", "--from", "client", stdin=json.dumps(frame))
    assert output == "32000670704d73675000027532" + "0001" + TEXT_HEX + "\n"


def decode_payloads(run: Run, *vectors: tuple[str, str]) -> list[dict[str, Any]]:
    stdin = "\n".join(json.dumps({"direction": side, "hex": digits}) for side, digits in vectors)
    return run.lines("decode", "--payload", stdin=stdin)


CHATROOM_INFO = "50 000a 7175657279436872 6d49 0001 72 0007 0800 1002"
ANSWER = "60 0007 61dfce04 0000 0805"
EMPTY_ANSWER = "60 0007 61dfce04 5b72"


def test_an_answer_is_understood_after_its_query(run: Run) -> None:
    """A QUERYACK does not tell its topic; the earlier QUERY with the same id does."""
    query, answer = decode_payloads(run, ("c2s", CHATROOM_INFO), ("s2c", ANSWER))
    assert query["payload"]["message"] == "QueryChatroomInfoInput"
    assert answer["payload"] == {
        "message": "QueryChatroomInfoOutput",
        "fields": {"userTotalNums": 5},
    }


def test_an_answer_without_its_query_has_no_known_payload(run: Run) -> None:
    assert "payload" not in decode_payloads(run, ("s2c", ANSWER))[0]
    two = decode_payloads(run, ("c2s", CHATROOM_INFO), ("s2c", ANSWER), ("s2c", ANSWER))
    assert "payload" in two[1]
    assert "payload" not in two[2]


def test_nothing_is_no_payload_unless_it_is_an_empty_message(run: Run) -> None:
    refused = decode_payloads(run, ("c2s", CHATROOM_INFO), ("s2c", EMPTY_ANSWER))[1]
    assert "payload" not in refused
    status = "50 000d 676574557365725374617475 73 0001 75 0001"
    assert decode_payloads(run, ("c2s", status))[0]["payload"] == {
        "message": "GetUserStatusInput",
        "fields": {},
    }


def test_frames_without_payloads(run: Run) -> None:
    """A PINGREQ has none, topic ``x`` does not exist, ``createChrm`` was never seen."""
    create = "50 000a 6372656174654368726d 0000 0001 00"
    for digits in ("c0", "30 0001 78 0000 0001 00", "50 0001 78 0000 0001 00", create):
        assert "payload" not in decode_payloads(run, ("c2s", digits))[0]


def test_a_payload_that_does_not_parse_says_so(run: Run) -> None:
    """Protobuf errors are a layer above: the frame is a frame (wire 7, rule 8)."""
    (frame,) = decode_payloads(run, ("c2s", "30 0006 70704d736750 0000 0001 0801"))
    assert frame["data"] == "0801"
    assert frame["payload"].keys() == {"message", "error"}
    assert "classname" in frame["payload"]["error"]


# --- Options and lines --------------------------------------------------------------------


def test_without_a_command_it_explains_itself(run: Run) -> None:
    assert run().startswith("usage: python -m improto")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["decode", "--from", "nobody"], "argument --from"),
        (["decode", "--protocol-version", "5"], "invalid choice: 5"),
        (["decode", "--message", "NoMsg"], "no payload is called 'NoMsg'"),
        (["encode", "--payload"], "unrecognized arguments: --payload"),
        (["decode", "no/such/file"], "cannot read no/such/file"),
        (["explode"], "invalid choice: 'explode'"),
    ],
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert reason in capsys.readouterr().err


def test_files_and_standard_input_in_the_order_given(run: Run, tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.write_text("c0\n")
    types = [
        line["type"]
        for line in run.lines("decode", "--from", "client", first, "-", first, stdin="700001")
    ]
    assert types == ["PINGREQ", "QUERYCON", "PINGREQ"]


def test_hex_may_have_blanks_and_capitals_and_lines_may_be_empty(run: Run) -> None:
    stdin = b"\xef\xbb\xbf  C0 \r\n\n   \n70 00 0A"
    lines = run.lines("decode", "--from", "client", stdin=stdin)
    assert [line["type"] for line in lines] == ["PINGREQ", "QUERYCON"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("zz", "hex digits are needed, not 'zz'"),
        ("c", "hex digits are needed, not 'c'"),
        (b"\xff", "'utf-8' codec can't decode byte 0xff"),
        ("50", "QUERY is cut off (at byte 1)"),
        ("d0", "a client sends no frame of type 13 (at byte 0)"),
        ("{", "Expecting property name"),
        ("[" * 100_000, "hex digits are needed"),
        ('{"hex": ' + "[" * 100_000, "while decoding"),
        ('{"hex": 5}', "hex digits are needed, not 5"),
        ("{}", "hex digits are needed, not None"),
        ('{"hex": "c0", "direction": "up"}', "direction must be c2s or s2c, not 'up'"),
        ('{"hex": "c0", "protocolVersion": 5}', "5 is not a valid ProtocolVersion"),
        ('{"hex": "c0", "message": "NoMsg"}', "no payload is called 'NoMsg'"),
        ('{"hex": "", "message": "NotifyMsg"}', "required but missing: type"),
    ],
)
def test_a_bad_line_to_decode(run: Run, line: str | bytes, reason: str) -> None:
    """It gets its own error, and the lines around it are decoded."""
    data = line.encode() if isinstance(line, str) else line
    stdin = b"c0\n" + data + b"\nc0\n"
    before, error, after = run.lines("decode", "--from", "client", stdin=stdin, status=1)
    assert before == after == {"type": "PINGREQ", "qos": 0, "dup": False, "retain": False}
    assert error.keys() == {"error", "line"}
    assert error["line"] == 2
    assert reason in error["error"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("c0", "Expecting value"),
        ("[]", "a JSON object is needed, not []"),
        ("{}", "type must be text, not None"),
        ('{"type": ["PUBLISH"]}', "type must be text, not ['PUBLISH']"),
        ('{"type": "CONNACK", "status": 0}', "a client sends no frame of type CONNACK"),
        ('{"type": "PINGREQ", "status": 0, "date": 1}', "PINGREQ has no date and no status"),
        ('{"type": "PUBLISH", "topic": "t"}', "missing: targetId, messageId, data"),
        ('{"type": "PUBACK", "messageId": 65536}', "message_id must be 0 to 65535, not 65536"),
        ('{"type": "PUBACK", "messageId": true}', "messageId must be a whole number, not True"),
        ('{"type": "PUBACK", "messageId": 1.5}', "messageId must be a whole number, not 1.5"),
        ('{"type": "PINGREQ", "qos": 4}', "qos must be 0 to 3, not 4"),
        ('{"type": "PINGREQ", "dup": 1}', "dup must be true or false, not 1"),
        ('{"type": "QUERY", "topic": 1}', "topic must be text, not 1"),
        ('{"type": "QUERY", "data": "zz"}', "data: non-hexadecimal number"),
        ('{"type": "QUERY", "data": 1}', "data must be text, not 1"),
        ('{"type": "CONNECT", "clientId": "c", "will": "w"}', "missing: willTopic"),
        ('{"type": "QUERY", "payload": {}}', "payload must be an object with message and fields"),
        (
            '{"type": "QUERY", "payload": {"message": "NoMsg", "fields": {}}}',
            "no payload is called 'NoMsg'",
        ),
        (
            '{"type": "QUERY", "payload": {"message": "NotifyMsg", "fields": {"time": 1}}}',
            "required but missing: type",
        ),
        (
            '{"type": "QUERY", "payload": {"message": "NotifyMsg", "fields": {"x": 1}}}',
            'no field named "x"',
        ),
        (
            r'{"type": "QUERY", "payload": {"message": "NotifyMsg", "fields": {"\ud800": 1}}}',
            "",
        ),
    ],
)
def test_a_bad_line_to_encode(run: Run, line: str, reason: str) -> None:
    ping = '{"type": "PINGREQ"}'
    stdin = "\n".join((ping, line, ping))
    before, error, after = run("encode", "--from", "client", stdin=stdin, status=1).splitlines()
    assert before == after == "c0"
    assert json.loads(error)["line"] == 2
    assert reason in json.loads(error)["error"]


@pytest.mark.parametrize(("command", "line"), [("decode", "c0"), ("encode", '{"type": "PINGREQ"}')])
def test_somebody_has_to_say_who_sent_it(run: Run, command: str, line: str) -> None:
    (error,) = run.lines(command, stdin=line, status=1)
    assert error["error"] == "the sender is not known: use --from"


# --- Members ------------------------------------------------------------------------------


@pytest.mark.parametrize(("sender", "version"), VIEWS)
@given(data=st.data())
def test_every_frame_survives_as_json(
    sender: Role, version: ProtocolVersion, data: st.DataObject
) -> None:
    frame = data.draw(frames(sender, protocol_version=version))
    members = json.loads(json.dumps(to_fields(frame)))
    assert from_fields(members, sender, protocol_version=version) == frame


def test_members_of_a_connect_with_everything() -> None:
    """The order of the wire, where the will comes before app id and token (wire 4.1)."""
    will = Will(topic="t", message="m", qos=Qos.AT_LEAST_ONCE, retain=True)
    members = to_fields(Connect(client_id="c", will=will, app_id="a", token="k"))
    assert list(members.items())[4:] == [
        ("protocolId", "RCloud"),
        ("protocolVersion", 3),
        ("cleanSession", True),
        ("keepAlive", 0),
        ("clientId", "c"),
        ("willTopic", "t"),
        ("will", "m"),
        ("willQos", 1),
        ("willRetain", True),
        ("appId", "a"),
        ("token", "k"),
    ]


@pytest.mark.parametrize(
    ("timestamp", "written"),
    [
        (2**53, 2**53),
        (2**53 + 1, "9007199254740993"),
        (2**63, 2**63),
        (2**64 - 1, "18446744073709551615"),
    ],
)
def test_a_time_that_is_no_double_is_text(timestamp: int, written: int | str) -> None:
    """Most readers of JSON would round it; both forms are read."""
    frame = ConnAck(status=0, user_id="u", session_id="s", timestamp=TimeMs(timestamp))
    members = to_fields(frame)
    assert members["timestamp"] == written
    for form in (timestamp, str(timestamp)):
        members["timestamp"] = form
        assert from_fields(members, Role.SERVER, protocol_version=V3) == frame


def test_members_that_follow_from_others_are_not_believed() -> None:
    ack = {"type": "PUBACK", "messageId": 1, "date": 5, "status": 0, "millisecond": 6}
    members = {**ack, "messageUId": "", "timestamp": 7}
    assert to_fields(from_fields(members, Role.SERVER, protocol_version=V3))["timestamp"] == 5006

    members = {"type": "CONNACK", "status": 0, "flags": 255, "userId": "u"}
    frame = from_fields(members, Role.SERVER, protocol_version=V3)
    assert frame == ConnAck(status=0, user_id="u", protocol_version=V4)
    assert to_fields(frame)["flags"] == 1


def test_only_a_version_4_connack_has_flags_and_a_refusal_has_none() -> None:
    assert "flags" not in to_fields(ConnAck(status=0))
    assert to_fields(ConnAck(status=0, protocol_version=V4))["flags"] == 0
    assert "flags" not in to_fields(ConnAck(status=4, protocol_version=V4))


# --- The manual ---------------------------------------------------------------------------

MANUAL = (Path(__file__).parent.parent / "docs" / "command-line.md").read_text()
EXAMPLES = re.findall(
    r"^\$ (?:echo|printf '%s\\n') (.+) \| python -m improto (.+)\n((?:[^$`].*\n)+)",
    MANUAL,
    re.MULTILINE,
)


@pytest.mark.parametrize(("lines", "arguments", "output"), EXAMPLES)
def test_example_of_the_manual(run: Run, lines: str, arguments: str, output: str) -> None:
    stdin = "\n".join(shlex.split(lines))
    assert run(*shlex.split(arguments), stdin=stdin, status="error" in output) == output


def test_no_example_of_the_manual_is_overlooked() -> None:
    assert len(EXAMPLES) == MANUAL.count("| python -m improto")


# --- As a process -------------------------------------------------------------------------

COMMAND = [sys.executable, "-m", "improto", "decode", "--from", "client"]


def test_as_a_process() -> None:
    done = subprocess.run(COMMAND, input=b"c0\nzz\n", capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == b""
    ping, error = done.stdout.splitlines()
    assert json.loads(ping)["type"] == "PINGREQ"
    assert json.loads(error)["line"] == 2


@pytest.fixture
def filter_process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has answered one line and waits for the next."""
    pipe = subprocess.PIPE
    with subprocess.Popen(COMMAND, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"c0\n")
        process.stdin.flush()
        assert b"PINGREQ" in process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="signals as on POSIX")
def test_ctrl_c_is_quiet(filter_process: subprocess.Popen[bytes]) -> None:
    filter_process.send_signal(signal.SIGINT)
    _, errors = filter_process.communicate(timeout=60)
    assert errors == b""
    assert filter_process.returncode == -signal.SIGINT


@pytest.mark.skipif(sys.platform == "win32", reason="signals as on POSIX")
def test_a_reader_that_goes_away_is_no_error(filter_process: subprocess.Popen[bytes]) -> None:
    assert filter_process.stdout is not None
    filter_process.stdout.close()
    assert filter_process.stdin is not None
    assert filter_process.stderr is not None
    filter_process.stdin.write(b"c0\n")
    filter_process.stdin.flush()
    assert filter_process.wait(timeout=60) == -signal.SIGPIPE
    assert filter_process.stderr.read() == b""
