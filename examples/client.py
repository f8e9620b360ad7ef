"""Send one message, then print what arrives. For trio, import from improto_trio and trio.

python examples/client.py HOST PORT APP_KEY TOKEN TO TEXT
"""

import asyncio
import sys

from improto import Conversation
from improto.contents import Text
from improto_asyncio import connect


async def main(host: str, port: str, app_key: str, token: str, to: str, text: str) -> None:
    async with connect(host, int(port), app_key=app_key, token=token) as client:
        await client.send(Conversation.private(to), Text(text))
        async for message in client.messages():
            print(f"{message.sender_id}: {message.decoded()}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
