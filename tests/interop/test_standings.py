"""Users who may not speak or not come in, by order of the application."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto_client import UserBlocked
from improto_server.store.chatrooms import Mark
from tests.interop.page import Page
from tests.interop.party import CHATROOM, Place, Refused, delivers, nothing_more, online, texts
from tests.interop.program import LOOPS
from tests.interop.sdk import IMLIB_2_9_2
from tests.interop.test_groups import KINDS, group_of

if TYPE_CHECKING:
    from tests.interop.conftest import Door
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

FOREVER = 2**53 - 1
LONG = 600.0
"""Seconds, on a page's own clock, in which an SDK that wants to connect again does."""


def test_a_page_is_sent_away_when_its_user_is_banned(door: Door, server: ImServer) -> None:
    anna, bert = door.page(server), online(door.program(server, "asyncio"))
    anna.connect()
    anna.hold_clock()
    server.judge(anna.user, "ban", until=FOREVER)
    expected = anna.sdk.connected + anna.sdk.banned
    anna.wait_for(f"statuses.length >= {len(expected)}")
    anna.pass_time(LONG)
    assert tuple(anna.statuses) == expected
    assert anna.sockets == anna.sdk.sockets
    sent = bert.send(anna.user, {"content": "until you are back"})

    again = door.page(server, anna.user)
    token = server.token(anna.user)
    assert again.log_in(token) == {"error": again.sdk.refused_ban}
    server.judge(anna.user, "ban", until=0)
    again.connect()
    assert again.take(1)[0].uid == sent.uid
    nothing_more(again, bert)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_program_is_sent_away_when_its_user_is_banned(
    door5: Door, server: ImServer, loop: str
) -> None:
    anna = online(door5.program(server, loop))
    server.judge(anna.user, "ban", until=FOREVER)
    anna.wait_disconnected()
    with pytest.raises(UserBlocked):
        anna.connect()
    server.judge(anna.user, "ban", until=0)
    nothing_more(online(anna))


@pytest.mark.parametrize("kind", KINDS)
def test_who_is_muted_only_listens(door: Door, server: ImServer, kind: str) -> None:
    anna, bert = online(door.party(server, kind)), online(door.page(server))
    server.judge(anna.user, "mute", until=FOREVER)
    with pytest.raises(Refused, match="20406"):
        anna.send(bert.user, {"content": "hello?"})
    delivers(bert, anna, texts("cannot you speak?"))
    server.judge(anna.user, "mute", until=0)
    delivers(anna, bert, texts("now I can"))
    nothing_more(anna, bert)


@pytest.mark.parametrize("kind", KINDS)
def test_who_is_gagged_in_a_group_only_listens_there(
    door: Door, server: ImServer, kind: str
) -> None:
    anna, bert = door.page(server), door.party(server, kind)
    group = group_of(server, anna, bert)
    for party in (anna, bert):
        online(party)
    server.order("groups", "mute_member", group.id, bert.user)
    with pytest.raises(Refused, match="22408"):
        bert.send(group, {"content": "hello?"})
    delivers(bert, anna, texts("I am gagged"))
    anna.send(group, {"content": "he is gagged"})
    bert.take(1)
    server.order("groups", "mute_member", group.id, bert.user, until=0)
    server.order("groups", "mute_all", group.id, is_muted=True)
    with pytest.raises(Refused, match="22408"):
        bert.send(group, {"content": "hello?"})
    anna.send(group, {"content": "the owner may speak"})
    bert.take(1)
    nothing_more(anna, bert)


@pytest.mark.parametrize("kind", KINDS)
def test_who_is_gagged_or_banned_in_a_room(door: Door, server: ImServer, kind: str) -> None:
    anna, bert = online(door.page(server)), online(door.party(server, kind))
    room = Place(CHATROOM, f"room-of-{anna.user}")
    for party in (anna, bert):
        party.join(room.id, count=-1)
    server.order("rooms", "mark", room.id, bert.user, Mark.GAGGED, until=FOREVER)
    with pytest.raises(Refused, match="23408"):
        bert.send(room, {"content": "hello?"})
    anna.send(room, {"content": "he is gagged"})
    bert.take(1)
    server.order("rooms", "mark", room.id, bert.user, Mark.BANNED, until=FOREVER)
    assert anna.room_info(room.id, count=5).members == [anna.user]
    with pytest.raises(Refused, match="23409"):
        bert.send(room, {"content": "hello?"})
    if isinstance(bert, Page) and bert.sdk.version == IMLIB_2_9_2.version:
        # A join that is refused fails inside of SDK 2.9.2; it never answers (operations 14).
        bert.script("(...all) => { im.join(...all); }", room.id, -1)
        bert.settle()
        assert "joinTime" in bert.mistakes.pop()
    else:
        with pytest.raises(Refused, match="23409"):
            bert.join(room.id, count=-1)
    assert anna.room_info(room.id, count=5).total == 1
    nothing_more(anna, bert)
