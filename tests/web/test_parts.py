"""Rooms, receipts, files, people: what improto.js does besides messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto_server.testing import ImServer
from tests.web.conftest import SETTINGS, Desk

if TYPE_CHECKING:
    from tests.web.tabs import Chromium, Tab

pytestmark = pytest.mark.interop

READ = "await client.receipts.confirm(told('message').map(({ message }) => message))"
FILE = "new File([Uint8Array.from({ length: a }, (_, index) => index)], b, { type: c })"


def test_a_room(desk: Desk) -> None:
    room = desk.user("room")
    anna, bert, other = desk.online("anna"), desk.online("bert"), desk.online("anna")
    anna.run("await client.rooms.join(a)", room)
    anna.run("await client.messages.send(roomChat(a), text('first'))", room)
    for tab in (bert, other):
        tab.run("await client.rooms.join(a, { mustExist: true })", room)
        (told,) = tab.told("message")
        assert told["message"]["fields"] == {"content": "first"}
    bert.run("await client.messages.send(roomChat(a), text('second'))", room)
    for tab in (anna, other):
        message = tab.told("message")[-1]["message"]
        assert (message["fields"], message["senderId"]) == (
            {"content": "second"},
            desk.user("bert"),
        )
    anna.run("await client.messages.send(roomChat(a), text('third'))", room)
    message = other.told("message", 3)[-1]["message"]
    assert (message["fields"], message["isMine"]) == ({"content": "third"}, True)
    assert bert.told("message", 2)[-1]["message"]["fields"] == {"content": "third"}
    info = bert.run("return await client.rooms.info(a, { newestFirst: true })", room)
    assert info["total"] == 2
    assert [each["userId"] for each in info["members"]] == [desk.user("bert"), desk.user("anna")]
    assert bert.run("return await client.rooms.info(a, { count: 0 })", room)["members"] == []
    page = bert.run("return await client.messages.history(roomChat(a))", room)
    assert [each["fields"]["content"] for each in page["messages"]] == ["first", "second", "third"]


def test_keys_of_a_room(desk: Desk) -> None:
    room = desk.user("room")
    anna, bert = desk.online("anna"), desk.online("bert")
    for tab in (anna, bert):
        tab.run("await client.rooms.join(a, { count: 0 })", room)
    anna.run("await client.rooms.setEntry(a, 'k', 'v', { autoDelete: true })", room)
    assert bert.told("entries")[0]["room"] == room
    entries = "return Object.fromEntries(await client.rooms.entries(a))"
    entry = bert.run(entries, room)["k"]
    assert (entry["value"], entry["userId"]) == ("v", desk.user("anna"))
    answer = bert.run("return await attempt(() => client.rooms.setEntry(a, 'k', 'w'))", room)
    assert answer["code"] == 23424
    bert.run("await client.rooms.setEntry(a, 'k', 'w', { force: true })", room)
    bert.run("await client.rooms.setEntry(a, 'own', 'x')", room)
    bert.run("await client.rooms.removeEntry(a, 'own')", room)
    anna.run("await client.rooms.removeEntry(a, 'k', { force: true })", room)
    assert bert.run(entries, room) == {}


def test_being_in_a_room_no_longer(desk: Desk) -> None:
    room = desk.user("room")
    anna = desk.online("anna")
    join = "return await attempt(() => client.rooms.join(a, { mustExist: true }))"
    assert anna.run(join, room)["code"] == 23410
    anna.run("await client.rooms.join(a)", room)
    anna.run("await client.rooms.join(a)", room)
    assert anna.run("return client.rooms.joined") == [room]
    anna.run("await client.rooms.quit(a)", room)
    assert anna.run("return client.rooms.joined") == []
    anna.run("await client.rooms.join(a)", room)
    rooms = desk.server._application.system.rooms
    desk.server._do(rooms.destroy(desk.server.app_key, room))
    (left,) = anna.told("roomleft")
    assert left == {"room": room, "code": 23410}
    anna.run("await client.rooms.join(a)", room)
    # Whoever has lost his connection goes back in, if the room is there.
    desk.server.refuse_requests(desk.user("anna"), 23409, topic="joinChrmR")
    desk.server.cut(desk.user("anna"))
    assert anna.told("roomleft", 2)[1] == {"room": room, "code": 23409}


@pytest.mark.parametrize("count", ["-1", "1.5"])
def test_rooms_have_no_fewer_than_no_messages(connected: Tab, count: str) -> None:
    script = f"return await attempt(() => client.rooms.join('r', {{ count: {count} }}))"
    assert connected.run(script)["code"] == 33003
    script = f"return await attempt(() => client.rooms.info('r', {{ count: {count} * 100 }}))"
    assert connected.run(script)["code"] == 33003


@pytest.mark.parametrize("way", ["messages", "topics", "positions", "receipts"])
def test_receipts_of_groups(chromium: Chromium, way: str) -> None:
    settings = {**SETTINGS, "messages.group_receipts": way}
    with ImServer(settings=settings) as server, chromium.tabs(server) as open_tab:
        desk = Desk(server, open_tab, "g")
        anna, bert = desk.online("anna"), desk.online("bert")
        desk.server.group("g", [desk.user("anna"), desk.user("bert"), desk.user("carl")])
        sent = anna.run(
            """
            const sent = await client.messages.send(groupChat("g"), text("x"), {
              wantsReceipt: true });
            await client.receipts.ask(sent);
            return sent;
            """
        )
        bert.told("message")
        if way == "messages":
            (asked,) = bert.told("receiptrequest")
            assert (asked["uid"], asked["userId"]) == (sent["uid"], desk.user("anna"))
        bert.run(READ)
        bert.run("await client.receipts.confirm([])")
        if way in ("messages", "receipts"):
            (receipt,) = anna.told("receipt")
            assert (receipt["uid"], receipt["userIds"]) == (sent["uid"], [desk.user("bert")])
            assert receipt.get("total", 2) == 2
        answer = anna.run("return await attempt(() => client.receipts.readers(a))", sent)
        if way == "messages":
            assert answer["code"] == 35003
        else:
            assert [each["userId"] for each in answer["result"]["readers"]] == [desk.user("bert")]
            assert answer["result"]["readers"][0]["time"] >= sent["time"]
            assert answer["result"]["total"] in (2, 3)
        for script in (
            "client.receipts.readers({ conversation: privateChat('x') })",
            "client.receipts.confirm([{ conversation: roomChat('x') }])",
            "client.receipts.confirm([groupChat('x'), groupChat('y')]"
            ".map((conversation) => ({ conversation })))",
        ):
            assert anna.run(f"return await attempt(() => {script})")["code"] == 33003


def test_files(desk: Desk) -> None:
    anna = desk.online("anna")
    found = anna.run(
        f"""
        const shares = [];
        const file = {FILE};
        const sent = await client.files.upload(file, {{ onProgress: (each) => shares.push(each) }});
        const answer = await fetch(sent.url);
        const bytes = new Uint8Array(await answer.arrayBuffer());
        return [sent, shares.at(-1), bytes.length, bytes[255], answer.headers.get("content-type")];
        """,
        100_000,
        "Ünïcode.pdf",
        "application/pdf",
    )
    sent, *rest = found
    assert (sent["name"], sent["size"]) == ("Ünïcode.pdf", 100_000)
    assert rest == [1, 100_000, 255, "application/pdf"]
    thumbnail = anna.run(
        """
        const canvas = document.createElement("canvas");
        Object.assign(canvas, { width: 480, height: 120 });
        const blob = await new Promise((resolve) => canvas.toBlob(resolve));
        const small = new Image();
        small.src = `data:image/jpeg;base64,${await thumbnailOf(blob)}`;
        await small.decode();
        return [small.width, small.height];
        """
    )
    assert thumbnail == [240, 60]


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("thumbnailOf(new Blob(['x']))", 33003),
        ("client.files.upload('text')", 33003),
        ("client.files.upload(new Blob(['x']), { type: 99 })", 41001),
        ("client.files.upload(new Blob(['x']), { signal: AbortSignal.abort() })", 30004),
        ("client.files.upload(new Blob(['x'], { type: 'text/plain' }), { type: 1 })", 30004),
        (
            "(() => { const abort = new AbortController();"
            " return client.files.upload(new Blob([new Uint8Array(9_000_000)]),"
            " { signal: abort.signal, onProgress: () => abort.abort() }); })()",
            30004,
        ),
        (
            "client.files.upload(new Blob([new Uint8Array(1000)], { type: 'image/png' }))",
            26106,
        ),
    ],
)
def test_files_that_cannot_be_uploaded(small_images: Tab, script: str, code: int) -> None:
    assert small_images.run(f"return await attempt(() => {script})")["code"] == code


@pytest.fixture(scope="module")
def small_images(chromium: Chromium) -> Tab:
    """A page on a server that takes only tiny pictures."""
    settings = {**SETTINGS, "uploads.image_bytes": 999}
    with ImServer(settings=settings) as server, chromium.tabs(server) as open_tab:
        yield Desk(server, open_tab, "small").online("anna")


def test_a_server_without_files(chromium: Chromium) -> None:
    settings = {**SETTINGS, "uploads.storage": "none"}
    with ImServer(settings=settings) as server, chromium.tabs(server) as open_tab:
        anna = Desk(server, open_tab, "none").online("anna")
        answer = anna.run("return await attempt(() => client.files.upload(new Blob(['x'])))")
        assert answer["code"] == 41002


def test_who_is_there(desk: Desk) -> None:
    anna = desk.online("anna")
    users = [desk.user("bert"), desk.user("carl")]
    carl = desk.online("carl")
    assert anna.run("return await client.people.follow(a)", users) == [desk.user("carl")]
    desk.online("bert")
    assert anna.told("presence")[-1] == {"userId": desk.user("bert"), "isOnline": True}
    carl.run("client.disconnect()")
    assert anna.told("presence", 2)[-1] == {"userId": desk.user("carl"), "isOnline": False}
    anna.run("await client.people.unfollow(a)", users)


def test_profiles_friends_and_groups(desk: Desk) -> None:
    anna, bert = desk.online("anna"), desk.online("bert")
    bert.run("await client.people.update({ name: 'Bert' }, { ext_x: '1' })")
    profiles = anna.run(
        "return Object.fromEntries(await client.people.profiles([a, a, b]))",
        desk.user("bert"),
        desk.user("anna"),
    )
    assert profiles[desk.user("bert")]["name"] == "Bert"
    assert profiles[desk.user("bert")]["extra"] == {"ext_x": "1"}
    assert profiles[desk.user("anna")]["portrait"] == ""
    anna.run(
        "await client.query('friendAdd', { targetId: a, type: 2, info: 'me' })", desk.user("bert")
    )
    (change,) = bert.told("change")
    assert change["changeType"] == 31
    assert (change["subChangeType"], change["data"]["info"]) == (0, "me")
    bert.run("await client.query('friendHandle', { targetId: a, type: 1 })", desk.user("anna"))
    friends = anna.run(
        "return await client.people.list('friendsQuery',"
        " { queryType: 11, friendType: 2, page: { size: 100 } })"
    )
    assert [each["userId"] for each in friends["items"]] == [desk.user("bert")]
    group = desk.user("g").replace("-", "_")
    anna.run(
        """
        const settingProfile = [{ key: "name", value: "The group" }];
        await client.query("channelCreate",
          { targetId: a, type: 3, settingProfile, users: [b] }, { target: a });
        """,
        group,
        desk.user("bert"),
    )
    members = anna.run(
        "return await client.people.list('qChannelMem',"
        " { targetId: a, type: 3, page: { size: 10 } }, { target: a })",
        group,
    )
    assert len(members["items"]) == 2
    anna.run("await client.query('addBlack', { userId: a }, { target: a })", desk.user("carl"))
    assert anna.run("return (await client.query('getBlack', { nothing: 1 })).userIds") == [
        desk.user("carl")
    ]


def test_a_list_that_nobody_knows(connected: Tab) -> None:
    script = """
    client.query = async () => ({ listType: 99 });
    const answer = await attempt(() => client.people.list("friendsQuery", { queryType: 11 }));
    delete client.query;
    return answer;
    """
    assert connected.run(script)["code"] == -2
