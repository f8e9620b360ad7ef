"""The least that can carry messages: an asyncio program that moves bytes and knows nothing.

Run as ``python -m bench.forwarder``; it prints its address. Frames have their length before
them, in four bytes. The first frame of a connection is ``s`` or ``r`` and a number: the sender
or a receiver of that sender. What a sender says goes to all its receivers, and an
acknowledgement as long as a PUBACK goes back; what a receiver says is read and dropped. Like
the server, it writes once for each chunk it has read.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Final

LENGTH: Final = struct.Struct(">I")
ACKNOWLEDGEMENT: Final = LENGTH.pack(32) + b"\x40" + bytes(31)


class Forwarder(asyncio.Protocol):
    """One connection."""

    receivers: Final[dict[bytes, list[asyncio.Transport]]] = {}

    def __init__(self) -> None:
        self._buffer = b""
        self._name = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data
        position, frames = 0, []
        while len(data) - position >= LENGTH.size:
            end = position + LENGTH.size + LENGTH.unpack_from(data, position)[0]
            if end > len(data):
                break
            frames.append(data[position:end])
            position = end
        self._buffer = data[position:]
        if frames and not self._name:
            self._name = frames.pop(0)[LENGTH.size :]
            if self._name.startswith(b"r"):
                self.receivers.setdefault(self._name[1:], []).append(self._transport)
        if frames and self._name.startswith(b"s"):
            joined = b"".join(frames)
            for receiver in self.receivers[self._name[1:]]:
                receiver.write(joined)
            self._transport.write(ACKNOWLEDGEMENT * len(frames))


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Forwarder, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"forwarding on {host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
