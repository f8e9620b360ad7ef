"""Files in a store that speaks S3. Clients go there themselves; nothing passes through us.

What they need is signed here, without asking the store. The newer SDKs send the form that the
``s3`` fields of a ticket are for. SDK 2.5.3 does not know these fields and cannot upload.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from boto3.session import Session
from botocore.config import Config

from improto import payloads
from improto.codes import ErrorCode
from improto_server.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto_server.files.grants import Download, Upload
    from improto_server.files.storage import SizeLimits

LONGEST_LINK: Final = 7 * 24 * 60 * 60
"""Seconds; no store takes a signature that is to be good for longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Account:
    """Which store, and who we are there."""

    endpoint: str
    """A URL, such as ``https://s3.example.org``."""
    region: str
    bucket: str
    access_key: str
    secret_key: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"S3Account(endpoint={self.endpoint!r}, bucket={self.bucket!r})"


class S3Storage:
    """The storage. ``now`` is seconds since 1970."""

    def __init__(
        self, account: S3Account, limits: SizeLimits, *, now: Callable[[], float] = time.time
    ) -> None:
        self._account = account
        self._limits = limits
        self._now = now
        self._client = Session().client(
            "s3",
            endpoint_url=account.endpoint,
            region_name=account.region,
            aws_access_key_id=account.access_key,
            aws_secret_access_key=account.secret_key,
            # Upload clients know no other way to name a bucket.
            config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}),
        )

    @property
    def provider(self) -> tuple[str, str]:
        """Upload clients put the bucket and a dot in front of the host."""
        return "s3", urlsplit(self._account.endpoint).netloc

    def ticket(self, upload: Upload) -> payloads.GetQNupTokenOutput:
        """The signed fields of the form (operations 17). ``token`` is the policy once more.

        41002 without a key, because then nobody knows these fields.
        """
        if not upload.key:
            raise ServiceError(ErrorCode.QNTKN_GET_ERROR)
        post = self._client.generate_presigned_post(
            self._account.bucket,
            upload.key,
            Conditions=[
                ["content-length-range", 0, self._limits.of(upload.kind)],
                ["starts-with", "$Content-Type", ""],
                ["starts-with", "$Content-Disposition", ""],
            ],
            ExpiresIn=self._seconds_to(upload.until),
        )
        fields = post["fields"]
        return payloads.GetQNupTokenOutput(
            deadline=upload.until * 1000,
            token=fields["policy"],
            s3Credential=fields["x-amz-credential"],
            s3Algorithm=fields["x-amz-algorithm"],
            s3Date=fields["x-amz-date"],
            s3Policy=fields["policy"],
            s3Signature=fields["x-amz-signature"],
            s3BucketName=self._account.bucket,
        )

    def link(self, download: Download) -> str:
        """The URL of the file in the store, good for a week at most."""
        shown = f"; filename*=UTF-8''{quote(download.name, safe='')}" if download.name else ""
        return self._client.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._account.bucket,
                "Key": download.key,
                "ResponseContentDisposition": f"attachment{shown}",
            },
            ExpiresIn=min(self._seconds_to(download.until), LONGEST_LINK),
        )

    def _seconds_to(self, time: int) -> int:
        return max(1, time - int(self._now()))
