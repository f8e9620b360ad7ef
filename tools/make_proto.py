"""Compile the payload schema: ``python tools/make_proto.py [--check]``.

Writes ``payloads_pb2.py`` and its stubs ``payloads_pb2.pyi`` beside
``src/improto/_pb/payloads.proto``. They are checked in, so that nobody needs a compiler to
install improto. With ``--check`` nothing is written; the exit status is 1 if a file is stale.

Needs grpcio-tools (for protoc) and mypy-protobuf (for stubs that know the fields of every
constructor and ``HasField``, and show the comments of the schema).
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import sysconfig
import tempfile
import tomllib
from importlib.metadata import version
from pathlib import Path

from grpc_tools import protoc  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "src"
FOLDER = Path("improto", "_pb")
SCHEMA = FOLDER / "payloads.proto"
COMPILED = FOLDER / "payloads_pb2.py"
STUBS = FOLDER / "payloads_pb2.pyi"


def oldest_runtime() -> tuple[int, int, int]:
    """The oldest protobuf that pyproject.toml allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in project["dependencies"]:
        if match := re.fullmatch(r"protobuf>=(\d+)\.(\d+)(?:\.(\d+))?", requirement):
            major, minor, patch = match.groups(default="0")
            return int(major), int(minor), int(patch)
    raise SystemExit("pyproject.toml: no dependency of the form protobuf>=MAJOR.MINOR")


def stamped(source: str) -> str:
    """Let compiled code say that it was made for the oldest runtime that we allow.

    protoc writes its own version into the code, and an older runtime then refuses to load it.
    Here the refusal would be wrong: what protoc writes for this schema is the same, but for the
    version, from 6.31 to 7.35.
    """
    numbers = oldest_runtime()
    source = re.sub(
        r"(?<=^# Protobuf Python Version: ).*$",
        ".".join(map(str, numbers)),
        source,
        flags=re.MULTILINE,
    )
    return re.sub(
        r"(?<=Domain\.PUBLIC,\n)(?:    \d+,\n){3}",
        "".join(f"    {number},\n" for number in numbers),
        source,
    )


def compiled() -> dict[Path, str]:
    """The text of each generated file, by its path below ``src``."""
    plugin = shutil.which("protoc-gen-mypy", path=sysconfig.get_path("scripts"))
    if plugin is None:
        raise SystemExit("protoc-gen-mypy is missing; install mypy-protobuf")
    with tempfile.TemporaryDirectory() as folder:
        status = protoc.main(
            [
                "protoc",
                f"--proto_path={SOURCES}",
                f"--plugin=protoc-gen-mypy={plugin}",
                f"--python_out={folder}",
                f"--mypy_out=quiet:{folder}",
                str(SOURCES / SCHEMA),
            ]
        )
        if status:
            raise SystemExit(f"protoc failed with status {status}")
        return {
            COMPILED: stamped(Path(folder, COMPILED).read_text(encoding="utf-8")),
            STUBS: Path(folder, STUBS).read_text(encoding="utf-8"),
        }


def main(arguments: list[str] | None = None) -> int:
    """Write or check the generated files; the exit status is returned."""
    parser = argparse.ArgumentParser(description="Compile the payload schema.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if stale")
    check = parser.parse_args(arguments).check
    stale = False
    for path, text in compiled().items():
        file = SOURCES / path
        if file.exists() and file.read_text(encoding="utf-8") == text:
            continue
        if check:
            print(f"{file.relative_to(ROOT)} is stale; run python tools/make_proto.py")
            stale = True
        else:
            file.write_text(text, encoding="utf-8")
            print(f"wrote {file.relative_to(ROOT)}")
    if stale:
        print(f"(grpcio-tools {version('grpcio-tools')}, mypy-protobuf {version('mypy-protobuf')})")
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
