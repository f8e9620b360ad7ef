"""Sealed messages in the browser: the same bytes as in Python, and conversations of the two."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import pytest

from improto.messages import Conversation
from improto_client import connect
from improto_client.sealed import (
    ENTRY_KEY,
    LARGEST_INNER,
    MOST_DEVICES,
    OBJECT_NAME,
    Device,
    OwnDevice,
    Reason,
    Unopened,
    number,
    open_sealed,
    read_device,
    read_sealed,
    seal,
)
from improto_client.sealing import MemoryKeys, Opened, Sealing, Trust, start
from tests.client.test_sealed import ANN, BOB, EVE, INNER, PLACE
from tests.samples import DOCS, samples_of
from tools.layout import ROOT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from anyio.from_thread import BlockingPortal

    from improto_client import Im
    from tests.web.conftest import Desk
    from tests.web.tabs import Tab

pytestmark = pytest.mark.interop

BYTES = """
const sealed = await import(`${base}sealed.js`);
await sealed.ready();
const secretsOf = (first) => {
  const base64 = (byte) => btoa(String.fromCharCode(...Array(32).fill(byte)))
    .replaceAll("/", "_").replaceAll("+", "-").replaceAll("=", "");
  return { seed: base64(first), secret: base64(first + 1), created: 1_700_000_000_000 };
};
const [ann, bob, eve] = [["ann", 1], ["bob", 3], ["eve", 5]]
  .map(([user, first]) => sealed.ownDevice(user, secretsOf(first)));
