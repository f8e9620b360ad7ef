"""How a request is refused, wherever in the server the reason is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from improto.codes import ErrorCode, describe

if TYPE_CHECKING:
    from improto.payloads import Message


class ServiceError(Exception):
    """A request is refused with a status of codes 5.

    ``reply``: what is told besides the status, in answer to a QUERY.
    """

    def __init__(self, code: ErrorCode, reply: Message | None = None) -> None:
        super().__init__(describe(code))
        self.code = code
        self.reply = reply


class ListFull(ServiceError):
    """A list that the application keeps would become too long; ``text`` says how long it may be."""

    def __init__(self, text: str) -> None:
        super().__init__(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        self.args = (text,)


class StatusAnswer(Exception):
    """The answer to a question is a status, and that is no refusal (codes 4)."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the answer is status {status}")
        self.status = status
