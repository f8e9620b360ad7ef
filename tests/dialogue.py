"""A long scripted dialogue between both ends, printed input by input.

``python -m tests.dialogue`` must print the same under every ``PYTHONHASHSEED``: a core that lets
the order of a set or the identity of an object be seen would print something else. Whoever
changes the core on purpose need not touch this file, it holds no expected output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from improto.events import MessageReceived, PublishReceived, PullReceived, QueryReceived
from improto.frames import PingReq, TimeMs
from improto.messages import request
from improto.operations import Topic
from improto.payloads import PullUserSettingInput
from tests.helpers import LOGIN_TIME, ClientScript, ServerScript, item, outgoing, up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from improto.events import ClientEvent, ServerEvent
    from improto.session import ClientSession


class Dialogue:
    """One connection, both ends, no delay."""

    def __init__(self, session: ClientSession | None, *, now: float) -> None:
        self.client = ClientScript(session, now=now)
        self.server = ServerScript(now=now)
        self.client.connection.connect(now=now)
        self.server.accept()

    def exchange(self) -> Iterator[str]:
        """Everything that both ends say, until both are silent."""
        client, server = self.client.connection, self.server.connection
        while True:
            to_server, to_client = client.messages_to_send(), server.messages_to_send()
            for message in to_server:
                yield f"C> {message.hex()}"
                server.receive_message(message, now=self.server.now)
            for message in to_client:
                yield f"S> {message.hex()}"
                client.receive_message(message, now=self.client.now)
            for event in self.client.events():
                yield f"C: {event}"
                self._react_as_client(event)
            for event in self.server.events():
                yield f"S: {event}"
                self._react_as_server(event)
            yield f"-- {client.next_deadline()} {server.next_deadline()}"
            if not (to_server or to_client):
                return

    def _react_as_client(self, event: ClientEvent) -> None:
        if isinstance(event, MessageReceived):
            self.client.acknowledge(event)

    def _react_as_server(self, event: ServerEvent) -> None:
        now = self.server.now
        time = TimeMs(LOGIN_TIME + int(now * 1000))
        if isinstance(event, PublishReceived):
            uid = f"uid-{event.frame.message_id}"
            self.server.connection.acknowledge(
                event.frame.message_id, timestamp=time, uid=uid, now=now
            )
        elif isinstance(event, QueryReceived):
            self.server.connection.answer(
                event.frame.message_id, timestamp=time, status=39002, now=now
            )
        elif isinstance(event, PullReceived):
            self.server.answer_pull(event.message_id, sync_time=event.sync_time)

    def wait(self, seconds: float) -> None:
        self.client.wait(seconds)
        self.server.wait(seconds)


def transcript() -> Iterator[str]:
    """Two connections of one session, with rooms, copies, time and a violation."""
    first = Dialogue(None, now=0.1)
    yield from first.exchange()
    client, server = first.client, first.server
    for room_id in ("zebra", "ant", "moth", "bee"):
        client.connection.follow_room(room_id, now=client.now)
    yield from first.exchange()
    for unique_id in (30, 20, 10):
        client.connection.publish(outgoing(unique_id), now=client.now)
    settings = request(Topic.PULL_US, "u1", PullUserSettingInput(version=1))
    client.connection.query(settings, now=client.now)
    yield from first.exchange()
    for room_id in ("moth", "bee", "zebra"):
        server.notify(LOGIN_TIME + 5000, room_id)
    server.connection.offer(item(LOGIN_TIME + 6000), time=TimeMs(LOGIN_TIME + 6000), now=server.now)
    server.connection.sync(
        Topic.PP_MSG_P, "u2", up(), uid="copy", timestamp=TimeMs(LOGIN_TIME + 7000), now=server.now
    )
    yield from first.exchange()
    for _ in range(13):
        first.wait(15.1)
        yield from first.exchange()
    client.connection.publish(outgoing(40), now=client.now)
    yield repr(client.session.to_state())
    client.connection.receive_eof(now=client.now)
    yield from first.exchange()
    yield repr(client.session.to_state())

    second = Dialogue(client.session, now=first.client.now)
    yield from second.exchange()
    second.client.connection.receive_frame(PingReq(), now=second.client.now)
    second.server.connection.receive_message(b"\xff", now=second.server.now)
    yield from second.exchange()
    yield repr(second.client.session.to_state())


if __name__ == "__main__":
    for line in transcript():
        print(line)
