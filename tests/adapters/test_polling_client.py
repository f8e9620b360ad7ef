"""Our clients on long polling: the suite of clients again, as far as it is not about WebSocket."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.contents import Text
from improto.errors import ConnectionEnded, RemoteProtocolError, RequestRefused
from improto.events import CloseReason, ConnectionClosed
from improto.messages import Conversation
from improto.operations import Topic
from tests.adapters import test_client as suite
from tests.adapters.office import Office, connected, until

if TYPE_CHECKING:
    import ssl

pytestmark = pytest.mark.anyio


class Polling:
    """An adapter whose clients poll."""

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter
        self.connect = partial(adapter.connect, transport="polling")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)


@pytest.fixture
def adapter(adapter: Any) -> Any:
    return Polling(adapter)


OTHERS = {
    "test_a_client_logs_in_and_leaves",
    "test_a_block_that_raises_aborts_and_lets_the_exception_through",
    "test_asking",
    "test_refused_requests",
    "test_a_followed_room_is_pulled",
    "test_a_server_that_does_not_read_stops_the_senders_and_not_the_memory",
}
"""Those whose server is a WebSocket's, or hears of the end at once, or answers with anything."""

for _name in sorted(set(dir(suite)) - OTHERS):
    if _name.startswith("test_"):
        globals()[_name] = getattr(suite, _name)


async def test_who_leaves_is_gone_when_he_polls_no_more(adapter: Any, office: Office) -> None:
    """There is no logout (http 5.5)."""
    async with adapter.serve(office, "127.0.0.1", 0) as server:
        async with connected(adapter, server) as client:
            assert client.user_id == "ann"
        assert client.close_event == ConnectionClosed(reason=CloseReason.LOCAL)
        await until(lambda: not server.connections)
        assert office.ends == []
    assert [end.reason for end in office.ends] == [CloseReason.LOCAL]


async def test_questions(adapter: Any, office: Office) -> None:
    question = payloads.ChrmInput(nothing=1)
    async with (
        adapter.serve(office, "127.0.0.1", 0) as server,
        connected(adapter, server) as client,
    ):
        answer = await client.ask(Topic.EXIT_CHRM, "room", question, payloads.ChrmOutput)
        assert answer.nothing == 1
        office.status = ErrorCode.NOT_IN_CHATROOM
        with pytest.raises(RequestRefused) as refused:
            await client.ask(Topic.EXIT_CHRM, "room", question, payloads.ChrmOutput)
        assert refused.value.code == ErrorCode.NOT_IN_CHATROOM


async def test_a_server_without_long_polling(adapter: Any, office: Office) -> None:
    async with adapter.serve(office, "127.0.0.1", 0, long_polling=False) as server:
        with pytest.raises(RemoteProtocolError):
            async with connected(adapter, server):
                pass


async def test_posts_find_nobody_any_more(adapter: Any, office: Office) -> None:
    """The connection for posts is opened when there is something to post."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(adapter.serve(office, "127.0.0.1", 0))
        client = await stack.enter_async_context(connected(adapter, server))
        await until(lambda: server.connections == 1)
        server._stop_accepting()
        with pytest.raises(ConnectionEnded):
            await client.send(Conversation.private("bob"), Text("hi"))


async def test_a_transport_that_there_is_not(adapter: Any) -> None:
    with pytest.raises(ValueError, match="transport"):
        async with adapter.connect("127.0.0.1", 1, app_key="a", token="t", transport="pigeons"):
            pass


async def test_posts_are_encrypted_too(
    adapter: Any, office: Office, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with adapter.serve(office, "127.0.0.1", 0, ssl=server_tls) as server:
        _, port = server.addresses[0]
        login = {"app_key": "app", "token": "ann", "ssl": client_tls}
        async with adapter.connect("localhost", port, **login) as client:
            await client.send(Conversation.private("bob"), Text("hi"))
    assert len(office.contents) == 1
