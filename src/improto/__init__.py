"""A sans-IO implementation of a popular web instant-messaging protocol.

Everything here is synchronous and deterministic: no sockets, no clock, no randomness.
Read :mod:`improto.frames`, :mod:`improto.events` and :mod:`improto.connection`, in this
order, to know how it works. ``improto_asyncio`` and ``improto_trio`` connect it to a
network.
"""

from improto.client import ClientConnection
from improto.codec import decode, encode
from improto.config import Limits, Timing
from improto.errors import ImprotoError, LocalProtocolError, RemoteProtocolError
from improto.login import Login
from improto.messages import ChatMessage, Conversation, Outgoing, Request, compose, request
from improto.server import ServerConnection
from improto.session import ClientSession

__all__ = [
    "ChatMessage",
    "ClientConnection",
    "ClientSession",
    "Conversation",
    "ImprotoError",
    "Limits",
    "LocalProtocolError",
    "Login",
    "Outgoing",
    "RemoteProtocolError",
    "Request",
    "ServerConnection",
    "Timing",
    "compose",
    "decode",
    "encode",
    "request",
]
