"""Long lists, page by page: friends, groups, members, applications (sdk5 8.4, 8.5).

A list is in the order of a time, and of a name or number where times are equal. Who wants the next
page says where the last one ended, so entries that come or go meanwhile move nothing.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from improto import payloads
from improto.codes import ErrorCode
from improto_server.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from improto.payloads import Message

T = TypeVar("T")

PAGE: Final = 50
"""Entries of a page if the request does not say."""

_TOKEN_CHARACTERS: Final = 100


class ListType(enum.IntEnum):
    """What a ChannelsListResult holds."""

    MEMBERS = 1
    APPLICATIONS = 2
    GROUPS = 3
    FRIENDS = 11
    FRIEND_APPLICATIONS = 12


class Page(NamedTuple):
    """Which piece of a list somebody wants."""

    size: int
    after: tuple[int, str] | None
    """Time and name of the last entry that is known; None: from the beginning."""
    order: int

    @property
    def after_number(self) -> tuple[int, int] | None:
        """The same where names are numbers. RC_PAGE_TOKEN_PARSING_FAILED (25432): they are not."""
        if self.after is None:
            return None
        time, name = self.after
        return time, _number(name)

    def cut(
        self, found: Sequence[T], place: Callable[[T], tuple[int, object]]
    ) -> tuple[Sequence[T], str]:
        """The page and the token of the next one, which is empty if there is none.

        ``found``: what there is from :attr:`after` on, one entry more than :attr:`size` at
        least; ``place``: time and name of an entry.
        """
        if len(found) <= self.size:
            return found, ""
        time, name = place(found[self.size - 1])
        return found[: self.size], f"{time}.{name}"


def read_page(page: payloads.ChannelsPageParam, *, most: int) -> Page:
    """RC_ENTRUST_SERVER_PARAMETER_ERROR (25403): more than ``most`` entries, or no such order.

    RC_PAGE_TOKEN_PARSING_FAILED (25432): we have given out no such token.
    """
    size = page.size or PAGE
    if not 1 <= size <= most or page.order not in (0, 1):
        raise ServiceError(ErrorCode.RC_ENTRUST_SERVER_PARAMETER_ERROR)
    if not page.pageToken:
        return Page(size, None, page.order)
    time, _, name = page.pageToken[:_TOKEN_CHARACTERS].partition(".")
    return Page(size, (_number(time), name), page.order)


def listing(
    kind: ListType, infos: Message, *, next_token: str = "", total: int | None = None
) -> payloads.ChannelsListResult:
    """A list. It always has a page: the SDK fails without (sdk5 8.5).

    ``next_token``: there is more, and how to ask for it.
    """
    page = payloads.ChannelsPageParam(hasNext=bool(next_token), pageToken=next_token)
    if total is not None:
        page.total = total
    return payloads.ChannelsListResult(listType=int(kind), result=payloads.encode(infos), page=page)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise ServiceError(ErrorCode.RC_PAGE_TOKEN_PARSING_FAILED)
    return int(text)
