"""The settings of callbacks and of what may be said; :mod:`improto_server.config` has them."""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta, Struct

from improto_server.services.audit import AuditRules
from improto_server.services.outbox import Kind

HookUrl = Annotated[
    str, Meta(pattern=r"^(https?://[^\s/?#@]{1,255}(/[^\s#]*)?)?\Z", max_length=2048)
]


class Fallback(enum.Enum):
    """What becomes of a message about which the application says nothing."""

    SEND = "send"
    REFUSE = "refuse"


class HookUrls(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where one app is told and asked; empty: it is not."""

    messages: HookUrl = ""
    online: HookUrl = ""
    chatrooms: HookUrl = ""
    audit: HookUrl = ""

    @property
    def by_kind(self) -> dict[Kind, str]:
        """Where it is told, by what it is told of."""
        urls = {
            Kind.MESSAGES: self.messages,
            Kind.ONLINE: self.online,
            Kind.CHATROOMS: self.chatrooms,
        }
        return {kind: url for kind, url in urls.items() if url}


class WebhookSettings(Struct, frozen=True, kw_only=True):
    """How apps are told what has happened."""

    api_messages: bool = False
    most_waiting: Annotated[int, Meta(ge=100, le=10_000_000)] = 100_000
    keep_days: Annotated[int, Meta(ge=1, le=30)] = 3


class ModerationSettings(Struct, frozen=True, kw_only=True):
    """What may be said, and who is asked."""

    most_words: Annotated[int, Meta(ge=1, le=10_000)] = 50
    api_messages: bool = False
    audit_types: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^\S{1,64}\Z")], ...],
        Meta(max_length=100, description="a list of at most 100 object names, or nothing"),
    ] = ()
    audit_fallback: Fallback = Fallback.SEND
    audit_tells_sender: bool = False
    audit_waiting: Annotated[int, Meta(ge=1, le=10_000)] = 1000

    def audit_rules(self, apps: frozenset[str]) -> AuditRules:
        """What the service takes; ``apps`` are asked."""
        return AuditRules(
            apps=apps,
            types=frozenset(self.audit_types),
            passes=self.audit_fallback is Fallback.SEND,
            tells_sender=self.audit_tells_sender,
            most_waiting=self.audit_waiting,
        )