const place = { type: 1, senderId: "ann", receiverId: "bob" };
const open = (content, own = bob, sender = ann.public, at = place) => {
  try {
    return sealed.openSealed(own, at, sealed.readSealed(content), sender);
  } catch (error) {
    return error instanceof sealed.Unopened ? error.reason : `crash: ${error.stack}`;
  }
};
"""

SEALING = """
const { Sealing, Trust } = await import(`${base}sealing.js`);
window.storage ??= new MemoryStorage();
window.keys = a;
window.Trust = Trust;
window.beginSealing = async (options = {}) => {
  const given = { storage, appKey: keys, ...options };
  window.sealing = await new Sealing(client, given).start();
  return sealing.deviceId;
};
window.failed = async (work) => {
  try {
    await work();
    return null;
  } catch (error) {
    return { kind: error.kind, code: error.code, message: error.message };
  }
};
return await beginSealing(b);
"""

REASONS = {
    Reason.NOT_FOR_US: "notforus",
    Reason.NEWER: "newer",
    Reason.UNKNOWN_SENDER: "unknownsender",
    Reason.DAMAGED: "damaged",
}


# -- bytes --------------------------------------------------------------------------------------


def test_the_same_devices_and_numbers(connected: Tab) -> None:
    told = connected.run(
        BYTES
        + """return {
          entries: [ann, bob].map((each) => sealed.entryOf(each.public)),
          ids: [ann, bob].map((each) => each.public.id),
          numbers: [[ann, eve], [eve, ann], []].map((each) =>
            sealed.numberOf("änn", each.map((one) => one.public))),
        };"""
    )
    assert told["entries"] == [each.public.entry for each in (ANN, BOB)]
    assert told["ids"] == [each.public.id for each in (ANN, BOB)]
    both = number("änn", [ANN.public, EVE.public])
    assert told["numbers"] == [both, both, number("änn", [])]


def test_each_opens_what_the_other_has_sealed(connected: Tab) -> None:
    data = seal(ANN, PLACE, INNER, [BOB.public, ANN.public]).decode()
    got, own, other, sealed = connected.run(
        BYTES
        + """return [open(a), open(a, ann), open(a, eve),
          JSON.stringify(sealed.seal(ann, place, b, [bob.public, ann.public]))];""",
        data,
        {"name": INNER.object_name, "content": INNER.content, "time": INNER.time},
    )
    wanted = {"name": INNER.object_name, "content": INNER.content, "time": INNER.time}
    assert got == own == wanted
    assert other == "notforus"
    for device in (BOB, ANN):
        assert open_sealed(device, PLACE, read_sealed(sealed.encode()), ANN.public) == INNER


def reason(data: str, own: OwnDevice = BOB) -> str | None:
    try:
        open_sealed(own, PLACE, read_sealed(data.encode()), ANN.public)
    except Unopened as error:
        return REASONS[error.reason]
    return None


def test_both_refuse_the_same(connected: Tab) -> None:
    data = seal(ANN, PLACE, INNER, [BOB.public])
    members = json.loads(data)
    wrong: list[Any] = [
        members | changes
        for changes in (
            {"v": 0}, {"v": 2}, {"v": "1"}, {"v": True}, {"v": None},
            {"device": "ann"}, {"device": 7}, {"device": None},
            {"keys": []}, {"keys": None}, {"keys": ""}, {"keys": 5}, {"keys": {}},
            {"keys": {"x": "AAAA"}}, {"keys": {"0" * 20: 7}}, {"keys": {BOB.public.id: "AAAA"}},
            {"nonce": "AAAA"}, {"nonce": "?"}, {"nonce": members["nonce"] + "="},
            {"body": "AB"}, {"body": ["AA"]}, {"body": ""},
            {"signature": ""}, {"signature": "A" * 86},
        )
    ]  # fmt: skip
    wrong += [None, [], {}, "text", 7]
    texts = [*map(json.dumps, wrong), "", "{", "[" * 100_000]
    told = connected.run(BYTES + "return a.map((each) => open(each))", texts)
    assert told == [reason(each) for each in texts]
    assert {*told} == {"damaged", "newer"}


def test_both_refuse_the_same_devices(connected: Tab) -> None:
    parts = ANN.public.entry.split(".")
    entries = [ANN.public.entry, "", "1", "1.A.A.1.A", ".".join(["2", *parts[1:]])]
    entries += [
        ".".join([*parts[:place], text, *parts[place + 1 :]])
        for place in range(1, 5)
        for text in ("", "?", "A" * 43, "A" * 86, "1", "-1", "1" * 16)
    ]
    told = connected.run(
        BYTES + """return a.map((each) => sealed.readDevice("ann", b, each) !== null)""",
        entries,
        ANN.public.id,
    )
    assert told == [read_device("ann", ANN.public.id, each) is not None for each in entries]
    assert told.count(True) == 1
    other = "return [['bob', a], ['ann', b]].map(([user, id]) => sealed.readDevice(user, id, c))"
    asked = (ANN.public.id, BOB.public.id, ANN.public.entry)
    assert connected.run(BYTES + other, *asked) == [None, None]


def test_in_another_place_it_does_not_open(connected: Tab) -> None:
    data = seal(ANN, PLACE, INNER, [BOB.public]).decode()
    told = connected.run(
        BYTES + "return b.map((each) => open(a, bob, ann.public, { ...place, ...each }))",
        data,
        [{"type": 3}, {"senderId": "eve"}, {"receiverId": "carl"}, {}],
    )
    assert told[:3] == ["damaged"] * 3
    assert told[3]["name"] == INNER.object_name


def test_the_largest(connected: Tab) -> None:
    around = len('{"name":"n","content":"","time":1}')
    told = connected.run(
        BYTES
        + """return [a, a + 1].map((count) => {
          const inner = { name: "n", content: "x".repeat(count), time: 1 };
          try {
            return JSON.stringify(sealed.seal(ann, place, inner, [bob.public])).length;
          } catch (error) {
            return error.message;
          }
        });""",
        LARGEST_INNER - around,
    )
    assert told[0] < 131_072
    assert told[1] == "content: 65537 bytes, the limit is 65536"


def test_the_vendored_library_is_the_one_that_is_named(connected: Tab) -> None:
    folder = ROOT / "src" / "improto_server" / "web" / "static" / "vendor" / "libsodium"
    assert "libsodium-wrappers 0.8.4" in (folder / "VERSION.txt").read_text()
    assert "Permission to use, copy" in (folder / "LICENSE.txt").read_text()
    version = """
    const { default: sodium } = await import(`${base}../vendor/libsodium/libsodium-wrappers.js`);
    await sodium.ready;
    return sodium.sodium_version_string();
    """
    assert connected.run(version) == "1.0.22"


# -- conversations ------------------------------------------------------------------------------


class Program(NamedTuple):
    """A user's program in Python."""

    im: Im
    sealing: Sealing
    portal: BlockingPortal

    def do(self, call: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """Wait for something it does."""

        async def run() -> Any:
            with anyio.fail_after(20):
                return await call(*arguments)

        return self.portal.call(run)

    def next(self) -> Opened:
        """The next message, opened."""
        message = self.do(anext, aiter(self.im.messages))
        opened: Opened = self.do(self.sealing.open, message)
        return opened


@contextmanager
def program(desk: Desk, portal: BlockingPortal, name: str) -> Iterator[Program]:
    """A program of a user of this test, that is a device."""
    server = desk.server
    token = server.token(desk.user(name))
    # Numbers that the log of a page can hold.
    ids = count(1)
    connecting = connect(
        server.navigation_url, app_key=server.app_key, token=token, make_id=lambda: next(ids)
    )
    with portal.wrap_async_context_manager(connecting) as im:
        beginning = start(im, MemoryKeys())
        with portal.wrap_async_context_manager(beginning) as sealing:
            yield Program(im, sealing, portal)


def sealing(desk: Desk, name: str, **options: Any) -> Tab:
    """A page of a user that is a device."""
    tab = desk.online(name)
    assert len(tab.run(SEALING, desk.server.app_key, options)) == 20
    return tab


OPEN_LAST = """
const { message } = told("message").at(-1);
return await sealing.open(message);
"""
TURN_ON = "return await sealing.turnOn(privateChat(a))"
SEND = "return await sealing.send(privateChat(a), text(b))"
FINGERPRINT = """
const { number, trust, fresh } = await sealing.fingerprint(a);
return { number, trust, fresh: fresh.length };
"""
SEND_AND_FAIL = "return await failed(() => sealing.send(privateChat(a), text('x')))"
OPEN_FIRST_OF_OTHERS = """
const { message } = told("message").find(({ message }) => !message.isMine);
return await sealing.open(message);
"""


def test_python_and_a_page(desk: Desk, portal: BlockingPortal) -> None:
    page = sealing(desk, "page")
    me, other = desk.user("program"), Conversation.private(desk.user("page"))
    with program(desk, portal, "program") as there:
        seen = page.run(TURN_ON, me)
        assert seen["trust"] == "unverified"
        theirs = there.do(there.sealing.turn_on, other)
        # What people compare: each sees of himself what the other one sees of him.
        assert seen["number"] == there.do(there.sealing.fingerprint).number
        assert page.run(FINGERPRINT, desk.user("page"))["number"] == theirs.number
        there.do(there.sealing.verify, theirs)
        sent = page.run(SEND, me, "from the page 😀")
        assert sent["name"] == OBJECT_NAME
        opened = there.next()
        assert (opened.text, opened.trust) == ("from the page 😀", Trust.VERIFIED)
        assert opened.message.raw.object_name == OBJECT_NAME
        there.do(there.sealing.send, other, "from Python")
        page.told("message")
        got = page.run(OPEN_LAST)
        assert (got["isSealed"], got["trust"], got["reason"]) == (True, "unverified", None)
        assert got["message"]["name"] == "RC:TxtMsg"
        assert got["message"]["fields"] == {"content": "from Python"}
        assert abs(got["writtenAt"] - got["message"]["time"]) < 60_000
        # What was sent from here is read here, too: it comes back with history.
        history = """
        const { messages } = await client.messages.history(privateChat(a));
        const opened = await Promise.all(messages.map((each) => sealing.open(each)));
        return opened.map(({ message, trust }) => [message.fields.content, trust]);
        """
        assert page.run(history, me) == [
            ["from the page 😀", "verified"],
            ["from Python", "unverified"],
        ]


def test_new_devices_block(desk: Desk) -> None:
    anna, bert = sealing(desk, "anna"), sealing(desk, "bert")
    bert.run(TURN_ON, desk.user("anna"))
    anna.run(
        f"{TURN_ON.replace('return', 'const seen =')}; sealing.verify(seen)", desk.user("bert")
    )
    assert anna.run(FINGERPRINT, desk.user("bert"))["trust"] == "verified"
    phone = sealing(desk, "bert")
    phone.run(TURN_ON, desk.user("anna"))
    phone.run(SEND, desk.user("anna"), "from my phone")
    anna.told("message")
    opened = anna.run(OPEN_LAST)
    assert (opened["message"]["fields"]["content"], opened["trust"]) == ("from my phone", "changed")
    refusal = anna.run(SEND_AND_FAIL, desk.user("bert"))
    assert refusal["kind"] == "changed"
    seen = anna.run(FINGERPRINT, desk.user("bert"))
    assert (seen["trust"], seen["fresh"]) == ("changed", 1)
    anna.run("sealing.accept(await sealing.fingerprint(a))", desk.user("bert"))
    assert anna.run(FINGERPRINT, desk.user("bert"))["trust"] == "unverified"
    anna.run(SEND, desk.user("bert"), "hi, both")
    for tab in (bert, phone):
        tab.until("told('message').some(({ message }) => !message.isMine)")
        got = tab.run(OPEN_FIRST_OF_OTHERS)
        assert got["message"]["fields"] == {"content": "hi, both"}
    # It goes, and what it has said stays readable.
    gone = phone.run("await sealing.removeDevice(sealing.deviceId); return sealing.deviceId")
    assert anna.run(FINGERPRINT, desk.user("bert"))["trust"] == "verified"
    assert anna.run(OPEN_LAST)["trust"] == "changed"
    phone.run("await sealing.publish()")
    assert anna.run(FINGERPRINT, desk.user("bert"))["trust"] == "changed"
    assert phone.run("return sealing.deviceId") == gone
    wrong = phone.run("return await failed(() => sealing.removeDevice('x'))")
    assert wrong["message"].endswith("(there is no device x)")


def test_new_devices_are_left_out(desk: Desk) -> None:
    anna, bert = sealing(desk, "anna", whenChanged="leaveout"), sealing(desk, "bert")
    anna.run(TURN_ON, desk.user("bert"))
    phone = sealing(desk, "bert")
    own = sealing(desk, "anna")
    anna.run(FINGERPRINT, desk.user("bert"))
    anna.run(FINGERPRINT, desk.user("anna"))
    anna.run(SEND, desk.user("bert"), "hi")
    for tab, wanted in ((bert, None), (phone, "notforus"), (own, "notforus")):
        tab.told("message")
        opened = tab.run(OPEN_LAST)
        assert opened["reason"] == wanted
    assert opened["message"]["name"] == OBJECT_NAME
    bert.run("await sealing.removeDevice(sealing.deviceId)")
    anna.run(FINGERPRINT, desk.user("bert"))
    refusal = anna.run(SEND_AND_FAIL, desk.user("bert"))
    assert refusal["kind"] == "changed"


def test_what_cannot_be(desk: Desk) -> None:
    anna = sealing(desk, "anna")
    told = anna.run(
        """return await Promise.all([
          () => sealing.turnOn(privateChat(a)),
          () => sealing.turnOn(groupChat("g")),
          () => sealing.send(privateChat(a), text("hi")),
          () => sealing.fingerprint(a),
        ].map(failed))""",
        desk.user("nobody"),
    )
    assert told[0]["kind"] == "nokeys"
    assert "private" in told[1]["message"]
    assert "not sealed" in told[2]["message"]
    assert told[3] is None
    on = "return [privateChat(a), groupChat(a)].map((each) => sealing.isOn(each))"
    assert anna.run(on, desk.user("nobody")) == [False, False]
    sealing(desk, "bert")
    anna.run(TURN_ON, desk.user("bert"))
    assert anna.run(on, desk.user("bert")) == [True, False]
    long = "return await failed(() => sealing.send(privateChat(a), text('x'.repeat(70000))))"
    assert "limit is 65536" in anna.run(long, desk.user("bert"))["message"]
    anna.run("sealing.turnOff(privateChat(a))", desk.user("bert"))
    assert anna.run(on, desk.user("bert")) == [False, False]


def test_what_cannot_be_opened(desk: Desk) -> None:
    anna, bert = sealing(desk, "anna"), sealing(desk, "bert")
    anna.run(TURN_ON, desk.user("bert"))
    anna.run(SEND, desk.user("bert"), "hi")
    bert.told("message")
    asked = bert.run(
        """
        const { message } = told("message").at(-1);
        const fields = { ...message.fields, device: "0".repeat(20) };
        const forged = { ...message, raw: JSON.stringify(fields) };
        const results = [];
        const profiles = client.people.profiles;
        let asked = 0;
        client.people.profiles = (ids) => { asked += 1; return profiles.call(client.people, ids); };
        for (const each of [
          forged, forged, { ...message, raw: "garbage" }, message, { ...message, uid: "other" },
          { ...message, uid: "" }, { ...message, name: "RC:TxtMsg" },
        ]) {
          const { reason, isRepeated, isSealed, trust } = await sealing.open(each);
          results.push([reason, isRepeated, isSealed, trust]);
        }
        client.people.profiles = async () => { throw new ImError(20604); };
        const { reason } = await sealing.open({ ...message, senderId: "eve" });
        return { results, asked, reason };
        """
    )
    assert asked["results"] == [
        ["unknownsender", False, True, None],
        ["unknownsender", False, True, None],
        ["damaged", False, True, None],
        [None, False, True, "unknown"],
        [None, True, True, "unknown"],
        [None, False, True, "unknown"],
        [None, False, False, None],
    ]
    assert asked["asked"] == 2
    assert asked["reason"] == "unknownsender"


def test_what_the_storage_keeps(desk: Desk) -> None:
    anna = sealing(desk, "anna")
    first = anna.run("return sealing.deviceId")
    assert anna.run("return await beginSealing()") == first
    assert anna.run("return sealing.isDevice")
    # Who was removed stays removed.
    anna.run("await sealing.removeDevice(sealing.deviceId); await beginSealing()")
    assert anna.run("return (await sealing.fingerprint()).devices.length") == 0
    damaged = """
    const key = storage.keys().find((each) => each.endsWith("sealed/device"));
    const kept = storage.get(key);
    storage.set(key, '{"seed":"x"}');
    const error = await failed(() => beginSealing());
    storage.set(key, kept);
    const peer = key.replace("device", "peer/eve");
    storage.set(peer, '{"x":["1.A","verified"],"y":7}');
    return [error, (await sealing.fingerprint("eve")).trust];
    """
    error, trust = anna.run(damaged)
    assert "damaged" in error["message"]
    assert trust == "unknown"
    full = """
    storage.set = () => {};
    return await failed(() => sealing.turnOff(privateChat("eve")));
    """
    assert "does not keep" in anna.run(full)["message"]


def test_it_ends(desk: Desk) -> None:
    anna = sealing(desk, "anna")
    sealing(desk, "bert")
    anna.run(TURN_ON, desk.user("bert"))
    assert anna.run("await sealing.forget(); return sealing.isDevice") is False
    assert anna.run("return sealing.isOn(privateChat(a))", desk.user("bert")) is False
    assert anna.run("return (await sealing.fingerprint()).devices.length") == 0
    anna.run("await sealing.forget()")


def test_without_a_connection(desk: Desk) -> None:
    """What is written is sealed at once and waits like every message."""
    anna, bert = sealing(desk, "anna"), sealing(desk, "bert")
    anna.run(TURN_ON, desk.user("bert"))
    waiting = """
    client.disconnect();
    const sending = sealing.send(privateChat(a), text("later"));
    client.connect();
    await sending;
    """
    anna.run(waiting, desk.user("bert"))
    bert.told("message")
    assert bert.run(OPEN_LAST)["message"]["fields"] == {"content": "later"}


def test_too_many_devices(desk: Desk) -> None:
    tab = desk.online("anna")
    devices: list[Device] = [
        OwnDevice.make(desk.user("anna"), created=1).public for _ in range(MOST_DEVICES)
    ]
    entries = {ENTRY_KEY + each.id: each.entry for each in devices}
    tab.run("await client.people.update({}, a)", entries | {"sealed:x": "garbage", "mood": "good"})
    begin = SEALING.replace(
        "return await beginSealing(b)", "return await failed(() => beginSealing(b))"
    )
    assert tab.run(begin, desk.server.app_key, {})["kind"] == "toomany"
    tab.run("await client.people.update({}, { [a]: '' })", ENTRY_KEY + devices[0].id)
    assert len(tab.run("return await beginSealing()")) == 20


def test_the_sample_of_the_manual(desk: Desk) -> None:
    [sample] = [each.text for each in samples_of(DOCS / "encryption.md") if each.language == "js"]
    for old, new in (
        (r'import .*? from "/static/improto/', 'const { Sealing } = await import("${base}'),
        (r'"bob"', repr(desk.user("bob"))),
    ):
        sample, count = re.subn(old, new, sample)
        assert count >= 1, old
    sample = sample.replace('("${base}sealing.js"', "(`${base}sealing.js`)")
    bob = sealing(desk, "bob")
    anna = desk.online("anna")
    anna.run("window.said = []; console.log = (...all) => said.push(all);" + sample)
    bob.told("message")
    assert bob.run(OPEN_LAST)["message"]["fields"] == {"content": "for your eyes only"}
    bob.run(TURN_ON, desk.user("anna"))
    bob.run(SEND, desk.user("anna"), "thank you")
    anna.until("said.length === 1")
    said = anna.run("return said[0]")
    assert said == [
        bob.run(FINGERPRINT, desk.user("bob"))["number"],
        True,
        "unverified",
        None,
        "thank you",
    ]
