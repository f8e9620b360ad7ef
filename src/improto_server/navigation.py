"""Plain HTTP: where the server is, what it can do, and what a client without WebSocket is told
(http 1 to 5, sdk5 2).

Every answer, errors included, may be read by any page, because SDKs run in pages of other
origins and see nothing of an answer without that header (http 2.4). The URLs of long polling come
here if it is switched off, and are answered in the way that ends it without a fuss (http 5.4).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec

from improto.codes import ConnAckStatus
from improto.frames import FrameType, ProtocolVersion
from improto.http import HttpResponse
from improto.login import PATH, Login, bare_token
from improto.operations import Topic
from improto.profiles import ReceiptVersion, profile_of
from improto_server.addresses import EVERYWHERE
from improto_server.services.accounts import TokenOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from improto.http import Headers, HttpRequest
    from improto_server.services.accounts import Accounts

_CALLBACK: Final = "getServerEndpoint"
"""The name that all SDKs send and that SDK 2.5.3 insists on (http 2.2)."""

_CALLBACK_NAME: Final = re.compile(r"[A-Za-z0-9_.]{1,64}")

_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
"""What may stand in a Host header and goes into an answer unchanged."""

_WILDCARDS: Final = frozenset({"", *EVERYWHERE})
"""Listening there says nothing about where clients find us."""

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})

_HEADERS: Final[Headers] = (
    ("Access-Control-Allow-Origin", "*"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
)
_PREFLIGHT: Final[Headers] = (
    ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"),
    (
        "Access-Control-Allow-Headers",
        "RC-Appkey, RC-Negotiate, Content-Type, App-Key, Authorization",
    ),
    ("Access-Control-Max-Age", "86400"),
)
_JSON: Final = "application/json; charset=utf-8"
_SCRIPT: Final = "text/javascript; charset=utf-8"
_TEXT: Final = "text/plain; charset=utf-8"

_LARGEST_FORM: Final = 64 * 1024
"""Bytes. The token is all that is long in it, and it would not fit into a URL either."""

_ALL_SUBSCRIPTIONS: Final = 0b1111
"""Online status, profiles, friends' status, friends' profiles (sdk5 2.2)."""

_encode: Final = msgspec.json.Encoder().encode
"""Compact, which SDKs count on (interop 2, 14)."""

_LOST_PARAMS: Final = b"lost params"
"""SDK 2.5.3 knows an ended session by this text, newer ones by the status 400 (http 5.4)."""

_NO_POLLING: Final = {
    "status": int(ConnAckStatus.SERVER_UNAVAILABLE),
    "headerCode": FrameType.CONNACK << 4,
    "messageId": 0,
}
"""A refused connect. The newer SDKs compare it with their own serialisation, so it is
compact and in this order (interop 14)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the server can do: switches that clients read before they connect."""

    protocol: ProtocolVersion = ProtocolVersion.V3
    """Of CONNACK (wire 4.2); the first SDKs know only the default."""
    receipts: ReceiptVersion = ReceiptVersion.MESSAGES
    """How members of a group say what they have read (sdk5 8.2)."""
    several_rooms: bool = True
    """Users may be in several chatrooms at a time."""
    room_keys: bool = True
    """Chatrooms have keys and values."""
    profiles: bool = True
    """Users have profiles and friends, and manage groups (sdk5 8.4, 8.5)."""
    subscriptions: bool = True
    """Users may follow the status and the profiles of others (sdk5 8.4)."""
    unread_on_server: bool = False
    """Unread counts are the server's and not each client's own (sdk5 2.2)."""
    read_times: bool = False
    """Clients that know how say by ``updRTime``, and not by a message, how far they have read
    (sdk5 8.1). Without effect on those that leave counting to the server."""
    edit_minutes: int = 0
    """How long a message can be edited; 0: for ever (sdk5 8.1)."""


_OFFER: Final = Offer()


class _Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What navigation says (http 2.3, sdk5 2.2); names as on the wire.

    JSON inside text is on purpose.
    """

    code: int = int(HTTPStatus.OK)
    userId: str
    server: str
    backupServer: str
    voipCallInfo: str = '{"strategy":0,"callEngine":[]}'
    openMp: int = 0
    kvStorage: int = 1
    openUS: int = 0
    joinMChrm: bool = True
    openAnti: int = 0
    ugMsg: int = 0
    grpRRVer: int = 0
    logSwitch: int = 0
    logPolicy: str = '{"url":"","level":0,"itv":6,"times":5}'
    uploadServer: str = ""
    bosAddr: str = ""
    ossConfig: str = "[]"
    historyMsg: bool = True
    chatroomMsg: bool = True
    activeServer: str = ""
    offlinelogserver: str = ""
    onlinelogserver: str = ""
    voipServer: str = ""
    qnAddr: str = ""
    alone: bool = False
    compDays: int = 7
    extkitSwitch: int = 0
    isFormatted: int = 0
    monitor: int = 0
    openHttpDNS: int = 0
    grpMsgLimit: int = 0
    gifSize: int = 3072
    videoTimes: int = 120
    location: str = '{"configure":false}'
    msgAck: None = None
    userProfile: int = 0
    subDriven: int = 0
    serverSaveUnread: int = 0
    sesDriven: int = 0
    msgModifyMinute: int = 0


