"""The web port of one server: which parts it has, and where its files are.

It is made from the settings and knows nothing of messages. What it has to do with them goes
through :attr:`Site.storage`, which the service for uploads asks.
"""

from __future__ import annotations

import logging
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
from anyio.to_thread import run_sync

from improto_server.addresses import EVERYWHERE
from improto_server.config import StorageKind
from improto_server.files.disk import Disk
from improto_server.files.grants import Signer
from improto_server.files.local import LocalStorage
from improto_server.files.storage import SizeLimits
from improto_server.places import files_directory
from improto_server.store import StoreError
from improto_server.tls import Certificate
from improto_server.web.app import web_app
from improto_server.web.assets import Assets
from improto_server.web.files import Files
from improto_server.web.serving import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from starlette.routing import BaseRoute

    from improto_server.config import Settings
    from improto_server.files.storage import Storage

FORGET_EVERY: Final = 3600.0
"""Seconds between two looks for files that are too old."""

_DAY: Final = 24 * 60 * 60

_logger = logging.getLogger(__name__)


class Site:
    """The web port. ``now`` is seconds since 1970.

    Raises ImportError if the settings want a store that speaks S3 and boto3 is not installed.
    """

    def __init__(self, settings: Settings, *, now: Callable[[], float] = time.time) -> None:
        uploads = settings.uploads
        self._web = settings.web
        self._backend = settings.gateway.backend
        self._directory = uploads.directory
        self._proxies = settings.accounts.proxies
        self._keep_seconds = uploads.keep_days * _DAY
        self._now = now
        self._signer = Signer({app.key: app.secret for app in settings.apps})
        self._limits = SizeLimits(
            image=uploads.image_bytes,
            audio=uploads.audio_bytes,
            video=uploads.video_bytes,
            file=uploads.file_bytes,
        )
        self._disk: Disk | None = None
        self._local: LocalStorage | None = None
        self.storage: Storage | None = None
        """Where files are; None if there are none."""
        self.url = ""
        """Where the web port is found from this machine, while it is listening."""
        self.certificate = Certificate.of("web", settings.web) if settings.web.enabled else None
        """What the web port shows; None: it is not encrypted."""
        self.is_ready = False
        """Whether clients should be sent to this server; ``/readyz`` tells it."""
        self.parts: list[Sequence[BaseRoute]] = []
        """The routes of each part; add to it before :meth:`listening`."""
        if uploads.storage is StorageKind.S3:
            self.storage = _s3(settings, self._limits)
        elif uploads.storage is StorageKind.LOCAL and self._web.enabled:
            self.storage = self._local = LocalStorage(self._signer, self._web.public_url)

    @asynccontextmanager
    async def listening(self, *, beside: Path) -> AsyncIterator[None]:
        """Serve for as long as the block lasts, if the web port is on.

        ``beside``: the database; files go into ``<its name>-files`` beside it unless the settings
        say where. Raises OSError, and StoreError if that directory cannot be used.
        """
        if not self._web.enabled:
            yield
            return
        if self._local is not None:
            self._disk = await run_sync(_disk, files_directory(beside, self._directory))
            files = Files(self._disk, self._signer, self._limits, now=self._now)
            self.parts.append(files.routes())
        self.parts.append((await run_sync(Assets)).routes())
        app = web_app(*self.parts, is_ready=lambda: self.is_ready)
        tls = self.certificate.context if self.certificate is not None else None
        async with serving(
            app,
            self._web.host,
            self._web.port,
            backend=self._backend,
            tls=tls,
            log=self._web.access_log,
            proxies=self._proxies,
        ) as address:
            self.url = url_of(*address, is_encrypted=tls is not None)
            if self._local is not None:
                self._local.public_url = self._web.public_url or self.url
            yield

    async def forget_regularly(self) -> None:
        """Delete files that are too old, again and again, if that is wanted."""
        if self._disk is None or not self._keep_seconds:
            return
        while True:
            before = self._now() - self._keep_seconds
            try:
                count = await run_sync(partial(self._disk.forget_before, before))
            except OSError as error:
                _logger.error("old files could not be deleted: %s", error)
            else:
                if count:
                    _logger.info("%d files were too old and are deleted", count)
            await anyio.sleep(FORGET_EVERY)


def url_of(host: str, port: int, *, is_encrypted: bool) -> str:
    """Where something that listens there is found from this machine."""
    host = EVERYWHERE.get(host, host)
    scheme = "https" if is_encrypted else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _disk(directory: Path) -> Disk:
    try:
        return Disk(directory)
    except OSError as error:
        raise StoreError(f"{directory} cannot keep files: {error.strerror}") from error


def _s3(settings: Settings, limits: SizeLimits) -> Storage:
    try:
        from improto_server.files.s3 import S3Account, S3Storage
    except ModuleNotFoundError as error:
        raise ImportError(
            "uploads.storage is s3, which needs boto3; try: pip install 'improto[s3]'"
        ) from error
    uploads = settings.uploads
    account = S3Account(
        endpoint=uploads.s3_endpoint,
        region=uploads.s3_region,
        bucket=uploads.s3_bucket,
        access_key=uploads.s3_access_key,
        secret_key=uploads.s3_secret_key,
    )
    return S3Storage(account, limits)
