"""Customer services: a talk with people or robots of a business (messages 9).

A talk begins with a hello; the service's reply, a message like all others, names the session that
everything after it belongs to. In between, texts and files are sent as everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from improto.codes import ConversationType
from improto.contents import (
    CustomerServiceContact,
    CustomerServiceEvaluation,
    CustomerServiceHello,
    CustomerServiceHelloReply,
    CustomerServiceHumanRequest,
    CustomerServiceStop,
    ServiceInfo,
    ServiceType,
)
from improto.messages import Conversation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from improto_client.messages import Messages
    from improto_client.values import Message, Sent

_OPEN: Final = 1
"""``status`` of a reply that opens a talk."""

_ANSWERERS: Final = {int(each): each for each in ServiceType}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSession:
    """A talk that a service has opened."""

    conversation: Conversation
    uid: str | None
    sid: str | None
    pid: str | None
    """The service's names for the customer, the talk and itself; each None if not told."""
    service_type: ServiceType | None
    """Who answers; None if that was not told."""
    welcome: str
    """What the robot says first; empty if nothing."""


class CustomerServices:
    """``im.customer_services``. All methods send messages, and raise what
    :meth:`improto_client.messages.Messages.send` raises."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    async def hello(
        self,
        service_id: str,
        *,
        user: Mapping[str, Any] | None = None,
        request: Mapping[str, Any] | None = None,
    ) -> Sent:
        """Begin a talk; :meth:`session` reads the reply, which comes as a message.

        ``user`` and ``request`` are JSON objects that the service wants to know, if it does.
        """
        service = Conversation(type=ConversationType.CUSTOMER_SERVICE, target_id=service_id)
        content = CustomerServiceHello(user_info=dict(user or {}), request_info=dict(request or {}))
        return await self._messages.send(service, content)

    def session(self, message: Message) -> ServiceSession | None:
        """The talk that a message has opened; None if it is no such reply."""
        reply = message.content
        if not isinstance(reply, CustomerServiceHelloReply) or reply.status != _OPEN:
            return None
        told = reply.data or ServiceInfo()
        number = told.service_type
        return ServiceSession(
            conversation=message.conversation,
            uid=told.uid,
            sid=told.sid,
            pid=told.pid,
            service_type=None if number is None else _ANSWERERS.get(number),
            welcome=told.robot_welcome or "",
        )

    async def ask_human(self, session: ServiceSession) -> Sent:
        """Ask for a human, who says CustomerServiceHumanReply."""
        content = CustomerServiceHumanRequest(uid=session.uid, sid=session.sid, pid=session.pid)
        return await self._messages.send(session.conversation, content)

    async def contact(
        self,
        session: ServiceSession,
        *,
        name: str | None = None,
        page: str | None = None,
        info: Mapping[str, Any] | None = None,
    ) -> Sent:
        """Say what the user is called, which page he looks at, and more about him."""
        content = CustomerServiceContact(
            nick_name=name, page=page, info=None if info is None else dict(info)
        )
        return await self._messages.send(session.conversation, content)

    async def evaluate(
        self,
        session: ServiceSession,
        *,
        is_solved: bool | None = None,
        source: int | None = None,
        type: int | None = None,
        suggestion: str | None = None,
    ) -> Sent:
        """Say how content the user is.

        What the numbers mean is the service's business: ``source`` are usually stars, and ``type``
        says whether a robot or a human is meant.
        """
        content = CustomerServiceEvaluation(
            uid=session.uid,
            sid=session.sid,
            pid=session.pid,
            source=source,
            suggest=suggestion,
            isresolve=None if is_solved is None else int(is_solved),
            type=type,
        )
        return await self._messages.send(session.conversation, content)

    async def stop(self, session: ServiceSession) -> Sent:
        """End the talk."""
        content = CustomerServiceStop(uid=session.uid, sid=session.sid, pid=session.pid)
        return await self._messages.send(session.conversation, content)
