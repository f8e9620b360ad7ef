"""A real server for the tests of applications, with users by a call and trouble on demand.

With pytest it is the fixture ``im_server``, see :mod:`improto_server.pytest_plugin`.
"""

from __future__ import annotations

from improto_server.testing.server import ImServer, ImUser, OnlineUser

__all__ = ["ImServer", "ImUser", "OnlineUser"]
