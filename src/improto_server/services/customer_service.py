"""Customer services: who answers a customer, and what SDKs must be told about it (messages 9).

A customer writes to the account of a service, and whoever has the account's token is an agent:
people on several devices, or a program. The messages between them are messages like any other.
What is special is that SDK 2.5.3 shows nothing of a service before it has answered the hello,
and nothing of another session than that; so the server answers the hello, and a customer's
wish for a human, for each service that was defined here. Robots and waiting queues are the
business of applications: they read what comes for the account, and tell :meth:`serve` and
:meth:`end` what has changed.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from improto import contents, payloads
from improto.codes import ConversationType, ErrorCode
from improto.contents import (
    CustomerServiceEnd,
    CustomerServiceHello,
    CustomerServiceHelloReply,
    CustomerServiceHumanReply,
    CustomerServiceHumanRequest,
    CustomerServiceStop,
    CustomerServiceUpdate,
    ServiceInfo,
    ServiceType,
)
from improto_server.errors import ServiceError
from improto_server.services.accounts import is_user_id
from improto_server.steps import start
from improto_server.store import public_services as table
from improto_server.store.public_services import ServiceRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from improto.contents import Content
    from improto_server.clock import MessageClock, UserKey
    from improto_server.services.data import Data
    from improto_server.services.letters import Letter, Sent
    from improto_server.services.messages import Messages

SESSIONS: Final = 65_536
"""How many sessions are remembered, the latest. Of a forgotten one only its end cannot be told."""

SESSION_CHARACTERS: Final = 64
"""The longest session id that is believed when a client names one."""

_TYPE: Final = ConversationType.CUSTOMER_SERVICE
_OPEN: Final = 1
_DONE: Final = 1
_REFUSED: Final = 0

_logger = logging.getLogger(__name__)


class _About(msgspec.Struct, frozen=True):
    service_type: int
    welcome: str


_Dialogue = tuple[str, str, str]
"""App key, service, customer."""


class CustomerServices:
    """The service. ``rows`` are all services that the store has at the start; ``random`` gives
    that many random bytes."""

    def __init__(
        self,
        data: Data,
        clock: MessageClock,
        messages: Messages,
        *,
        accounts: dict[UserKey, ConversationType],
        rows: Iterable[ServiceRow],
        random: Callable[[int], bytes],
    ) -> None:
        self._data = data
        self._clock = clock
        self._messages = messages
        self._accounts = accounts
        self._random = random
        self._services: dict[tuple[str, str], _About] = {}
        self._sessions: OrderedDict[_Dialogue, str] = OrderedDict()
        for row in rows:
            if row.type == _TYPE:
                self._remember(row)
        messages.sequels[CustomerServiceHello.object_name] = self._greeted
        messages.sequels[CustomerServiceHumanRequest.object_name] = self._human_wanted
        messages.sequels[CustomerServiceStop.object_name] = self._stopped

    # -- for the application -------------------------------------------------------------

    async def define(
        self, app: str, service_id: str, *, service_type: ServiceType, welcome: str = ""
    ) -> None:
        """Make a service, or change one. ``welcome`` is what the robot says first.

        BIZ_ERROR_INVALID_PARAMETER: the id cannot be a user's, or the account is a public
        service.
        """
        key = (app, service_id)
        if not is_user_id(service_id) or self._accounts.get(key, _TYPE) is not _TYPE:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        about = msgspec.json.encode(_About(int(service_type), welcome)).decode()
        row = ServiceRow(app, service_id, int(_TYPE), "", "", about, self._clock.now())
        await self._data.write(partial(table.define, service=row))
        self._remember(row)

    async def remove(self, app: str, service_id: str) -> None:
        """The account is no service any more; harmless if it is none."""
        key = (app, service_id)
        if key in self._services:
            await self._data.write(partial(table.remove, app=app, id=service_id))
            self._services.pop(key, None)
            self._accounts.pop(key, None)

    async def serve(self, app: str, service_id: str, customer: str, by: ServiceType) -> None:
        """Tell a customer that somebody else serves him now. Nothing happens without a session."""
        sid = self._sessions.get((app, service_id, customer))
        if sid is not None:
            update = CustomerServiceUpdate(service_status=int(by), sid=sid)
            await self._post(app, service_id, customer, update)

    async def end(self, app: str, service_id: str, customer: str, message: str = "") -> None:
        """End a customer's session and tell him. Nothing happens without a session."""
        sid = self._sessions.pop((app, service_id, customer), None)
        if sid is not None:
            end = CustomerServiceEnd(code=_DONE, msg=message, sid=sid)
            await self._post(app, service_id, customer, end)

    def session(self, app: str, service_id: str, customer: str) -> str | None:
        """The id of a customer's session, if he has one."""
        return self._sessions.get((app, service_id, customer))

    # -- what customers send -------------------------------------------------------------

    def _greeted(self, letter: Letter) -> None:
        about = self._about(letter)
        if about is None:
            return
        _, customer = letter.sender
        sid = self._open(letter, self._random(8).hex())
        reply = CustomerServiceHelloReply(
            status=_OPEN,
            msg="",
            data=ServiceInfo(
                uid=customer,
                sid=sid,
                pid=letter.target,
                service_type=about.service_type,
                # Who is served by a human needs not ask for one (messages 9).
                not_auto_cha="0",
                robot_welcome=about.welcome,
            ),
        )
        self._reply(letter, reply)

    def _human_wanted(self, letter: Letter) -> None:
        about = self._about(letter)
        if about is None:
            return
        app, customer = letter.sender
        if (app, letter.target, customer) not in self._sessions:
            # From before the server was started anew; the client still knows it.
            request = contents.decode(letter.up.classname, letter.up.content)
            sid = request.sid if isinstance(request, CustomerServiceHumanRequest) else None
            if not sid or len(sid) > SESSION_CHARACTERS:
                sid = self._random(8).hex()
            self._open(letter, sid)
        if about.service_type == ServiceType.ROBOT:
            reply = CustomerServiceHumanReply(code=_REFUSED, data={}, msg="only robots serve here")
        else:
            data = {"status": _DONE, "serviceType": int(ServiceType.HUMAN)}
            reply = CustomerServiceHumanReply(code=_DONE, data=data, msg="")
        self._reply(letter, reply)

    def _stopped(self, letter: Letter) -> None:
        app, customer = letter.sender
        self._sessions.pop((app, letter.target, customer), None)

    def _about(self, letter: Letter) -> _About | None:
        """The service that a letter is for; None if it was not defined."""
        app, _ = letter.sender
        return self._services.get((app, letter.target))

    def _open(self, letter: Letter, sid: str) -> str:
        app, customer = letter.sender
        dialogue = (app, letter.target, customer)
        self._sessions.pop(dialogue, None)
        self._sessions[dialogue] = sid
        if len(self._sessions) > SESSIONS:
            self._sessions.popitem(last=False)
        return sid

    def _reply(self, letter: Letter, content: Content) -> None:
        app, customer = letter.sender
        start(self._post(app, letter.target, customer, content), _logged)

    async def _post(self, app: str, service: str, customer: str, content: Content) -> Sent:
        """Orders between programs are neither kept nor counted (messages 3.1)."""
        up = payloads.UpStreamMessage(
            sessionId=0, classname=content.object_name, content=contents.encode(content)
        )
        return await self._messages.post(app, service, _TYPE, customer, up)

    def _remember(self, row: ServiceRow) -> None:
        key = (row.app, row.id)
        self._services[key] = msgspec.json.decode(row.about, type=_About)
        self._accounts[key] = _TYPE


def _logged(result: Sent | Exception) -> None:
    if isinstance(result, Exception):
        _logger.error("a customer was not answered: %s", result)
