"""Blacklists, discussions, presence: what the SDKs have no functions for, done by programs with
our client, while a page is somebody who is concerned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

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
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop


def test_whoever_is_blocked_is_not_heard(door: Door, server: ImServer) -> None:
    anna, bert = online(door.program(server)), online(door.page(server))
    delivers(bert, anna, texts("hello"))
    blacklist = anna.im.blacklist
    anna.call(blacklist.add, bert.user)
    with pytest.raises(Refused, match="405"):
        bert.send(anna.user, {"content": "hello again"})
    delivers(anna, bert, texts("I can still write"))
    assert anna.call(blacklist.list) == [bert.user]
    assert anna.call(blacklist.has, bert.user)
    anna.call(blacklist.remove, bert.user)
    assert not anna.call(blacklist.has, bert.user)
    delivers(bert, anna, texts("thank you"))
    nothing_more(anna, bert)


def test_a_page_says_by_itself_what_it_cannot(door: Door, server: ImServer) -> None:
    anna = online(door.page(server))
    for function, *arguments in anna.sdk.names_only:
        with pytest.raises(Refused, match=str(anna.sdk.refused_names)):
            anna.ask("missing", function, *arguments)


def test_a_discussion_lives(door: Door, server: ImServer) -> None:
    anna, bert = online(door.program(server)), online(door.program(server))
    page = online(door.page(server))
    made = anna.call(anna.im.discussions.create, "tea", [bert.user, page.user])
    tea = Place(DISCUSSION, made.target_id)
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
    anna.call(anna.im.discussions.remove, tea.id, page.user)
    with pytest.raises(Refused, match="21406"):
        page.send(tea, {"content": "and me?"})
    with pytest.raises(Refused, match="20406"):
        bert.call(bert.im.discussions.remove, tea.id, anna.user)
    info = bert.call(bert.im.discussions.get, tea.id)
    assert (info.name, info.owner_id) == ("tea", anna.user)
    assert set(info.first_members) == {anna.user, bert.user}


def test_who_is_there(door: Door, server: ImServer) -> None:
    anna, page = online(door.program(server)), door.page(server)
    assert not anna.call(anna.im.presence.get, page.user).is_online
    online(page)
    assert anna.call(anna.im.presence.get, page.user).is_online
    page.disconnect()
