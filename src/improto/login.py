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

    @property
    def target(self) -> str:
        """Path and query of the connection URL in the form of SDK 4.6.4 (http 4)."""
        query = {
            "appId": self.app_key,
            "token": self.token,
            "sdkVer": self.sdk_version,
            "pid": "",
            "apiVer": "normal",
            "protocolVer": str(int(self.protocol_version)),
        }
        if self.platform:
            query["platform"] = self.platform
        return f"{PATH}?{urlencode(query)}"

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Login:
        """Read a connection URL's query; never fails.

        Missing parameters are empty text, so that the refusal can be a CONNACK
        (session 2.4). A ``protocolVer`` other than 3 or 4 counts as 3.
        """
        version = ProtocolVersion.V4 if query.get("protocolVer") == "4" else ProtocolVersion.V3
        return cls(
            app_key=query.get("appId", ""),
            token=bare_token(query.get("token", "")),
            sdk_version=query.get("sdkVer", ""),
            protocol_version=version,
            platform=query.get("platform", ""),
        )
