"""What concerns several parts of the server at once, and so is nobody's own test."""

from __future__ import annotations

import json
from types import NoneType
from typing import TYPE_CHECKING

import pytest

from improto.contents import DownFlag, UpFlag
from improto.http import HttpRequest
from improto.login import Login
from improto.operations import Topic
from improto.server import ServerConnection
from improto.service import Peer
from improto_server.hub import Hub
from improto_server.inbox import Inbox
from improto_server.rate import TokenBucket
from tests.server.conversation_tools import conversations, entries, history
from tests.server.rig import APP, Rig, item

if TYPE_CHECKING:
    from pathlib import Path

# Copied by hand from the table of object names (messages 4), not from the code.
BOTH = UpFlag.STORED | UpFlag.COUNTED
CONTENTS = {
    "RC:TxtMsg": BOTH,
    "RC:VcMsg": BOTH,
    "RC:HQVCMsg": BOTH,
    "RC:ImgMsg": BOTH,
    "RC:GIFMsg": BOTH,
    "RC:ImgTextMsg": BOTH,
    "RC:FileMsg": BOTH,
    "RC:LBSMsg": BOTH,
    "RC:SightMsg": BOTH,
    "RC:PSImgTxtMsg": BOTH,
    "RC:PSMultiImgTxtMsg": BOTH,
    "RC:ContactNtf": UpFlag.STORED,
    "RC:ProfileNtf": UpFlag.STORED,
    "RC:CmdNtf": UpFlag.STORED,
    "RC:InfoNtf": UpFlag.STORED,
    "RC:GrpNtf": UpFlag.STORED,
    "RC:ReadNtf": UpFlag(0),
    "RC:PSCmd": UpFlag(0),
    "RC:CmdMsg": UpFlag(0),
    "RC:TypSts": UpFlag(0),
    "RC:RRRspMsg": UpFlag(0),
}

# From the tables of the fields of navigation (http 2.3, sdk5 2.2).
NAVIGATION: dict[type, str] = {
    str: """
        userId server backupServer voipCallInfo logPolicy uploadServer bosAddr ossConfig
        activeServer offlinelogserver onlinelogserver voipServer qnAddr location
    """,
    int: """
        code openMp kvStorage openUS openAnti ugMsg grpRRVer logSwitch compDays extkitSwitch
        isFormatted monitor openHttpDNS grpMsgLimit gifSize videoTimes
        userProfile subDriven serverSaveUnread sesDriven msgModifyMinute
    """,
    bool: "joinMChrm historyMsg chatroomMsg alone",
    NoneType: "msgAck",
}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_message_of_every_kind_arrives(tmp_path: Path, name: str) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    content = b'{"content":"\\u4f60","extra":"x"}'
    flags = CONTENTS[name]
    alice.publish("bob", content, name=name, flags=flags)
    rig.settle()
    assert alice.ack().status == 0
    (push,) = bob.deliveries()
    message = item(push)
    assert (message.classname, message.content) == (name, content)
    assert bool(message.status & DownFlag.STORED) == bool(flags & UpFlag.STORED)
    assert bool(message.status & DownFlag.COUNTED) == bool(flags & UpFlag.COUNTED)
    kept = [each.classname for each in history(bob, "alice").list]
    assert kept == ([name] if flags & UpFlag.STORED else [])
    unread = [count for _, _, count in entries(bob)]
    assert unread == ([int(bool(flags & UpFlag.COUNTED))] if kept else [])


@pytest.mark.parametrize("kind", NAVIGATION, ids=lambda kind: kind.__name__)
def test_navigation_has_every_field(tmp_path: Path, kind: type) -> None:
    request = HttpRequest(method="GET", target=f"/navi.js?appId={APP}&token=alice", headers=())
    reply = json.loads(Rig(tmp_path).navigation.respond(request).body)
    found = {name for name, value in reply.items() if type(value) is kind}
    assert found == set(NAVIGATION[kind].split())


@pytest.mark.parametrize("list_first", [True, False])
def test_the_list_and_the_inbox_do_not_mind_each_other(tmp_path: Path, list_first: bool) -> None:
    rig = Rig(tmp_path)
    alice, carol = rig.online("alice"), rig.online("carol")
    for sender, word in ((alice, "one"), (carol, "two"), (alice, "three")):
        sender.publish("bob", word)
        rig.settle()
        rig.advance(1)
    bob = rig.client("bob")
    listed = conversations(bob) if list_first else []
    pulled = [message.content for message in bob.pull_all()]
    assert pulled == [b"one", b"two", b"three"]
    if list_first:
        assert listed == conversations(bob)
    assert entries(bob) == [("alice", "three", 2), ("carol", "two", 1)]
    alice.publish("bob", "four")
    rig.settle()
    (push,) = bob.deliveries(Topic.S_MSG)
    assert item(push).content == b"four"
    assert entries(bob)[0] == ("alice", "four", 3)


class CountedName(str):
    """A user id that counts how often it is compared."""

    __slots__ = ()
    comparisons = 0

    def __eq__(self, other: object) -> bool:
        CountedName.comparisons += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_a_user_is_found_without_a_look_at_the_others() -> None:
    hub = Hub(lambda key: Inbox(complete_from=0, last_append=0))
    for number in range(1000):
        connection = ServerConnection(Login(app_key=APP, token="t"), now=0.0)
        peer = Peer(
            connection, address="192.0.2.1:1", origin=None, clock=lambda: 0.0, wake=lambda: None
        )
        hub.join((APP, CountedName(number)), peer, TokenBucket(0, now=0.0))
    CountedName.comparisons = 0
    user = hub.find((APP, CountedName(999)))
    assert user is not None
    assert user.key == (APP, "999")
    # One for the search, and one for the line above.
    assert CountedName.comparisons <= 2
