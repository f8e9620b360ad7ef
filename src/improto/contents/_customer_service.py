"""Talking to a customer service (messages 9).

Order: hello, its reply, texts, perhaps the request for a human and its reply, then the
end by either side. Where the members' types are not known they are plain JSON.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from improto.contents._base import BaseContent
from improto.contents._json import JSON
from improto.contents._schema import Part


class ServiceType(IntEnum):
    """Who answers (messages 9)."""

    ROBOT = 1
    HUMAN = 2
    ROBOT_FIRST = 3
    HUMAN_FIRST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceInfo(Part):
    """What a service says about a conversation.

    The ids ``uid``, ``sid`` and ``pid`` come back in later contents; ``service_type`` is a
    :class:`ServiceType`; ``not_auto_cha`` is "1" if the client shall ask for a human by itself.
    """

    uid: str | None = None
    sid: str | None = None
    pid: str | None = None
    service_type: int | None = None
    not_auto_cha: JSON | None = None
    robot_welcome: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerServiceHello(BaseContent):
    """Client: opens the conversation."""

    object_name = "RC:CsHs"

    request_info: JSON | None = None
    user_info: JSON | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerServiceHelloReply(BaseContent):
    """Server: ``status`` 1 means that the conversation is open."""

    object_name = "RC:CsHsR"

    status: int | None = None
    msg: str | None = None
    data: ServiceInfo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerServiceHumanRequest(BaseContent):
    """Client: asks for a human. The name on the wire is indeed written this way."""

    object_name = "RC:CSCha"

    uid: str | None = None
    sid: str | None = None
    pid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerServiceHumanReply(BaseContent):
    """Server: answers the request for a human."""

    object_name = "RC:CsChaR"

    code: int | None = None
    data: JSON | None = None
    msg: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerServiceStop(BaseContent):
    """Client: ends the conversation."""

    object_name = "RC:CsSp"

    uid: str | None = None
    sid: str | None = None
    pid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerServiceEnd(BaseContent):
    """Server: ends the conversation ``sid``."""

    object_name = "RC:CsEnd"

    code: int | None = None
    msg: str | None = None
    sid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerServiceEvaluation(BaseContent):
    """Client: says how content the user was."""

    object_name = "RC:CsEva"

    uid: str | None = None
    sid: str | None = None
    pid: str | None = None
    source: JSON | None = None
    suggest: str | None = None
    isresolve: JSON | None = None
    type: JSON | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerServiceContact(BaseContent):
    """Client: who the user is and what he looks at."""

    object_name = "RC:CsContact"

    page: JSON | None = None
    nick_name: str | None = None
    routing_info: JSON | None = None
    info: JSON | None = None
    request_info: JSON | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerServiceUpdate(BaseContent):
    """Server: the state of the conversation ``sid`` changed."""

    object_name = "RC:CsUpdate"

    service_status: JSON | None = None
    sid: str | None = None


TYPES: Final[tuple[type[BaseContent], ...]] = (
    CustomerServiceHello,
    CustomerServiceHelloReply,
    CustomerServiceHumanRequest,
    CustomerServiceHumanReply,
    CustomerServiceStop,
    CustomerServiceEnd,
    CustomerServiceEvaluation,
    CustomerServiceContact,
    CustomerServiceUpdate,
)
