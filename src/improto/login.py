"""The URL that opens a connection, as a value.

It replaces the CONNECT frame (wire 4.1, http 4): app key and token travel in the
query. Clients build the URL from a :class:`Login`, servers parse it into one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from improto.frames import ProtocolVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH = "/websocket"
"""Path of every connection, WebSocket or long polling (http 4)."""

_LONGEST_DEVICE_ID = 64
"""Characters. The SDK's own have 22, an application may choose others (sdk5 3)."""

_NO_PAGE = frozenset({"null", "undefined"})
"""What some pages send that know no id of theirs (http 5.1)."""


def bare_token(token: str) -> str:
    """A token without the navigation hosts that may follow its first ``@`` (http 2.1)."""
    return token.partition("@")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who wants to connect, and with what."""

    app_key: str
    token: str = field(repr=False)
    """Without the hosts after ``@``. A secret, so it is in no repr and in no log."""
    sdk_version: str = "4.6.4"
    """What the peer claims to be. Servers switch on it, so our client says 4.6.4 (http 4)."""
    protocol_version: ProtocolVersion = ProtocolVersion.V3
    platform: str = ""
    """``MiniProgram`` in mini programs, else empty."""
    device_id: str = ""
    """What a page keeps across its reconnects: ``deviceId`` from SDK 5 on (sdk5 3), ``pid`` over
    long polling (http 5.1); empty: it does not say."""
    is_polling: bool = False
    """It polls; otherwise it has a WebSocket."""

    @property
    def target(self) -> str:
        """Path and query of the connection URL in the form of SDK 4.6.4 (http 4, 5.1).

        With a ``device_id`` if there is one; over WebSocket that one does not send any.
        """
        query = {
            "appId": self.app_key,
            "token": self.token,
            "sdkVer": self.sdk_version,
            "pid": self.device_id if self.is_polling else "",
            "apiVer": "normal",
            "protocolVer": str(int(self.protocol_version)),
        }
        if self.platform:
            query["platform"] = self.platform
        if self.device_id and not self.is_polling:
            query["deviceId"] = self.device_id
        return f"{PATH}?{urlencode(query)}"

    @classmethod
    def from_query(cls, query: Mapping[str, str], *, is_polling: bool = False) -> Login:
        """Read a connection URL's query; never fails.

        Missing parameters are empty text, so that the refusal can be a CONNACK
        (session 2.4). A ``protocolVer`` other than 3 or 4 counts as 3, and a ``deviceId``, or
        ``pid`` if it polls, of more than 64 characters as none.
        """
        device_id = query.get("pid" if is_polling else "deviceId", "")
        if is_polling and device_id in _NO_PAGE:
            device_id = ""
        version = ProtocolVersion.V4 if query.get("protocolVer") == "4" else ProtocolVersion.V3
        return cls(
            app_key=query.get("appId", ""),
            token=bare_token(query.get("token", "")),
            sdk_version=query.get("sdkVer", ""),
            protocol_version=version,
            platform=query.get("platform", ""),
            device_id=device_id if len(device_id) <= _LONGEST_DEVICE_ID else "",
            is_polling=is_polling,
        )
