"""Messages between two people who are there, each with a page or a program."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.interop.party import (
    IMAGE,
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

FRIENDS = ("page", "program")
"""What the other one has, while the first one has a page."""

AWKWARD = (
    "Grüße, שלום, 你好",
    "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd",
    "\U00020bb7\U0001d11e\U0010ffff",
    "e\u0301 \u202eabc\u202c \u2028 \ufeff",
    '"quoted" \\ </script> \n\t\r',
    "\x00\x01\x7f",
    "",
    " ",
)

FRIEND = pytest.mark.parametrize("friend", FRIENDS)


@FRIEND
def test_text_goes_both_ways(door: Door, server: ImServer, friend: str) -> None:
    anna, bert = online(door.page(server)), online(door.party(server, friend))
    delivers(anna, bert, texts("Hello, Bert"))
    delivers(bert, anna, texts("Hello, Anna", "how are you?"))
    delivers(anna, bert, texts("fine"))
    nothing_more(anna, bert)


@FRIEND
def test_text_is_not_changed_on_the_way(door: Door, server: ImServer, friend: str) -> None:
    anna, bert = online(door.page(server)), online(door.party(server, friend))
    delivers(anna, bert, texts(*AWKWARD))
    delivers(bert, anna, texts(*AWKWARD))
    nothing_more(anna, bert)


@FRIEND
def test_64_kb_of_text_pass(door: Door, server: ImServer, friend: str) -> None:
    anna, bert = online(door.page(server)), online(door.party(server, friend))
    long = texts("0123456789abcdef" * 4096, "\U0001f600" * (65_536 // 4))
    delivers(anna, bert, long)
    delivers(bert, anna, long)
    nothing_more(anna, bert)


@FRIEND
def test_a_burst_of_200_comes_in_order(door: Door, server: ImServer, friend: str) -> None:
    anna, bert = online(door.page(server)), online(door.party(server, friend))
    burst = texts(*(f"message {number}" for number in range(200)))
    delivers(anna, bert, burst)
    delivers(bert, anna, burst)
    nothing_more(anna, bert)


@pytest.mark.parametrize("friend", FRIENDS[:1])
def test_bursts_that_meet_do_not_disturb_each_other(
    door: Door, server: ImServer, friend: str
) -> None:
    # An SDK may take a delivery for the answer to a message of its own (interop 5).
    anna, bert = online(door.page(server)), online(door.party(server, friend))
    burst = texts(*(f"message {number}" for number in range(200)))
    with ThreadPoolExecutor() as threads:
        from_anna = threads.submit(anna.send_all, bert.user, burst)
        from_bert = threads.submit(bert.send_all, anna.user, burst)
    hears(anna, bert, burst, from_bert.result())
    hears(bert, anna, burst, from_anna.result())
    nothing_more(anna, bert)


@FRIEND
def test_other_kinds_of_messages_pass(door: Door, server: ImServer, friend: str) -> None:
    anna, bert = online(door.page(server)), online(door.party(server, friend))
    for party in (anna, bert):
        party.register("app:card", ["name", "number", "inner"])
    card = {"name": "\U0001f0a1", "number": 3, "inner": {"list": [1, 2.5, None, True]}}
    picture = {"content": "QUJD" * 10_000, "imageUri": "http://127.0.0.1/picture.png"}
    for kind, content in (("app:card", card), (IMAGE, picture)):
        delivers(anna, bert, [content], kind=kind)
        delivers(bert, anna, [content], kind=kind)
    nothing_more(anna, bert)


@FRIEND
def test_both_see_who_is_typing(door: Door, server: ImServer, friend: str) -> None:
    anna, bert = online(door.page(server)), online(door.party(server, friend))
    for writer, reader in ((anna, bert), (bert, anna)):
        writer.send_typing(reader.user)
        assert reader.take_typing() == (writer.user, writer.user)
    nothing_more(anna, bert)


def test_a_message_to_oneself_is_kept_but_not_sent_back(door: Door, server: ImServer) -> None:
    anna = online(door.page(server))
    (note,) = texts("milk, bread")
    sent = anna.send(anna.user, note)
    (kept,), has_more = anna.history(anna.user, count=5)
    assert (kept.content, kept.uid, has_more) == (note, sent.uid, False)
    nothing_more(anna)
