"""The units for systemd: right for systemd, and in step with the command line and each other."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from tests.test_docs_commands import check
from tools.layout import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DEPLOY: Final = ROOT / "deploy"
UNITS: Final = sorted(DEPLOY.glob("improto*"))
PAGE: Final = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")

MOST_EXPOSED: Final = "15"
"""Tenths: what systemd itself calls OK ends at 40."""


def systemd_analyze(*arguments: str) -> str:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed; on Debian: apt-get install systemd")
    done = subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


def parsed(unit: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(unit)
    return parser


@pytest.mark.parametrize("unit", UNITS, ids=[unit.name for unit in UNITS])
def test_systemd_understands_them(unit: Path, tmp_path: Path) -> None:
    """With a program in place of ours, which is not where the unit looks for it."""
    text = unit.read_text().replace("/opt/improto/bin/improto", "/bin/true")
    for each in UNITS:
        shutil.copy(each, tmp_path)
    (tmp_path / unit.name).write_text(text)
    complaints = systemd_analyze("verify", "--man=no", str(tmp_path / unit.name))
    assert unit.name not in complaints


def test_the_server_may_do_little() -> None:
    unit = str(DEPLOY / "improto.service")
    systemd_analyze("security", "--offline=yes", f"--threshold={MOST_EXPOSED}", unit)


@pytest.mark.parametrize("name", ["improto.service", "improto-backup.service"])
def test_what_they_start_exists(name: str) -> None:
    command = parsed(DEPLOY / name)["Service"]["ExecStart"]
    found = re.search(r"/opt/improto/bin/(improto [^\"']*)", command)
    assert found is not None
    check([*shlex.split(found[1]), "backups/monday"])


def test_they_look_in_the_same_places() -> None:
    server, backup = (
        parsed(DEPLOY / name)["Service"] for name in ("improto.service", "improto-backup.service")
    )
    assert server["User"] == backup["User"] == "improto"
    assert server["WorkingDirectory"] == backup["WorkingDirectory"] == "/var/lib/improto"
    assert server["StateDirectory"] == "improto"
    writable = backup["ReadWritePaths"].split()
    assert "/var/lib/improto" in writable
    assert f"{writable[1]}/$$(" in backup["ExecStart"]
    assert f" {writable[1]} -mindepth 1 " in backup["ExecStartPost"]
    assert "sqlite:////var/lib/improto/" in PAGE


def test_the_manual_names_every_file() -> None:
    for path in DEPLOY.iterdir():
        assert f"(../deploy/{path.name})" in PAGE, path.name
        assert os.stat(path).st_mode & 0o111 == 0
