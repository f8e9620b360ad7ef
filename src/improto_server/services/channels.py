"""How callbacks name conversations and devices (rest 10.1)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from improto.codes import ConversationType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from improto_server.hub import Device

CHANNELS: Final[Mapping[int, str]] = MappingProxyType(
    {
        int(ConversationType.PRIVATE): "PERSON",
        int(ConversationType.DISCUSSION): "PERSONS",
        int(ConversationType.GROUP): "GROUP",
        int(ConversationType.CHATROOM): "TEMPGROUP",
    }
)
"""Conversation types that callbacks tell of; for others no name is known."""


def source(device: Device | None) -> str:
    """What a message was sent with, or who is online; None: the REST API."""
    if device is None:
        return "Server"
    return device.peer.login.platform or "Websocket"
