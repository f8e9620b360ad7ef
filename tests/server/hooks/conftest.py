"""Tests that wait run on both event loops, on clocks that jump if their module says so."""

from __future__ import annotations

from tests.loops import anyio_backend as anyio_backend
from tests.loops import free_port as free_port
from tests.loops import nothing_hangs as nothing_hangs
from tests.loops import nothing_is_left_open as nothing_is_left_open
from tests.loops import small_heap as small_heap
