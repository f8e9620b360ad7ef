"""One suite for both loops: a test that waits runs on asyncio and on trio.

Modules of such tests use the fixture ``nothing_hangs``.
"""

from __future__ import annotations

from tests.loops import anyio_backend as anyio_backend
from tests.loops import client_tls as client_tls
from tests.loops import free_port as free_port
from tests.loops import nothing_hangs as nothing_hangs
from tests.loops import nothing_is_left_open as nothing_is_left_open
from tests.loops import server_tls as server_tls
from tests.loops import small_heap as small_heap
