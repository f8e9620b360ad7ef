"""What the server needs of a place for files, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from improto.codes import FileType

if TYPE_CHECKING:
    from improto import payloads
    from improto_server.files.grants import Download, Upload

_MIB: Final = 1024 * 1024


class Storage(Protocol):
    """Where files are. Both methods answer at once, without network or disk."""

    @property
    def provider(self) -> tuple[str, str]:
        """The provider's name and host, for ``ossConfig`` of navigation (http 2.3)."""

    def ticket(self, upload: Upload) -> payloads.GetQNupTokenOutput:
        """What a client needs to upload the file."""

    def link(self, download: Download) -> str:
        """The URL of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeLimits:
    """The most bytes that a file may have, by what it is."""

    image: int = 20 * _MIB
    audio: int = 10 * _MIB
    video: int = 200 * _MIB
    file: int = 100 * _MIB

    @property
    def largest(self) -> int:
        """What no file may exceed."""
        return max(self.image, self.audio, self.video, self.file)

    def of(self, kind: int) -> int:
        """The limit for a number of ``FileType``."""
        if kind == FileType.IMAGE:
            return self.image
        if kind == FileType.AUDIO:
            return self.audio
        if kind in (FileType.VIDEO, FileType.SIGHT):
            return self.video
        return self.file
