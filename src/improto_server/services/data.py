"""The store as services see it: something to await, and things to know at once.

:class:`Data` turns the store's callbacks into answers to await. :class:`Facts` keeps what
cannot be waited for again with every message: who is in a group, whom a user has blocked.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from improto.codes import ErrorCode
from improto_server.errors import ServiceError
from improto_server.steps import Pending
from improto_server.store import StoreError
from improto_server.store.reserved import note

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from sqlalchemy import Connection

    from improto_server.clock import MessageClock
    from improto_server.store import Store

    T = TypeVar("T")

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")

AHEAD: Final = 2000
"""Milliseconds that are noted down at once (:mod:`.reserve`). Changes and status messages cost one
note more in so much time; a server that was killed begins at most so much in the future."""

_logger = logging.getLogger(__name__)


class Data:
    """What can be asked of the store and told to it.

    Both methods raise :class:`ServiceError` out of the await: INTERNALERRROR if the store could
    not do it, or what the function itself raised.

    Changes have times: up to when something was read, since when somebody is in. Messages that
    follow must be later, even if the server dies and the machine's clock is put back. So the time
    of changes is noted down with them.
    """

    def __init__(self, store: Store, clock: MessageClock) -> None:
        self._store = store
        self._clock = clock
        self._noted = 0

    def read(self, query: Callable[[Connection], T]) -> Pending[T]:
        """Run ``query`` on what is committed. Reads come one after the other."""
        answer: Pending[T] = Pending()
        self._store.read(query, _settling(answer))
        return answer

    def write(self, change: Callable[[Connection], T], *, is_part: bool = False) -> Pending[T]:
        """Run ``change`` after everything that was written before, and commit it.

        If it raises, nothing of it is done and nobody else's change suffers. ``is_part``: of what
        was appended or written just now, so it is not refused for itself alone.
        """
        now = self._clock.now()
        if now > self._noted:
            self._noted = now + AHEAD
            self._store.write(partial(note, time=self._noted), self._was_noted)
        answer: Pending[T] = Pending()
        self._store.write(change, _settling(answer), is_part=is_part)
        return answer

    def _was_noted(self, result: StoreError | ServiceError | None) -> None:
        if result is not None:
            self._noted = 0


def _settling(answer: Pending[T]) -> Callable[[T | StoreError | ServiceError], None]:
    def done(result: T | StoreError | ServiceError) -> None:
        if isinstance(result, ServiceError):
            answer.fail(result)
        elif isinstance(result, StoreError):
            _logger.error("a request could not be answered: %s", result)
            answer.fail(ServiceError(ErrorCode.INTERNALERRROR))
        else:
            answer.settle(result)

    return done


class Facts(Generic[K, V]):
    """Values of the store that are read once and then changed here and there together.

    They are read in the order of the writes, so whoever awaits :meth:`load` knows everything
    that was written before. After that the value belongs to its service, which changes it and
    submits the same change to the store without an await in between. A change that the store
    refuses must be followed by :meth:`forget`.

    At most ``capacity`` values are kept, the latest used.
    """

    def __init__(
        self, data: Data, read: Callable[[Connection, K], V], *, capacity: int = 65_536
    ) -> None:
        self._data = data
        self._read = read
        self._capacity = capacity
        self._values: OrderedDict[K, V] = OrderedDict()
        self._loading: dict[K, Pending[V]] = {}

    def __len__(self) -> int:
        """How many values are kept."""
        return len(self._values)

    def get(self, key: K) -> V | None:
        """The value, or None if it has to be loaded first."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    async def load(self, key: K) -> V:
        """The value, read if need be. After an await in between, ask again."""
        while (known := self.get(key)) is None:
            loading = self._loading.get(key)
            if loading is None:
                loading = self._data.write(partial(self._read_one, key))
                self._loading[key] = loading
                loading.call(partial(self._loaded, key, loading))
            # Others have waited for the same, and may have changed it since it came.
            await loading
        return known

    def put(self, key: K, value: V) -> None:
        """The value is another one from now on."""
        self._values[key] = value
        self._loading.pop(key, None)

    def forget(self, key: K) -> None:
        """Read it again when it is asked for the next time."""
        self._values.pop(key, None)
        self._loading.pop(key, None)

    def _read_one(self, key: K, connection: Connection) -> V:
        return self._read(connection, key)

    def _loaded(self, key: K, loading: Pending[V]) -> None:
        if self._loading.get(key) is not loading:
            return
        del self._loading[key]
        if loading.error is None:
            self._values[key] = loading.result()
            if len(self._values) > self._capacity:
                self._values.popitem(last=False)