def other_spelling(address: str) -> str:
    """The same ``host:port``, written differently.

    SDK 2.5.3 crosses out an address whose connection was lost within 5 s, and with no other
    one it never calls back; it compares addresses as text (interop 6).
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        host, colon, port = address, "", ""
    twin = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}.get(host, host.swapcase())
    if twin == host or twin.startswith("["):
        # An IP address. A browser reads the port as a number, so it may have a zero in front.
        return f"{host}:0{port}" if port else ""
    return f"{twin}{colon}{port}"


def is_same_place(own: str, address: str) -> bool:
    """Whether a ``host:port`` is surely that of a server whose own it is.

    ``own`` may be empty. Two names of one machine cannot be told. Raises ValueError if one of
    them is no ``host:port``.
    """
    if not own:
        return False
    own_host, own_port = _place(own)
    host, port = _place(address)
    is_here = host == own_host or (own_host in _WILDCARDS and host in _LOOPBACK)
    return is_here and port == own_port


def _place(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    host = host.strip("[]").lower()
    return "127.0.0.1" if host == "localhost" else host, int(port)


class Navigation:
    """Answers everything that is no WebSocket.

    ``own_address`` is where the server listens, as ``host:port``; ``public_address`` what it
    hands out instead, if not empty. ``now`` is seconds since 1970.
    """

    def __init__(
        self,
        accounts: Accounts,
        *,
        own_address: str,
        public_address: str,
        offer: Offer = _OFFER,
        now: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._now = now
        self.own_address = own_address
        self._public_address = public_address
        self._offer = offer
        self._successor = ""
        self.is_draining = False
        """Set it to send new clients to another server."""
        self.upload_provider = ("", "")
        """Name and host of the provider that uploads go to (http 2.3); empty for none."""
        self.has_services: Callable[[str], bool] = lambda app_key: False
        """Whether an app has public services; SDK 2.5.3 asks for none otherwise (http 2.3)."""
        self._routes: Mapping[str, Mapping[str, Callable[[HttpRequest], HttpResponse]]] = {
            "/navi.js": {"GET": self._navigate_by_query},
            "/cometnavi.js": {"GET": self._navigate_by_query},
            "/v2/navi.json": {"POST": self._navigate_by_form},
            "/ping": {"GET": self._ping},
            PATH: {"GET": _refuse_polling, "POST": _lost_params},
            "/pullmsg.js": {"GET": _lost_params},
        }

    @property
    def hands_over(self) -> bool:
        """Whether all clients are sent to another server."""
        return bool(self._successor)

    def hand_over(self, address: str) -> None:
        """Name only this ``host:port`` from now on. Raises ValueError if it is the server's own."""
        if any(is_same_place(own, address) for own in (self.own_address, self._public_address)):
            raise ValueError(f"{address} is this server itself")
        self._successor = address

    def respond(self, request: HttpRequest) -> HttpResponse:
        """The answer to a request."""
        if request.method == "OPTIONS":
            return HttpResponse(status=HTTPStatus.NO_CONTENT, headers=_HEADERS + _PREFLIGHT)
        methods = self._routes.get(request.path)
        if methods is None:
            return _response(HTTPStatus.NOT_FOUND, _TEXT, b"not found")
        handler = methods.get(request.method)
        if handler is None:
            allow = (("Allow", ", ".join([*methods, "OPTIONS"])),)
            return _response(HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, b"wrong method", allow)
        return handler(request)

    def _ping(self, request: HttpRequest) -> HttpResponse:
        if self.is_draining:
            return _response(HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, b"shutting down")
        return _response(HTTPStatus.OK, _TEXT, b"pong")

    def _navigate_by_query(self, request: HttpRequest) -> HttpResponse:
        """Errors are bare JSON: SDK 2.5.3 reads nothing else there (http 2.5)."""
        query = request.query
        reply = self._reply(request, query.get("appId", ""), query)
        callback = query.get("callBack")
        if callback is None or isinstance(reply, HTTPStatus):
            return _bare(reply)
        if not _CALLBACK_NAME.fullmatch(callback):
            callback = _CALLBACK
        body = callback.encode() + b"(" + _encode(reply) + b");"
        return _response(HTTPStatus.OK, _SCRIPT, body)

    def _navigate_by_form(self, request: HttpRequest) -> HttpResponse:
        """SDK 5: what is secret is in the body, and a callback would be a mistake (sdk5 2)."""
        if len(request.body) > _LARGEST_FORM:
            return _bare(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return _bare(self._reply(request, request.header("rc-appkey") or "", request.form))

    def _reply(
        self, request: HttpRequest, app_key: str, fields: Mapping[str, str]
    ) -> _Reply | HTTPStatus:
        if self.is_draining:
            return HTTPStatus.SERVICE_UNAVAILABLE
        token = bare_token(fields.get("token", ""))
        check = self._accounts.check(app_key, token, now=self._now())
        if check.outcome is TokenOutcome.UNKNOWN_APP:
            return HTTPStatus.FORBIDDEN
        # An expired token is told by CONNACK, which has a status for it (session 2.4).
        if check.outcome not in (TokenOutcome.VALID, TokenOutcome.EXPIRED):
            return HTTPStatus.UNAUTHORIZED
        login = Login(app_key=app_key, token=token, sdk_version=fields.get("v", ""))
        address, offer, known = self._address(request), self._offer, profile_of(login)
        receipts = offer.receipts
        if receipts not in known.receipt_versions:
            receipts = ReceiptVersion.MESSAGES
        return _Reply(
            userId=check.user_id or "",
            server=address,
            backupServer=other_spelling(address),
            openAnti=int(offer.protocol is ProtocolVersion.V4),
            grpRRVer=int(receipts),
            joinMChrm=offer.several_rooms,
            openMp=int(self.has_services(app_key)),
            kvStorage=int(offer.room_keys),
            uploadServer=self.upload_provider[1],
            ossConfig=_oss_config(*self.upload_provider),
            userProfile=int(offer.profiles),
            subDriven=_ALL_SUBSCRIPTIONS if offer.subscriptions else 0,
            serverSaveUnread=int(offer.unread_on_server),
            sesDriven=int(offer.read_times and Topic.UPD_R_TIME in known.sync_topics),
            msgModifyMinute=offer.edit_minutes,
        )

    def _address(self, request: HttpRequest) -> str:
        if self._successor or self._public_address:
            return self._successor or self._public_address
        host = self.own_address.rpartition(":")[0].strip("[]")
        asked = request.header("host") or ""
        if host in _WILDCARDS and _HOST.fullmatch(asked):
            return asked
        return self.own_address


def _oss_config(provider: str, host: str) -> str:
    """Upload clients take the provider with the lowest ``p``, which must begin at 1."""
    return _encode([{provider: host, "p": "1"}] if provider else []).decode()


def _refuse_polling(request: HttpRequest) -> HttpResponse:
    return _response(HTTPStatus.OK, _JSON, _encode(_NO_POLLING))


def _lost_params(request: HttpRequest) -> HttpResponse:
    return _response(HTTPStatus.BAD_REQUEST, _TEXT, _LOST_PARAMS)


def _bare(reply: _Reply | HTTPStatus) -> HttpResponse:
    """Plain JSON, which every SDK takes for an error (http 2.5)."""
    if isinstance(reply, HTTPStatus):
        return _response(reply, _JSON, _encode({"code": int(reply)}))
    return _response(HTTPStatus.OK, _JSON, _encode(reply))


def _response(
    status: HTTPStatus, content_type: str, body: bytes, extra: Headers = ()
) -> HttpResponse:
    headers = (("Content-Type", content_type), *_HEADERS, *extra)
    return HttpResponse(status=status, headers=headers, body=body)
