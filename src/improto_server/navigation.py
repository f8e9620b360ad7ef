"""Plain HTTP: where the server is, and what a client without WebSocket is told (http 1 to 5).

Every answer, errors included, may be read by any page, because SDKs run in pages of other
origins and see nothing of an answer without that header (http 2.4). Long polling is not
served; its URLs are answered in the way that ends it without a fuss (http 5.4).
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec

from improto.codes import ConnAckStatus
from improto.frames import FrameType
from improto.http import HttpResponse
from improto.login import PATH, bare_token
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

_WILDCARDS: Final = frozenset({"", "0.0.0.0", "::"})
"""Listening there says nothing about where clients find us."""

_HEADERS: Final[Headers] = (
    ("Access-Control-Allow-Origin", "*"),
    ("Cache-Control", "no-store"),
)
_PREFLIGHT: Final[Headers] = (
    ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"),
    ("Access-Control-Allow-Headers", "Content-Type"),
    ("Access-Control-Max-Age", "86400"),
)
_JSON: Final = "application/json; charset=utf-8"
_SCRIPT: Final = "text/javascript; charset=utf-8"
_TEXT: Final = "text/plain; charset=utf-8"

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


class _Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What navigation says (http 2.3); names as on the wire. JSON inside text is on purpose."""

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


class Navigation:
    """Answers everything that is no WebSocket.

    ``own_address`` is where the server listens, as ``host:port``; ``public_address`` what it
    hands out instead, if not empty. ``has_receipt_topics``: group members report what they have
    read by topics and not by messages (messages 8.3). ``several_rooms``: users may be in several
    chatrooms at a time; ``has_room_keys``: these have keys and values. ``now`` is seconds since
    1970.
    """

    def __init__(
        self,
        accounts: Accounts,
        *,
        own_address: str,
        public_address: str,
        has_receipt_topics: bool = False,
        several_rooms: bool = True,
        has_room_keys: bool = True,
        now: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._now = now
        self.own_address = own_address
        self._public_address = public_address
        self._has_receipt_topics = has_receipt_topics
        self._several_rooms = several_rooms
        self._has_room_keys = has_room_keys
        self.is_draining = False
        """Set it to send new clients to another server."""
        self.upload_provider = ("", "")
        """Name and host of the provider that uploads go to (http 2.3); empty for none."""
        self.has_services: Callable[[str], bool] = lambda app_key: False
        """Whether an app has public services; SDK 2.5.3 asks for none otherwise (http 2.3)."""
        self._routes: Mapping[str, Mapping[str, Callable[[HttpRequest], HttpResponse]]] = {
            "/navi.js": {"GET": self._navigate},
            "/cometnavi.js": {"GET": self._navigate},
            "/ping": {"GET": self._ping},
            PATH: {"GET": _refuse_polling, "POST": _lost_params},
            "/pullmsg.js": {"GET": _lost_params},
        }

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

    def _navigate(self, request: HttpRequest) -> HttpResponse:
        """Errors are bare JSON: SDK 2.5.3 reads nothing else there (http 2.5)."""
        if self.is_draining:
            return _code(HTTPStatus.SERVICE_UNAVAILABLE)
        query = request.query
        token = bare_token(query.get("token", ""))
        check = self._accounts.check(query.get("appId", ""), token, now=self._now())
        if check.outcome is TokenOutcome.UNKNOWN_APP:
            return _code(HTTPStatus.FORBIDDEN)
        # An expired token is told by CONNACK, which has a status for it (session 2.4).
        if check.outcome not in (TokenOutcome.VALID, TokenOutcome.EXPIRED):
            return _code(HTTPStatus.UNAUTHORIZED)
        address = self._address(request)
        reply = _Reply(
            userId=check.user_id or "",
            server=address,
            backupServer=other_spelling(address),
            grpRRVer=int(self._has_receipt_topics),
            joinMChrm=self._several_rooms,
            openMp=int(self.has_services(query.get("appId", ""))),
            kvStorage=int(self._has_room_keys),
            uploadServer=self.upload_provider[1],
            ossConfig=_oss_config(*self.upload_provider),
        )
        callback = query.get("callBack")
        if callback is None:
            return _response(HTTPStatus.OK, _JSON, _encode(reply))
        if not _CALLBACK_NAME.fullmatch(callback):
            callback = _CALLBACK
        body = callback.encode() + b"(" + _encode(reply) + b");"
        return _response(HTTPStatus.OK, _SCRIPT, body)

    def _address(self, request: HttpRequest) -> str:
        if self._public_address:
            return self._public_address
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


def _code(status: HTTPStatus) -> HttpResponse:
    return _response(status, _JSON, _encode({"code": int(status)}))


def _response(
    status: HTTPStatus, content_type: str, body: bytes, extra: Headers = ()
) -> HttpResponse:
    headers = (("Content-Type", content_type), *_HEADERS, *extra)
    return HttpResponse(status=status, headers=headers, body=body)
