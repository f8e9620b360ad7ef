"""The same client for programs without an event loop: everything waits.

The names are those of :class:`improto_client.Im`. Calls return plain results, ``async for``
becomes ``for`` and ``async with`` becomes ``with``. The client lives on a loop in a thread of
its own; calls may come from any thread.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread
from anyio.from_thread import start_blocking_portal

from improto_client import im as asynchronous
from improto_client.bot import Bot
from improto_client.calls import Calls
from improto_client.chatrooms import Chatrooms
from improto_client.conversations import Conversations
from improto_client.customer_services import CustomerServices
from improto_client.discussions import Discussions
from improto_client.files import Files
from improto_client.friends import Friends
from improto_client.groups import Groups
from improto_client.local import Local
from improto_client.messages import History, Messages
from improto_client.pages import Pages
from improto_client.public_services import PublicServices
from improto_client.receiving import Feed, Reader
from improto_client.relations import Blacklist, Presence
from improto_client.settings import Settings
from improto_client.users import Users

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from anyio.from_thread import BlockingPortal

_LIVE: Final = (
    Blacklist,
    Bot,
    Calls,
    Chatrooms,
    Conversations,
    CustomerServices,
    Discussions,
    Feed,
    Files,
    Friends,
    Groups,
    History,
    Local,
    Messages,
    Pages,
    Presence,
    PublicServices,
    Reader,
    Settings,
    Users,
)
"""What has calls of its own that must wait; all else is given out as it is."""


class Blocking:
    """An object of the asynchronous client, of which every call waits for its end.

    What raises there raises here. An interrupted call is not undone.
    """

    def __init__(self, portal: BlockingPortal, inner: Any) -> None:
        self._portal = portal
        self._inner = inner

    def _wrap(self, value: Any) -> Any:
        return Blocking(self._portal, value) if isinstance(value, _LIVE) else value

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if not callable(value):
            return self._wrap(value)

        def call(*arguments: Any, **options: Any) -> Any:
            return self._wrap(self._portal.call(partial(value, *arguments, **options)))

        return call

    def __iter__(self) -> Iterator[Any]:
        iterator = self._portal.call(self._inner.__aiter__)
        while True:
            found = self._portal.call(_next, iterator)
            if not found:
                return
            yield found[0]

    def __enter__(self) -> Blocking:
        self._portal.call(self._inner.__aenter__)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._portal.call(self._inner.__aexit__, kind, error, traceback)


async def _next(iterator: Any) -> tuple[Any, ...]:
    try:
        return (await iterator.__anext__(),)
    except StopAsyncIteration:
        return ()


@contextmanager
def connect(
    *arguments: Any,
    token: str | Callable[[], str],
    backend: str = "asyncio",
    **options: Any,
) -> Iterator[Any]:
    """Connect like :func:`improto_client.connect`, and give its client in blocking form.

    A ``token`` that is a function is an ordinary one here, called in a thread. ``backend`` is
    the loop to use, "asyncio" or "trio". Everything else, and what is raised, as there.
    """

    async def fetch() -> str:
        assert not isinstance(token, str)
        return await anyio.to_thread.run_sync(token)

    with start_blocking_portal(backend) as portal:
        connecting = portal.call(
            partial(
                asynchronous.connect,
                *arguments,
                token=token if isinstance(token, str) else fetch,
                **options,
            )
        )
        with portal.wrap_async_context_manager(connecting) as im:
            yield Blocking(portal, im)
