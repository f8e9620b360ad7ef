"""Tickets for uploads and links to files (operations 17).

Nothing is looked up: a ticket allows what will be checked when the file comes, and a link to a
file that is not there leads to a 404.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from improto import payloads
from improto.codes import ErrorCode, FileType
from improto.operations import Topic
from improto_server.files.grants import Download, Upload, clean_name, is_key
from improto_server.services import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto_server.files.storage import Storage
    from improto_server.services import Caller, Operations

TICKET_SECONDS: Final = 60 * 60
"""How long an upload may be begun; slow connections and patient users included."""

DAY: Final = 24 * 60 * 60
"""Seconds."""

_KINDS: Final = frozenset(FileType)

_Reply = TypeVar("_Reply", payloads.GetQNdownloadUrlOutput, payloads.GetDownloadUrlOutput)


class Uploads:
    """The service. ``storage`` is None if there is none, ``now`` milliseconds since 1970.

    ``link_days``: how long links are good. All methods: 41002 if there is no storage, 41001 if
    ``type`` is no file type of codes 8, 33003 if ``key`` cannot be a key.
    """

    def __init__(self, storage: Storage | None, *, link_days: int, now: Callable[[], int]) -> None:
        self._storage = storage
        self._link_seconds = link_days * DAY
        self._now = now

    def operations(self) -> Operations:
        """The topics it answers. Which provider is asked for makes no difference."""
        return {
            Topic.QN_TKN: self.ticket,
            Topic.QN_URL: self.link,
            Topic.ALI_URL: self.provider_link,
            Topic.S3_URL: self.provider_link,
            Topic.STC_URL: self.provider_link,
        }

    async def ticket(
        self, caller: Caller, target: str, request: payloads.GetQNupTokenInput
    ) -> payloads.GetQNupTokenOutput:
        """Leave to upload a file within an hour; ``deadline`` is in milliseconds.

        SDK 2.5.3 sends no key; then whoever uploads chooses one.
        """
        storage = self._checked(request.type, request.key or None)
        return storage.ticket(
            Upload(
                app=caller.app,
                user_id=caller.user_id,
                kind=request.type,
                key=request.key,
                until=self._now() // 1000 + TICKET_SECONDS,
            )
        )

    async def link(
        self, caller: Caller, target: str, request: payloads.GetQNdownloadUrlInput
    ) -> payloads.GetQNdownloadUrlOutput:
        """Where a file can be downloaded, shown as ``fileName``."""
        return self._link(caller, request, payloads.GetQNdownloadUrlOutput)

    async def provider_link(
        self, caller: Caller, target: str, request: payloads.GetDownloadUrlInput
    ) -> payloads.GetDownloadUrlOutput:
        """The same by another provider's topic."""
        return self._link(caller, request, payloads.GetDownloadUrlOutput)

    def _link(
        self,
        caller: Caller,
        request: payloads.GetQNdownloadUrlInput | payloads.GetDownloadUrlInput,
        reply: type[_Reply],
    ) -> _Reply:
        storage = self._checked(request.type, request.key)
        download = Download(
            app=caller.app,
            key=request.key,
            name=clean_name(request.fileName),
            until=self._now() // 1000 + self._link_seconds,
        )
        return reply(downloadUrl=storage.link(download))

    def _checked(self, kind: int, key: str | None) -> Storage:
        if self._storage is None:
            raise ServiceError(ErrorCode.QNTKN_GET_ERROR)
        if kind not in _KINDS:
            raise ServiceError(ErrorCode.QNTKN_FILETYPE_ERROR)
        if key is not None and not is_key(key):
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        return self._storage
