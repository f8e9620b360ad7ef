"""Files in a directory of this machine, uploaded to the server's own web port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto import payloads

if TYPE_CHECKING:
    from improto_server.files.grants import Download, Signer, Upload

PATH: Final = "/files"
"""Where the web port takes and gives files."""


class LocalStorage:
    """The storage. ``public_url`` is where clients find the web port, no slash at the end."""

    def __init__(self, signer: Signer, public_url: str) -> None:
        self._signer = signer
        self.public_url = public_url

    @property
    def provider(self) -> tuple[str, str]:
        """Upload clients put the scheme of their page in front, and nothing behind."""
        return "qiniu", self.public_url.partition("://")[2] + PATH

    def ticket(self, upload: Upload) -> payloads.GetQNupTokenOutput:
        """A token for the field ``token`` of the form (operations 17)."""
        return payloads.GetQNupTokenOutput(
            deadline=upload.until * 1000, token=self._signer.ticket(upload)
        )

    def link(self, download: Download) -> str:
        """The URL of the file on the web port."""
        return f"{self.public_url}{PATH}/{self._signer.link(download)}"
