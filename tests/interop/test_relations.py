"""Blacklists, discussions, presence: what the SDKs have no functions for, done by programs with
our client, while a page is somebody who is concerned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto import payloads
from improto.operations import Topic
from tests.interop.party import (
    DISCUSSION,
    Place,
    Refused,
    delivers,
    hears,
    nothing_more,
    online,
    texts,
)

if TYPE_CHECKING:
    from tests.interop.conftest import Door
    from tests.interop.party import Party
    from tests.interop.program import Program
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

LOOPS = ("asyncio", "trio")


@pytest.mark.parametrize("loop", LOOPS)
def test_whoever_is_blocked_is_not_heard(door: Door, server: ImServer, loop: str) -> None:
    anna, bert = online(door.program(server, loop)), online(door.page(server))
    delivers(bert, anna, texts("hello"))
    block = payloads.Add2BlackListInput(userId=bert.user)
    anna.ask(Topic.ADD_BLACK, bert.user, block, None)
    with pytest.raises(Refused, match="405"):
        bert.send(anna.user, {"content": "hello again"})
    delivers(anna, bert, texts("I can still write"))
    listed = anna.ask(
        Topic.GET_BLACK,
        anna.user,
        payloads.QueryBlackListInput(nothing=1),
        payloads.QueryBlackListOutput,
    )
    assert list(listed.userIds) == [bert.user]
    status = payloads.BlackListStatusInput(userId=bert.user)
    anna.ask(Topic.BLACK_STAT, bert.user, status, None)
    unblock = payloads.RemoveFromBlackListInput(userId=bert.user)
    anna.ask(Topic.RM_BLACK, bert.user, unblock, None)
    with pytest.raises(Refused, match="101"):
        anna.ask(Topic.BLACK_STAT, bert.user, status, None)
    delivers(bert, anna, texts("thank you"))
    nothing_more(anna, bert)


def test_a_page_says_by_itself_what_it_cannot(door: Door, server: ImServer) -> None:
    anna = online(door.page(server))
    for function, *arguments in anna.sdk.names_only:
        with pytest.raises(Refused, match=str(anna.sdk.refused_names)):
            anna.ask("missing", function, *arguments)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_discussion_lives(door: Door, server: ImServer, loop: str) -> None:
    anna, bert = online(door.program(server, loop)), online(door.program(server, loop))
    page = online(door.page(server))
    made = anna.ask(
        Topic.CR_DIZ,
        anna.user,
        payloads.CreateDiscussionInput(name="tea"),
        payloads.CreateDiscussionOutput,
    )
    tea = Place(DISCUSSION, made.id)
    invite(anna, tea, bert, page)
    (joined,) = bert.take(1)
    assert (joined.kind, joined.type, joined.conversation) == ("RC:DizNtf", *tea)
    assert joined.content["operation"] == anna.user
    words = texts("who wants tea?")
    sent = anna.send_all(tea, words)
    hears(bert, anna, words, sent, place=tea)
    # This SDK files discussions under who has written (messages 1); it hears them all the same.
    assert sent[0].uid in {message.uid for message in page.heard(2)}
    words = texts("I do")
    sent = page.send_all(tea, words)
    for listener in (anna, bert):
        hears(listener, page, words, sent, place=tea)
    evict = payloads.ChannelEvictionInput(user=page.user)
    anna.ask(Topic.EVCT_DIZ, tea.id, evict, None)
    with pytest.raises(Refused, match="21406"):
        page.send(tea, {"content": "and me?"})
    with pytest.raises(Refused, match="20406"):
        bert.ask(Topic.EVCT_DIZ, tea.id, payloads.ChannelEvictionInput(user=anna.user), None)
    info = bert.ask(
        Topic.DIZ_INF,
        tea.id,
        payloads.ChannelInfoInput(nothing=1),
        payloads.ChannelInfoOutput,
    )
    assert (info.channelName, info.adminUserId) == ("tea", anna.user)
    assert set(info.firstTenUserIds) == {anna.user, bert.user}


def invite(host: Program, place: Place, *guests: Party) -> None:
    request = payloads.ChannelInvitationInput(users=[guest.user for guest in guests])
    host.ask(Topic.INVT_DIZ, place.id, request, None)


@pytest.mark.parametrize("loop", LOOPS)
def test_who_is_there(door: Door, server: ImServer, loop: str) -> None:
    anna, page = online(door.program(server, loop)), door.page(server)
    request = payloads.GetUserStatusInput(nothing=1)

    def status() -> str:
        reply = anna.ask(Topic.GET_USER_STATUS, page.user, request, payloads.GetUserStatusOutput)
        return str(reply.status)

    assert '"o":false' in status()
    online(page)
    assert '"o":true' in status()
    page.disconnect()
