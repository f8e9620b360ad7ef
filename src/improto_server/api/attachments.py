"""Pairs of keys and values that hang on a message (rest 9.3).

They are changed in the name of a user who has sent the message or got it, and the others are told
as if he did it himself. Whether he may still write there is not asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from improto.codes import ConversationType
from improto.contents import ExpansionChange
from improto_server.api.common import USER
from improto_server.api.endpoints import Call, Endpoint, Mark, Reply
from improto_server.api.parameters import Flag, Number, Pairs, Parameter, Text
from improto_server.api.replies import Code, RefusedError
from improto_server.services.expansions import KEYS_OF_APPLICATIONS, VALUE_CHARACTERS

if TYPE_CHECKING:
    from improto_server.api.bodies import Fields
    from improto_server.services.expansions import Expansions

_decode_keys = msgspec.json.Decoder(list[str]).decode


class _Keys(Parameter[tuple[str, ...]]):
    """Keys as the text of a JSON array. Which can be keys, the service knows."""

    def __init__(self, name: str) -> None:
        limit = f"JSON text, an array of up to {KEYS_OF_APPLICATIONS} keys"
        super().__init__(name, is_required=True, limit=limit)

    def read(self, fields: Fields) -> tuple[str, ...]:
        """INVALID or OUT_OF_RANGE."""
        try:
            keys = _decode_keys(self.last(fields))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise self.refused(Code.INVALID, "is no JSON array of texts") from None
        if not keys:
            raise self.refused(Code.INVALID, "has no keys")
        if len(keys) > KEYS_OF_APPLICATIONS:
            raise self.refused(Code.OUT_OF_RANGE, f"has more than {KEYS_OF_APPLICATIONS} keys")
        return tuple(dict.fromkeys(keys))

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "contentMediaType": "application/json"}


_UID: Final = Text("msgUID", most_bytes=64, is_required=True)
_TYPE: Final = Number("conversationType", least=1, most=3, default=1, is_required=True)
_TARGET: Final = Text("targetId", most_bytes=64, is_required=True)
_PAIRS: Final = Pairs("extraKeyVal", most=KEYS_OF_APPLICATIONS, most_characters=VALUE_CHARACTERS)
_KEYS: Final = _Keys("extraKey")
_WITH_SENDER: Final = Flag("isSyncSender")
_PAGE: Final = Number("pageNo", least=1, most=1_000_000, default=1)


class AttachmentCalls:
    """Calls about them."""

    def __init__(self, expansions: Expansions) -> None:
        self._expansions = expansions

    def endpoints(self) -> list[Endpoint]:
        """Its part of the table."""
        return [
            Endpoint(
                path="/message/expansion/set",
                mark=Mark.OPTIONAL,
                about="Attach pairs to a message that was sent with expansion, or change them; the"
                " others hear of it, and with isSyncSender the user himself."
                " conversationType is 1 or 3, and extraKeyVal must be there.",
                parameters=(_UID, USER, _TYPE, _TARGET, _PAIRS, _WITH_SENDER),
                call=self.set,
            ),
            Endpoint(
                path="/message/expansion/delete",
                mark=Mark.OPTIONAL,
                about="Take pairs off a message in the same way.",
                parameters=(_UID, USER, _TYPE, _TARGET, _KEYS, _WITH_SENDER),
                call=self.delete,
            ),
            Endpoint(
                path="/message/expansion/query",
                mark=Mark.OPTIONAL,
                about="What is attached to a message; 1002 if it is unknown. All of it is on the"
                " first page, and ts is when the message was sent.",
                parameters=(_UID, _PAGE),
                call=self.query,
                reply="extraContent: key -> {v, ts}",
            ),
        ]

    async def set(self, call: Call) -> Reply:
        """INVALID: nothing can be attached to the message. OUT_OF_RANGE: it would be too much."""
        if not call[_PAIRS]:
            raise RefusedError(Code.INVALID, "extraKeyVal is missing")
        return await self._change(call, ExpansionChange(call[_UID], put=call[_PAIRS]))

    async def delete(self, call: Call) -> Reply:
        """INVALID: nothing can be attached to the message. Harmless for other keys."""
        return await self._change(call, ExpansionChange(call[_UID], delete=call[_KEYS]))

    async def query(self, call: Call) -> Reply:
        """INVALID: there is no such message."""
        found = await self._expansions.attached(call.app, call[_UID])
        if found is None:
            raise RefusedError(Code.INVALID, "msgUID is that of no message")
        pairs = found.pairs if call[_PAGE] == 1 else {}
        return {"extraContent": {key: {"v": text, "ts": found.time} for key, text in pairs.items()}}

    async def _change(self, call: Call, change: ExpansionChange) -> Reply:
        if call[_TYPE] not in (ConversationType.PRIVATE, ConversationType.GROUP):
            raise RefusedError(Code.INVALID, "conversationType must be 1 or 3")
        await self._expansions.change_for(
            call.app,
            call[USER],
            ConversationType(call[_TYPE]),
            call[_TARGET],
            change,
            in_sent_box=call[_WITH_SENDER],
        )
        return None
