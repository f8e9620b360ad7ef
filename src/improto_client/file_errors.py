"""Why a file did not get there: what uploads and downloads raise besides what requests raise."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, ClassVar, Final

from improto.codes import ErrorCode
from improto_client.errors import ImError

if TYPE_CHECKING:
    from pathlib import Path

_FULL: Final = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
"""Not every system has quotas."""


class FileError(ImError):
    """A file was not uploaded, or not downloaded. The SDKs have one number for nearly all."""

    def __init__(self, text: str, *, code: int = ErrorCode.UPLOAD_FILE_FAILED) -> None:
        super().__init__(code, text)


class NoStorage(FileError):
    """There is no storage, or none that this library can upload to; the text says which."""

    def __init__(self, text: str) -> None:
        super().__init__(text, code=ErrorCode.QNTKN_GET_ERROR)


class FileTooLarge(FileError):
    """The file has more bytes than the storage takes, or than the program wanted."""

    advice_by_default: ClassVar[str] = "Send a smaller file, or ask who runs the server."

    def __init__(self, limit: int | None) -> None:
        named = "the storage takes" if limit is None else f"{limit} bytes"
        super().__init__(
            f"the file is larger than {named}", code=ErrorCode.RC_FILE_SIZE_EXCEED_LIMIT
        )
        self.limit = limit
        """The most bytes that it may have; None if the storage does not say."""


class TransferRefused(FileError):
    """The storage does not take or give the file. ``status`` is that of HTTP."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"the storage refused with HTTP status {status}: {text or 'no reason'}")
        self.status = status


class TransferBroken(FileError):
    """The storage cannot be reached, or the connection to it broke."""

    advice_by_default: ClassVar[str] = "Check the network; then try again."


class TransferStalled(TransferBroken):
    """Nothing has moved for as long as the program was willing to wait."""


class DiskFull(FileError):
    """There is no room for the file, at the storage or on this machine; the text says where."""

    advice_by_default: ClassVar[str] = "Make room; then try again."


class FileUnusable(FileError):
    """A file of this machine cannot be read or written; the cause says why."""

    advice_by_default: ClassVar[str] = "Check the path, and who may read and write there."


def local_error(path: Path, error: OSError) -> FileError:
    """What became of a file of this machine."""
    text = f"{path}: {error.strerror or type(error).__name__}"
    return DiskFull(text) if error.errno in _FULL else FileUnusable(text)
