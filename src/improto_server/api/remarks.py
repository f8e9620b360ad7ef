"""What users call other users and groups (rest 9.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta

from improto.codes import ConversationType
from improto_server.api.common import GROUP, PAGE, USER
from improto_server.api.endpoints import Call, Endpoint, Mark, Reply
from improto_server.api.parameters import Number, Parameter, Text, user_id
from improto_server.api.replies import Code
from improto_server.services.accounts import is_user_id

if TYPE_CHECKING:
    from improto_server.api.bodies import Fields
    from improto_server.services.remarks import Remarks

MOST_AT_ONCE: Final = 100
"""Remarks that one call sets (rest 9.2)."""

REMARK_CHARACTERS: Final = 256
"""The longest remark. Ours."""


class _Row(msgspec.Struct):
    id: str
    remark: Annotated[str, Meta(max_length=REMARK_CHARACTERS)]


class _Several(Parameter[dict[str, str]]):
    """A JSON list of objects; one SDK writes their keys with capitals."""

    def __init__(self, name: str) -> None:
        limit = (
            f"JSON text, up to {MOST_AT_ONCE} objects of id and remark,"
            f" remarks up to {REMARK_CHARACTERS} characters"
        )
        super().__init__(name, is_required=True, limit=limit)

    def read(self, fields: Fields) -> dict[str, str]:
        """INVALID or OUT_OF_RANGE."""
        text = self.last(fields)
        try:
            found = msgspec.json.decode(text, type=list[dict[str, Any]])
            rows = msgspec.convert(
                [{name.lower(): value for name, value in each.items()} for each in found],
                list[_Row],
            )
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise self.refused(Code.INVALID, f"is not right: {error}") from None
        if len(rows) > MOST_AT_ONCE:
            raise self.refused(Code.OUT_OF_RANGE, f"has more than {MOST_AT_ONCE} items")
        if not rows or not all(is_user_id(row.id) for row in rows):
            raise self.refused(Code.INVALID, "must have ids of users")
        return {row.id: row.remark for row in rows}

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "contentMediaType": "application/json"}


_REMARKS: Final = _Several("remarks")
_REMARK: Final = Text("remark", most_characters=REMARK_CHARACTERS, is_required=True)
_OTHER: Final = user_id("targetId")
_SIZE: Final = Number("size", least=1, most=100, default=50)
_USERS: Final = ConversationType.PRIVATE
_GROUPS: Final = ConversationType.GROUP


class RemarkCalls:
    """Calls about remarks."""

    def __init__(self, remarks: Remarks) -> None:
        self._remarks = remarks

    def endpoints(self) -> list[Endpoint]:
        """Its part of the table."""
        return [
            Endpoint(
                path="/user/remarks/set",
                mark=Mark.SETTINGS,
                about="Say what a user calls others.",
                parameters=(USER, _REMARKS),
                call=self.set,
            ),
            Endpoint(
                path="/user/remarks/del",
                mark=Mark.SETTINGS,
                about="A user calls another one nothing special.",
                parameters=(USER, _OTHER),
                call=self.remove,
            ),
            Endpoint(
                path="/user/remarks/get",
                mark=Mark.SETTINGS,
                about="What a user calls others, in the order of their ids.",
                parameters=(USER, PAGE, _SIZE),
                call=self.page,
                reply="total, users: [{id, remark}]",
            ),
            Endpoint(
                path="/group/remarks/set",
                mark=Mark.SETTINGS,
                about="Say what a user calls a group.",
                parameters=(USER, GROUP, _REMARK),
                call=self.set_of_group,
            ),
            Endpoint(
                path="/group/remarks/del",
                mark=Mark.SETTINGS,
                about="A user calls a group nothing special.",
                parameters=(USER, GROUP),
                call=self.remove_of_group,
            ),
            Endpoint(
                path="/group/remarks/get",
                mark=Mark.SETTINGS,
                about="What a user calls a group.",
                parameters=(USER, GROUP),
                call=self.of_group,
                reply="remark: text, empty if nothing special",
            ),
        ]

    async def set(self, call: Call) -> Reply:
        """OUT_OF_RANGE: there are too many in all."""
        await self._remarks.put((call.app, call[USER]), _USERS, call[_REMARKS])
        return None

    async def remove(self, call: Call) -> Reply:
        """Harmless if that is so."""
        await self._remarks.remove((call.app, call[USER]), _USERS, call[_OTHER])
        return None

    async def page(self, call: Call) -> Reply:
        """None, beyond the last page."""
        count = call[_SIZE]
        total, found = await self._remarks.page(
            (call.app, call[USER]), _USERS, offset=(call[PAGE] - 1) * count, count=count
        )
        return {
            "total": total,
            "users": [{"id": each.target, "remark": each.remark} for each in found],
        }

    async def set_of_group(self, call: Call) -> Reply:
        """OUT_OF_RANGE: there are too many in all."""
        given = {call[GROUP]: call[_REMARK]}
        await self._remarks.put((call.app, call[USER]), _GROUPS, given)
        return None

    async def remove_of_group(self, call: Call) -> Reply:
        """Harmless if that is so."""
        await self._remarks.remove((call.app, call[USER]), _GROUPS, call[GROUP])
        return None

    async def of_group(self, call: Call) -> Reply:
        """What it is really called is not told."""
        found = await self._remarks.find((call.app, call[USER]), _GROUPS, call[GROUP])
        return {"remark": found or ""}
