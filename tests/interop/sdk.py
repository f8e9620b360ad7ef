"""The independent clients: which there are, how they come here, what each of them lacks, and does
when things go wrong.

They are installed by npm, exactly as published, each in a folder of its own in ``sdks``, because
they want different versions of the same package. Another one is another folder there, another
page in ``pages`` and another :class:`Sdk` here; the scenarios are the same for all.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent

_INSTALL: Final = (
    "ci",
    "--loglevel=error",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    # Without a network this fails after a second instead of a minute.
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=1000",
)
_PATIENCE: Final = 120.0
"""Seconds for npm; it usually takes one."""
_REASON_LINES: Final = 4

Status = int | str
"""A status of the connection, as the page writes down what the SDK says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdk:
    """One of them. Statuses and codes are what its page says to the application."""

    package: str
    """The folder that npm fills, and the name of its page; the page defines ``im``, see
    ``pages``."""
    version: str
    connected: tuple[Status, ...]
    """The statuses of a login (session 2.2); the last one means that it is connected."""
    kicked: tuple[Status, ...]
    """The statuses after a login elsewhere (session 4.1)."""
    banned: tuple[Status, ...]
    """The statuses after a ban (session 4.1)."""
    refused_by_navigation: int
    """The code of a login that navigation does not help (http 2.5)."""
    refused_by_server: int
    """The code of a login that the server refuses because of the token (session 2.3)."""
    refused_ban: int
    """The code of a login that the server refuses because of a ban (session 2.3)."""
    names_only: tuple[tuple[Any, ...], ...] = ()
    """Calls of functions that it has only in name: they ask nobody."""
    refused_names: int = 0
    """The code of these calls."""
    outside: str = ""
    """A pattern of the addresses of its vendor that it asks, whatever it is told (sdk5 2.1)."""
    is_polling: bool = False
    """It is told to use long polling."""

    @property
    def sockets(self) -> int:
        """How many WebSockets it opens to log in."""
        return int(not self.is_polling)

    @property
    def name(self) -> str:
        """Which of them it is."""
        return f"{self.package}-{self.version}{'-polling' if self.is_polling else ''}"

    @property
    def label(self) -> str:
        """What it is called in the interop table."""
        return f"{self.version}{' polling' if self.is_polling else ''}"

    @property
    def page(self) -> str:
        """The file of its page, as the site serves it."""
        return f"pages/{self.package}.html{'?comet' if self.is_polling else ''}"


_BLACKLIST: Final = (
    ("addToBlacklist", "bert"),
    ("removeFromBlacklist", "bert"),
    ("getBlacklist",),
    ("getBlacklistStatus", "bert"),
)

IMLIB_2_9_2: Final = Sdk(
    package="imlib-v2",
    version="2.9.2",
    connected=(1, 0),
    kicked=(2, 6),
    banned=(2, 9),
    refused_by_navigation=30007,
    refused_by_server=30002,
    refused_ban=30002,
    names_only=(
        *_BLACKLIST,
        ("getUserStatus", "bert"),
        ("setUserStatus", 2),
    ),
    refused_names=39002,
)

IMLIB_5_38_0: Final = Sdk(
    package="imlib-next",
    version="5.38.0",
    connected=("CONNECTING", "CONNECTED"),
    kicked=("DISCONNECT 31010",),
    banned=("DISCONNECT 31011",),
    refused_by_navigation=31004,
    refused_by_server=31020,
    refused_ban=31009,
    names_only=_BLACKLIST,
    refused_names=35004,
    outside=r"https://[a-z-]+\.rong-edge\.com/v1/config",
)

IMLIB_4_6_4: Final = Sdk(
    package="imlib-v4",
    version="4.6.4",
    connected=(1, 0),
    kicked=(2, 6),
    banned=(2, 9),
    refused_by_navigation=30007,
    refused_by_server=31004,
    refused_ban=31009,
)

IMLIB_2_9_2_POLLING: Final = replace(IMLIB_2_9_2, is_polling=True, connected=(1, 0, 0))
"""It says twice that it is connected (http 5.7)."""

IMLIB_4_6_4_POLLING: Final = replace(IMLIB_4_6_4, is_polling=True, connected=(1, 1, 0))
"""It says twice that it is connecting."""

SDKS: Final = (IMLIB_2_9_2, IMLIB_5_38_0)
"""Those that every scenario is told for."""
BY_VERSION: Final = {sdk.version: sdk for sdk in (*SDKS, IMLIB_4_6_4)}


class NotInstallable(Exception):
    """The text says what is missing on this machine."""


def install(sdk: Sdk) -> None:
    """Get an SDK from npm, unless it is here already. Raises NotInstallable."""
    folder = HERE / "sdks" / sdk.package
    with (folder / ".installing").open("w") as lock:
        # Tests may run in several processes, and one of them is enough to do it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_installed(folder):
            _install(sdk, folder)


def _install(sdk: Sdk, folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NotInstallable("npm is not installed; on Debian: apt-get install npm")
    try:
        subprocess.run(
            [npm, *_INSTALL],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise NotInstallable(f"npm did not install {sdk.name} within {_PATIENCE:.0f} s") from None
    except subprocess.CalledProcessError as error:
        # It says much, the reason first.
        reason = " ".join(error.stderr.splitlines()[:_REASON_LINES])
        raise NotInstallable(f"npm could not install {sdk.name}: {reason}") from None


def _is_installed(folder: Path) -> bool:
    try:
        here = _packages(folder / "node_modules" / ".package-lock.json")
    except FileNotFoundError:
        return False
    wanted = _packages(folder / "package-lock.json")
    return here == wanted


def _packages(lock: Path) -> dict[str, Any]:
    """The checksum of each package; the one without a name is ours."""
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    return {name: package["integrity"] for name, package in packages.items() if name}
