"""The awaitable server and its handlers, in memory and step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from improto._async_server import begin_with
from improto.codes import ConnAckStatus
from improto.contents import Text
from improto.errors import ConnectionEnded, RequestRefused
from improto.events import CloseReason, PublishReceived, PullReceived, QueryReceived
from improto.frames import TimeMs
from improto.http import HttpRequest, HttpResponse
from improto.messages import Conversation, Request
from improto.operations import Topic
from tests.by_hand import Waiting, Wakeup
from tests.in_memory import SERVER_TIME, MemoryLine, World

if TYPE_CHECKING:
    from improto._async_server import Session
    from improto.endpoint import ServerEndpoint

BOB = Conversation.private("bob")


async def polite(session: Session) -> None:
    """Let everybody in and answer everything."""
    session.accept(session.login.token)
    async for event in session:
        match event:
            case PublishReceived():
                session.peer.acknowledge(event.frame.message_id, timestamp=session.time, uid="U")
            case QueryReceived():
                session.peer.answer(event.frame.message_id, timestamp=session.time, data=b"yes")
            case PullReceived():
                session.peer.answer_pull(
                    event.message_id, [], sync_time=TimeMs(1), newest=TimeMs(1), is_finished=True
                )


def wait_for(world: World, coroutine: Any) -> Any:
    """What a coroutine returns or raises, when everything else goes on."""
    waiting = Waiting(coroutine)
    world.run(waiting)
    return waiting.result


def ask(world: World, path: str) -> bytes:
    """The answer to a plain HTTP request."""
    line = world.accept()
    line.other = MemoryLine(world.of_server)
    line.receive_data(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    world.of_server.flush()
    return b"".join(line.other.arriving)


# -- sessions -----------------------------------------------------------------------------------


def test_a_handler_serves_a_client() -> None:
    world = World(polite)
    client = world.connect()
    assert wait_for(world, client.send(BOB, Text("hi"))).uid == "U"
    query = Request(topic=Topic.PULL_US, target_id="ann", data=b"")
    assert wait_for(world, client.query(query)) == b"yes"


def test_a_session_shows_who_wants_in() -> None:
    seen: list[object] = []

    async def handler(session: Session) -> None:
        seen.extend([session.login.app_key, session.address, session.time, session.close_event])
        session.accept("ann", session_id="chosen", timestamp=TimeMs(5))
        async for _ in session:
            pass
        seen.append(session.close_event and session.close_event.reason)

    world = World(handler)
    client = world.connect()
    assert client.server_time == 5
    assert seen == ["app", "client:1", SERVER_TIME, None]
    wait_for(world, client.aclose())
    assert seen[-1] is CloseReason.PEER


def test_sessions_are_numbered_unless_they_are_named() -> None:
    ids: list[str] = []

    async def handler(session: Session) -> None:
        real = session.peer.connection.accept
        session.peer.connection.accept = lambda *args, **named: (  # type: ignore[method-assign]
            ids.append(args[1]),
            real(*args, **named),
        )
        await polite(session)

    world = World(handler)
    world.connect()
    world.connect()
    assert ids == ["1", "2"]


def test_a_client_can_be_refused() -> None:
    async def handler(session: Session) -> None:
        session.refuse(ConnAckStatus.APP_BLOCK_OR_DELETE)

    world = World(handler)
    logging_in, _ = world.open()
    world.run(logging_in)
    with pytest.raises(ConnectionEnded) as refused:
        _ = logging_in.result
    assert refused.value.status == ConnAckStatus.APP_BLOCK_OR_DELETE


def test_where_the_handler_ends_the_connection_ends() -> None:
    async def handler(session: Session) -> None:
        session.accept("ann")

    world = World(handler)
    client = world.connect()
    world.run()
    assert client.close_event is not None
    assert client.close_event.reason is CloseReason.PEER
    assert len(world.of_server) == 0


def test_a_handler_that_raises_is_reported_and_loses_its_client_only() -> None:
    async def handler(session: Session) -> None:
        if session.login.token == "good":
            await polite(session)
        session.accept("bad")
        async for _ in session:
            raise RuntimeError("a bug")

    world = World(handler)
    good = world.connect("good")
    bad = world.connect("bad")
    world.run()
    assert [str(error) for error in world.reports] == ["a bug"]
    assert not bad.is_open
    assert wait_for(world, good.send(BOB, Text("hi"))).uid == "U"


def test_an_answer_may_be_a_refusal() -> None:
    async def handler(session: Session) -> None:
        session.accept("ann")
        async for event in session:
            if isinstance(event, PublishReceived):
                session.peer.acknowledge(event.frame.message_id, timestamp=TimeMs(1), status=39002)

    world = World(handler)
    client = world.connect()
    with pytest.raises(RequestRefused, match="39002"):
        wait_for(world, client.send(BOB, Text("hi")))


# -- HTTP ---------------------------------------------------------------------------------------


def test_the_probe_is_answered_without_being_asked_for() -> None:
    world = World(polite)
    assert ask(world, "/ping?r=1").startswith(b"HTTP/1.1 200")
    assert ask(world, "/navi.js").startswith(b"HTTP/1.1 404")


def test_a_program_may_answer_http_itself() -> None:
    def http(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=200, body=f"you asked for {request.path}".encode())

    assert ask(World(polite, http=http), "/navi.js").endswith(b"you asked for /navi.js")


# -- the server ---------------------------------------------------------------------------------


def test_a_server_counts_its_connections() -> None:
    world = World(polite)
    assert world.server.addresses == [("memory", 1)]
    assert world.server.connections == 0
    client = world.connect()
    assert world.server.connections == 1
    wait_for(world, client.aclose())
    assert world.server.connections == 0


def test_closing_sends_everybody_away_and_waits() -> None:
    world = World(polite)
    clients = [world.connect(), world.connect()]
    waiting = Waiting(world.server.wait_closed())
    closing = Waiting(world.server.aclose())
    assert not world.is_accepting
    assert not closing.is_done
    world.run(closing, waiting)
    assert closing.is_done
    assert waiting.is_done
    assert [client.close_event and client.close_event.reason for client in clients] == [
        CloseReason.PEER,
        CloseReason.PEER,
    ]


def test_closing_waits_for_handlers_that_still_work() -> None:
    saved = Wakeup()

    async def handler(session: Session) -> None:
        session.accept("ann")
        async for _ in session:
            pass
        await saved.wait()

    world = World(handler)
    world.connect()
    closing = Waiting(world.server.aclose(deadline=3.0))
    world.run(closing)
    assert world.server.connections == 0
    assert not closing.is_done
    saved.set()
    world.run(closing)
    assert closing.is_done


def test_closing_does_not_wait_beyond_its_deadline() -> None:
    world = World(polite)
    world.connect()
    closing = Waiting(world.server.aclose(deadline=3.0))
    world.advance(3.0)
    closing.step()
    assert closing.is_done
    assert world.server.connections == 0


def test_an_unknown_framer_is_refused_before_anything_is_opened() -> None:
    world = World(polite)
    with pytest.raises(ValueError, match="framer"):
        begin_with(None, lines=world.of_server, framer="carrier pigeon")  # type: ignore[arg-type]


def test_a_handler_serves_a_client_that_polls() -> None:
    """Under a session id that nobody guesses, which that of the handler is not."""
    world = World(polite)
    line = world.accept()
    line.other = MemoryLine(world.of_server)
    line.receive_data(b"GET /websocket?appId=a&token=ann&sdkVer=2.9.2 HTTP/1.1\r\nhost: x\r\n\r\n")
    world.run(*world.tasks)
    answer = b"".join(line.other.arriving)
    assert b'{"status":0,"userId":"ann","headerCode":32,"messageId":0,"sessionid":"S",' in answer


def test_a_server_may_do_without_long_polling() -> None:
    world = World(polite)
    begin = begin_with(world.service, lines=world.of_server, framer="wsproto")
    line: MemoryLine[ServerEndpoint] = MemoryLine(world.of_server)
    line.other = MemoryLine(world.of_server)
    line.open(begin(line, "client:1"))
    line.receive_data(b"GET /websocket HTTP/1.1\r\nhost: x\r\n\r\n")
    assert b"not found" in b"".join(line.other.arriving)
