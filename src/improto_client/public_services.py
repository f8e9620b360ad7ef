"""Public services: finding them, following them, and choosing from their menus (operations 15)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from improto import payloads
from improto.codes import ConversationType
from improto.contents import PublicServiceCommand
from improto.messages import Conversation
from improto.operations import Topic
from improto_client.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from improto_client.link import Link
    from improto_client.messages import Messages
    from improto_client.values import Sent

_DEFAULT: Final = ConversationType.APP_PUBLIC_SERVICE
_BY_HAND: Final = ConversationType.PUBLIC_SERVICE

_FOLLOW: Final = {_DEFAULT: Topic.MC_FOLLOW, _BY_HAND: Topic.MP_FOLLOW}
_UNFOLLOW: Final = {_DEFAULT: Topic.MC_UN_FOLLOW, _BY_HAND: Topic.MP_UN_FOLLOW}

# Bits of the type of a search (operations 15).
_EXACT: Final = 2 | 4 | 1 | 8
_FUZZY: Final = 2 | 16 | 1 | 32

MOST_MENU_ITEMS: Final = 100
"""Of one service. Ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicService:
    """A service, as this user has it."""

    conversation: Conversation
    """Where to write to it. Its type says whether everybody follows it until he says otherwise
    (APP_PUBLIC_SERVICE) or nobody (PUBLIC_SERVICE)."""
    name: str
    portrait: str
    """A URL, or empty."""
    introduction: str
    menu: tuple[Mapping[str, Any], ...]
    """Its items, as whoever made the service has written them."""
    is_followed: bool
    changed: int
    """When the service, or whether this user follows it, has changed."""


class PublicServices:
    """``im.public_services``.

    Their messages are sent, received and read like all others. All methods raise Refused and
    what every request raises.
    """

    def __init__(self, link: Link, messages: Messages) -> None:
        self._link = link
        self._messages = messages

    async def get(self, service_id: str) -> PublicService | None:
        """One that this user follows; None if he does not, or there is none."""
        found = await self._pull(service_id, since=0)
        return next((each for each in found if each.conversation.target_id == service_id), None)

    async def search(self, text: str, *, exact: bool = False) -> list[PublicService]:
        """Services whose id or name has a text in it or, if ``exact``, is that text.

        At most 100. Capitals do not matter.
        """
        reply = await self._link.ask(
            Topic.SCH_MP,
            None,
            payloads.SearchMpInput(type=_EXACT if exact else _FUZZY, id=text),
            payloads.SearchMpOutput,
            may_repeat=True,
        )
        return [_service(each) for each in reply.info]

    async def follow(self, service: Conversation) -> None:
        """Follow a service. Refused with 39001: there is no such one. Malformed: no service."""
        await self._ask(_FOLLOW, service)

    async def unfollow(self, service: Conversation) -> None:
        """Follow it no longer. Errors as of :meth:`follow`."""
        await self._ask(_UNFOLLOW, service)

    async def choose(
        self, service: Conversation, item: Mapping[str, Any], *, text: str | None = None
    ) -> Sent:
        """Tell a service that this user has chosen an item of its menu, with a text if need be.

        Malformed: no service, or what cannot be JSON.
        """
        _type_of(service)
        command = PublicServiceCommand(content=text, menu_item=dict(item))
        return await self._messages.send(service, command)

    async def _pull(self, service_id: str, *, since: int) -> list[PublicService]:
        reply = await self._link.ask(
            Topic.PULL_MP,
            None,
            payloads.PullMpInput(time=since, mpid=service_id),
            payloads.PullMpOutput,
            may_repeat=True,
        )
        return [_service(each) for each in reply.info]

    async def _ask(self, topics: Mapping[ConversationType, Topic], service: Conversation) -> None:
        payload = payloads.MPFollowInput(id=service.target_id)
        topic = topics[_type_of(service)]
        await self._link.query(topic, service.target_id, payload, may_repeat=True)

    async def list(self, *, since: int = 0) -> list[PublicService]:
        """Those that this user follows and that have changed after a time."""
        return await self._pull("", since=since)


def _type_of(service: Conversation) -> ConversationType:
    for type in (_DEFAULT, _BY_HAND):
        if service.type == type:
            return type
    raise Malformed("service: the conversation is not with a public service")


def _service(told: payloads.MpInfo) -> PublicService:
    """``extra`` is JSON; what is not of the known form is passed over."""
    try:
        extra = json.loads(told.extra) if told.extra else {}
    except (ValueError, RecursionError):
        extra = {}
    extra = extra if isinstance(extra, dict) else {}
    introduction, menu = extra.get("introduction"), extra.get("menu")
    items = menu[:MOST_MENU_ITEMS] if isinstance(menu, list) else []
    return PublicService(
        conversation=Conversation(
            type=_DEFAULT if told.type == "mc" else _BY_HAND, target_id=told.mpid
        ),
        name=told.name,
        portrait=told.portraitUrl,
        introduction=introduction if isinstance(introduction, str) else "",
        menu=tuple(MappingProxyType(each) for each in items if isinstance(each, dict)),
        is_followed=extra.get("follow") is True,
        changed=told.time,
    )
