"""The independent clients: which there are, how they come here, what they do when things go wrong.

They are installed by npm, exactly as published, from the versions in ``package-lock.json``.
Another one is another dependency there, another page in ``pages`` and another :class:`Sdk` here;
the scenarios are the same for all.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdk:
    """One of them. Numbers are what its page says to the application."""

    name: str
    page: str
    """Its file, as the site serves it; the page defines ``im``, see ``pages``."""
    connected: tuple[int, ...]
    """The statuses of a login (session 2.2)."""
    kicked: tuple[int, ...]
    """The statuses after a login elsewhere (session 4.1)."""
    banned: tuple[int, ...]
    """The statuses after a ban (session 4.1)."""
    refused_by_navigation: int
    """The code of a login that navigation does not help (http 2.5)."""
    refused_by_server: int
    """The code of a login that the server refuses because of the token (session 2.3)."""


IMLIB_2_9_2: Final = Sdk(
    name="imlib-v2-2.9.2",
    page="pages/imlib-v2.html",
    connected=(1, 0),
    kicked=(2, 6),
    banned=(2, 9),
    refused_by_navigation=30007,
    refused_by_server=30002,
)

SDKS: Final = (IMLIB_2_9_2,)


class NotInstallable(Exception):
    """The text says what is missing on this machine."""


def install() -> None:
    """Get all SDKs from npm, unless they are here already. Raises NotInstallable."""
    if _is_installed():
        return
    npm = shutil.which("npm")
    if npm is None:
        raise NotInstallable("npm is not installed; on Debian: apt-get install npm")
    try:
        subprocess.run(
            [npm, *_INSTALL],
            cwd=HERE,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise NotInstallable(f"npm did not install the SDKs within {_PATIENCE:.0f} s") from None
    except subprocess.CalledProcessError as error:
        # It says much, the reason first.
        reason = " ".join(error.stderr.splitlines()[:_REASON_LINES])
        raise NotInstallable(f"npm could not install the SDKs: {reason}") from None


def _is_installed() -> bool:
    try:
        here = _packages(HERE / "node_modules" / ".package-lock.json")
    except FileNotFoundError:
        return False
    wanted = _packages(HERE / "package-lock.json")
    return here == wanted


def _packages(lock: Path) -> dict[str, Any]:
    """The checksum of each package; the one without a name is ours."""
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    return {name: package["integrity"] for name, package in packages.items() if name}
