"""Pages that talk to each other through a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from improto.contents import Text
from improto.messages import Conversation
from tests.interop.proxy import Proxy

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from tests.web.conftest import Desk
    from tests.web.tabs import Tab

pytestmark = pytest.mark.interop

SEND = "return await client.messages.send(privateChat(a), text(b))"
SEND_ALL = """
const sent = b.map((each) => client.messages.send(privateChat(a), text(each)));
return (await Promise.all(sent)).map(({ uid }) => uid);
"""


def texts(tab: Tab, count: int) -> list[str]:
    """What a page was told, when there is so much."""
    return [each["message"]["fields"]["content"] for each in tab.told("message", count)]


def test_two_pages_chat(desk: Desk) -> None:
    anna, bert = desk.online("anna"), desk.online("bert")
    sent = anna.run(SEND, desk.user("bert"), "hi 😀")
    (told,) = bert.told("message")
    message = told["message"]
    assert message == {
        **sent,
        "conversation": {"type": 1, "targetId": desk.user("anna")},
        "isMine": False,
    }
    assert message["fields"] == {"content": "hi 😀"}
    assert message["time"] > 0
    bert.run("await client.messages.send(privateChat(a), image({ url: 'u' }))", desk.user("anna"))
    (told,) = anna.told("message")
    assert (told["message"]["name"], told["message"]["fields"]["imageUri"]) == ("RC:ImgMsg", "u")
    assert bert.run("return client.status") == 0
    assert abs(bert.run("return client.now() - Date.now()")) < 10_000


@pytest.mark.parametrize(
    ("content", "name", "fields"),
    [
        (
            "voice({ url: 'u', duration: 2.6 })",
            "RC:HQVCMsg",
            {"remoteUrl": "u", "duration": 3, "type": "aac"},
        ),
        (
            "video({ url: 'u', duration: 9.2, size: 5 })",
            "RC:SightMsg",
            {"sightUrl": "u", "content": "", "duration": 9, "size": 5, "name": ""},
        ),
        (
            "file({ url: 'u', name: 'a.b.pdf', size: 5 })",
            "RC:FileMsg",
            {"name": "a.b.pdf", "size": 5, "type": "pdf", "fileUrl": "u"},
        ),
        (
            "place({ latitude: 1.5, longitude: 2, poi: 'here' })",
            "RC:LBSMsg",
            {"latitude": 1.5, "longitude": 2, "poi": "here", "content": ""},
        ),
        (
            "quote({ fields: { content: 'q' }, senderId: 's', name: 'RC:TxtMsg' }, 'so')",
            "RC:ReferenceMsg",
            {
                "content": "so",
                "referMsg": {"content": "q"},
                "referMsgUserId": "s",
                "objName": "RC:TxtMsg",
            },
        ),
    ],
    ids=["voice", "video", "file", "place", "quote"],
)
def test_contents(desk: Desk, content: str, name: str, fields: dict[str, Any]) -> None:
    made = desk.open_tab().run(f"return improto.{content}")
    assert made == {"name": name, "fields": fields}


def test_what_a_message_can_say_about_itself(desk: Desk) -> None:
    desk.server.group(desk.user("g"), [desk.user(each) for each in ("anna", "bert", "carl")])
    anna, bert = desk.online("anna"), desk.online("bert")
    anna.run(
        """
        await client.messages.send(groupChat(a), custom("x:y", { n: 1 }, { counted: false }), {
          mention: [b], only: [b], isSilent: true, isExpandable: true, extra: "more",
          user: { id: "anna", name: "Anna" }, pushText: "push",
        });
        await client.messages.send(groupChat(a), text("all"), { mention: "all" });
        """,
        desk.user("g"),
        desk.user("bert"),
    )
    one, other = (each["message"] for each in bert.told("message", 2))
    assert one["fields"]["user"] == {"id": "anna", "name": "Anna"}
    assert (one["fields"]["n"], one["fields"]["extra"]) == (1, "more")
    flags = ("isMentioned", "isStored", "isCounted", "isSilent", "isExpandable", "isMine")
    assert [one[each] for each in flags] == [True, True, False, True, True, False]
    assert [other[each] for each in flags] == [True, True, True, False, False, False]
    assert one["conversation"] == {"type": 3, "targetId": desk.user("g")}


def test_many_messages_come_once_and_in_order(desk: Desk) -> None:
    anna, bert = desk.online("anna"), desk.online("bert")
    words = [str(number) for number in range(60)]
    uids = anna.run(SEND_ALL, desk.user("bert"), words)
    assert texts(bert, 60) == words
    assert [each["message"]["uid"] for each in bert.told("message")] == uids
    assert [each["message"]["uid"] for each in anna.told("sent", 60)] == uids
    ids = [each["message"]["id"] for each in anna.told("sending", 60)]
    assert ids == [each["message"]["id"] for each in anna.told("sent", 60)]
    assert anna.run("return client.messages.waiting") == []


def test_an_outage_costs_nothing_but_time(desk: Desk, portal: BlockingPortal) -> None:
    with Proxy.listening(portal) as line:
        line.target_port = desk.server.port
        anna = desk.online("anna", address=f"ws://{line.address}")
        bert = desk.online("bert")
        anna.run("await client.rooms.join('room-' + client.userId)")
        anna.run(SEND, desk.user("bert"), "before")
        line.cut()
        anna.until("client.status !== 0")
        words = [str(number) for number in range(20)]
        anna.run(
            "window.sending = Promise.all(b.map((each) =>"
            " client.messages.send(privateChat(a), text(each))))",
            desk.user("bert"),
            words,
        )
        bert.run(SEND, desk.user("anna"), "meanwhile")
        assert len(anna.run("return client.messages.waiting")) == 20
        line.wait_refused()
        line.mend()
        anna.run("dispatchEvent(new Event('online'))")
        assert len(anna.run("return await sending")) == 20
        assert texts(bert, 21) == ["before", *words]
        assert texts(anna, 1) == ["meanwhile"]
        statuses = [each["status"] for each in anna.told("status")]
        assert statuses[:3] == [1, 0, 3]
        assert statuses[-2:] == [1, 0]
        anna.run("await client.messages.send(roomChat('room-' + client.userId), text('still in'))")


def test_a_message_without_an_answer_is_stored_once(desk: Desk) -> None:
    """The line breaks when the server has the message and its answer is on the way."""
    anna, bert = desk.online("anna"), desk.online("bert")
    anna.run(
        """
        const own = WebSocket.prototype.send;
        WebSocket.prototype.send = function (data) {
          own.call(this, data);
          // A PUBLISH is not answered any more; the socket dies when the server has it.
          if (new Uint8Array(data)[0] >> 4 === 3) {
            WebSocket.prototype.send = own;
            this.onmessage = () => {};
            setTimeout(() => { this.close(); this.onclose(); }, 300);
          }
        };
        """
    )
    anna.run(SEND, desk.user("bert"), "once")
    anna.run(SEND, desk.user("bert"), "more")
    assert texts(bert, 2) == ["once", "more"]
    assert anna.run("return told('status').map(({ status }) => status)")[-2:] == [1, 0]


def test_the_next_page_sends_what_the_last_one_could_not(desk: Desk) -> None:
    anna = desk.online("anna", isKept=True)
    bert = desk.online("bert")
    desk.server.refuse(desk.user("anna"), times=100)
    desk.server.cut(desk.user("anna"))
    anna.until("client.status !== 0")
    anna.run(
        "client.messages.send(privateChat(a), text('late')).catch(() => {})", desk.user("bert")
    )
    anna.load()
    desk.server.reset()
    desk.online("anna", anna, isKept=True)
    assert texts(bert, 1) == ["late"]
    names = [each for each, _ in anna.run("return log") if each in ("sending", "sent")]
    assert names == ["sending", "sent"]
    anna.load()
    desk.online("anna", anna, isKept=True)
    anna.run(SEND, desk.user("bert"), "now")
    assert texts(bert, 2) == ["late", "now"]


def test_a_page_that_is_loaded_again_goes_on_where_it_was(desk: Desk) -> None:
    anna, bert = desk.online("anna"), desk.online("bert", isKept=True)
    anna.run(SEND, desk.user("bert"), "one")
    bert.told("message")
    bert.load()
    anna.run(SEND, desk.user("bert"), "two")
    desk.online("bert", bert, isKept=True)
    assert texts(bert, 1) == ["two"]
    assert bert.told("message")[0]["message"]["isOffline"]


def test_a_storage_full_of_nonsense(desk: Desk) -> None:
    anna, bert = desk.open_tab(), desk.online("bert")
    nonsense = {"inbox": "-5", "outbox/1": "{", "outbox/2": '{"id": 5, "topic": 7, "up": {}}'}
    for key, value in nonsense.items():
        name = f"improto/{desk.server.app_key}/{desk.user('anna')}/{key}"
        anna.run("localStorage.setItem(a, b)", name, value)
    bert.run(SEND, desk.user("anna"), "one")
    desk.online("anna", anna, isKept=True)
    assert texts(anna, 1) == ["one"]
    (failed,) = anna.told("failed")
    assert failed["error"]["code"] == 33003
    anna.run(SEND, desk.user("bert"), "two")
    assert texts(bert, 1) == ["two"]


def test_what_does_not_fit_into_the_storage(desk: Desk) -> None:
    anna, bert = desk.open_tab(), desk.online("bert")
    anna.run(
        """
        let size = 2 ** 23;
        for (let count = 0; size >= 1; count++) {
          try {
            localStorage.setItem(`full${count}`, "x".repeat(size));
          } catch {
            size /= 2;
          }
        }
        """
    )
    desk.online("anna", anna, isKept=True)
    anna.run(SEND, desk.user("bert"), "all the same")
    assert texts(bert, 1) == ["all the same"]


def test_a_server_in_no_hurry(desk: Desk) -> None:
    """It refuses what comes too fast; the message waits and is sent again."""
    anna, bert = desk.online("anna"), desk.online("bert")
    send = """
    const answers = b.map((each) => attempt(() =>
      client.messages.send(privateChat(a), text(each))));
    return (await Promise.all(answers)).map(({ code }) => code ?? 0);
    """
    desk.server.refuse_requests(desk.user("anna"), 20604)
    assert anna.run(send, desk.user("bert"), ["slow", "next"]) == [0, 0]
    desk.server.refuse_requests(desk.user("anna"), 21501)
    assert anna.run(send, desk.user("bert"), ["bad", "good"]) == [21501, 0]
    assert texts(bert, 3) == ["slow", "next", "good"]
    (failed,) = anna.told("failed")
    assert failed["message"]["fields"] == {"content": "bad"}


def test_who_comes_for_the_first_time(desk: Desk) -> None:
    anna = desk.online("anna")
    anna.run(SEND, desk.user("bert"), "old")
    bert = desk.online("bert", fromNow=True)
    anna.run(SEND, desk.user("bert"), "new")
    assert texts(bert, 1) == ["new"]
    carl = desk.online("bert")
    assert texts(carl, 2) == ["old", "new"]


def test_several_tabs_of_a_user(desk: Desk) -> None:
    anna, other, bert = desk.online("anna"), desk.online("anna"), desk.online("bert")
    sent = anna.run(SEND, desk.user("bert"), "from here")
    bert.run(SEND, desk.user("anna"), "back")
    assert texts(other, 2) == ["from here", "back"]
    assert texts(anna, 1) == ["back"]
    copy = other.told("message")[0]["message"]
    assert copy == {**sent, "id": copy["id"]}
    bert.told("message")
    bert.run("await client.messages.confirm(told('message')[0].message)")
    for tab in (anna, other):
        (read,) = tab.told("read")
        assert read["until"] == sent["time"]
        assert read["userId"] == desk.user("bert")
    anna.run("await client.conversations.markRead(privateChat(a), b)", desk.user("bert"), 5)
    (read,) = other.told("readelsewhere")
    assert read == {
        "conversation": {"type": 1, "targetId": desk.user("bert")},
        "until": 5,
    }
    anna.run("await client.conversations.pin(privateChat(a))", desk.user("bert"))
    other.told("settings")
    (setting,) = other.run("return await client.conversations.settings()")
    assert setting["conversation"]["targetId"] == desk.user("bert")
    assert (setting["isPinned"], setting["isMuted"]) == (True, None)


def test_typing(desk: Desk) -> None:
    anna, bert = desk.online("anna"), desk.online("bert")
    anna.run(SEND, desk.user("bert"), "wake up")
    bert.told("message")
    anna.run("await client.messages.typing(privateChat(a))", desk.user("bert"))
    (typing,) = bert.told("typing")
    assert typing == {
        "conversation": {"type": 1, "targetId": desk.user("anna")},
        "userId": desk.user("anna"),
        "name": "RC:TxtMsg",
    }
    anna.run(SEND, desk.user("bert"), "done")
    assert texts(bert, 2) == ["wake up", "done"]


def test_taking_back_editing_and_expanding(desk: Desk) -> None:
    anna, other, bert = desk.online("anna"), desk.online("anna"), desk.online("bert")
    first = anna.run(SEND, desk.user("bert"), "oops")
    second = anna.run(
        "return await client.messages.send(privateChat(a), text(b), { isExpandable: true })",
        desk.user("bert"),
        "fine",
    )
    anna.run("await client.messages.recall(a)", first)
    for tab, peer in ((bert, "anna"), (other, "bert")):
        (recall,) = tab.told("recall")
        assert recall["uid"] == first["uid"]
        assert recall["conversation"] == {"type": 1, "targetId": desk.user(peer)}
    code = bert.run("return await attempt(() => client.messages.recall(a))", second)["code"]
    assert code == 25101
    anna.run("await client.messages.expand(a, { put: { k: 'v', gone: 'x' } })", second)
    anna.run("await client.messages.expand(a, { remove: ['gone'] })", second)
    put, remove = bert.told("expansion", 2)
    assert (put["uid"], put["put"], remove["remove"]) == (
        second["uid"],
        {"k": "v", "gone": "x"},
        ["gone"],
    )
    anna.run("await client.messages.edit(a, text('finer'))", second)
    (edit,) = bert.told("edit")
    assert edit["message"]["fields"] == {"content": "finer"}
    assert edit["message"]["isEdited"]
    page = bert.run("return await client.messages.history(privateChat(a))", desk.user("anna"))
    texts_of_page = [each["fields"].get("content") for each in page["messages"]]
    assert texts_of_page[0] == "finer"
    assert page["messages"][0]["expansion"] == {"k": "v"}


def test_history_and_lists(desk: Desk) -> None:
    anna, bert = desk.online("anna"), desk.online("bert")
    words = [str(number) for number in range(5)]
    anna.run(SEND_ALL, desk.user("bert"), words)
    bert.told("message", 5)
    pages = bert.run(
        """
        const chat = privateChat(a);
        const one = await client.messages.history(chat, { count: 3 });
        const two = await client.messages.history(chat, { count: 3, before: one.next });
        const first = two.messages[0].time;
        const after = await client.messages.history(chat, { after: first, count: 2 });
        return [one, two, after].map(({ messages, hasMore }) =>
          [messages.map(({ fields }) => fields.content), hasMore]);
        """,
        desk.user("anna"),
    )
    assert pages == [[["2", "3", "4"], True], [["0", "1"], False], [["1", "2"], True]]
    listed = bert.run("return await client.conversations.list()")
    assert [each["conversation"]["targetId"] for each in listed] == [desk.user("anna")]
    assert listed[0]["unread"] == 5
    assert listed[0]["last"]["fields"] == {"content": "4"}
    bert.run("await client.conversations.markRead(privateChat(a), client.now())", desk.user("anna"))
    assert bert.run("return (await client.conversations.list())[0].unread") == 0
    bert.run(
        """
        const messages = told("message").map(({ message }) => message);
        await client.messages.remove(messages.slice(0, 2));
        await client.messages.remove([]);
        """
    )
    history = "return (await client.messages.history(privateChat(a))).messages.length"
    assert bert.run(history, desk.user("anna")) == 3
    bert.run("await client.messages.clear(privateChat(a))", desk.user("anna"))
    assert bert.run(history, desk.user("anna")) == 0
    bert.run("await client.conversations.remove(privateChat(a))", desk.user("anna"))
    assert bert.run("return await client.conversations.list()") == []


def test_a_python_client_is_understood(desk: Desk) -> None:
    anna = desk.online("anna")
    with desk.server.user(desk.user("bert")).online() as bert:
        bert.send(Conversation.private(desk.user("anna")), Text("from Python"))
        assert texts(anna, 1) == ["from Python"]
        anna.run(SEND, desk.user("bert"), "from JavaScript")
        assert bert.receive().decoded() == Text("from JavaScript")


@pytest.mark.parametrize(
    ("script", "code", "problem"),
    [
        ("client.messages.send({ type: 6, targetId: 'x' }, text(''))", 33003, "type 6"),
        ("client.messages.send(privateChat(5), text(''))", 33003, "targetId has to be a text"),
        ("client.messages.send(privateChat('x'), custom(5, {}))", 33003, "classname has to be"),
        ("client.messages.send(privateChat('x'), text('x'.repeat(131072)))", 30016, "131086 bytes"),
        ("client.messages.typing({ type: 5, targetId: 'x' })", 33003, "nobody sees typing"),
        ("client.messages.confirm({ conversation: groupChat('g') })", 33003, "of groups"),
        ("client.messages.history(privateChat('x'), { count: 101 })", 33003, "1 to 100"),
        ("client.messages.history({ type: 12, targetId: 'x' })", 33003, "no history"),
        ("client.messages.clear(roomChat('x'))", 33003, "cannot be cleared"),
        (
            "client.messages.remove([privateChat('x'), privateChat('y')]"
            ".map((conversation) => ({ conversation })))",
            33003,
            "one conversation",
        ),
        ("client.conversations.list({ count: 0 })", 33003, "1 to 1000"),
        ("client.query('nonsense', {})", 33003, "nobody asks nonsense"),
        ("client.query('queryChrmI', { count: 1 })", 33003, "needs a target"),
        ("client.query('getBlack', { nothing: 'x' })", 33003, "nothing has to be a number"),
        ("client.publish('nonsense', {})", 33003, "nobody tells nonsense"),
        ("client.connect()", 35007, "while connected"),
    ],
)
def test_what_cannot_be(desk: Desk, connected: Tab, script: str, code: int, problem: str) -> None:
    answer = connected.run(f"return await attempt(() => {script})")
    assert answer["code"] == code
    assert problem in answer["message"]
    assert connected.run("return client.status") == 0
