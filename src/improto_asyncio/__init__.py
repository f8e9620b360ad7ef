"""improto on asyncio: ``connect`` for clients, ``serve`` and ``serve_handler`` for servers.

``improto_trio`` offers the same names with the same signatures.
"""

from improto_asyncio.client import Client, connect
from improto_asyncio.server import Server, Session, serve, serve_handler

__all__ = ["Client", "Server", "Session", "connect", "serve", "serve_handler"]
