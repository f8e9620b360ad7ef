"""Let clients in and print what they send. For trio, import from improto_trio and trio.

python examples/embed_handler.py PORT
"""

import asyncio
import sys

from improto.codes import ErrorCode
from improto.events import PublishReceived, PullReceived
from improto.frames import TimeMs
from improto_asyncio import Session, serve_handler

NOTHING = TimeMs(0)


async def handle(session: Session) -> None:
    session.accept(session.login.token)  # a real program looks the token up
    answer = session.peer
    async for event in session:
        if isinstance(event, PublishReceived):
            print(f"to {event.frame.target_id}: {event.frame.data!r}", flush=True)
            answer.acknowledge(event.frame.message_id, timestamp=session.time, uid="1")
        elif isinstance(event, PullReceived):
            answer.answer_pull(
                event.message_id, [], sync_time=NOTHING, newest=NOTHING, is_finished=True
            )
        else:
            answer.answer(
                event.frame.message_id, timestamp=session.time, status=ErrorCode.NOT_SUPPORT
            )


async def main(port: str) -> None:
    async with serve_handler(handle, "127.0.0.1", int(port)) as server:
        await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
