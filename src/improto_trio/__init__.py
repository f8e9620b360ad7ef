"""improto on trio: ``connect`` for clients, ``serve`` and ``serve_handler`` for servers.

``improto_asyncio`` offers the same names with the same signatures.
"""

from improto_trio.client import Client, connect
from improto_trio.server import Server, Session, serve, serve_handler

__all__ = ["Client", "Server", "Session", "connect", "serve", "serve_handler"]
