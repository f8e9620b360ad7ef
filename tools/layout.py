"""Which files are the sans-IO core, and where the tests of each one live.

One place, because the import rules and the coverage gate must mean the same modules.
"""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "src" / "improto"
TESTS = ROOT / "tests"

# In the core's package, but programs: they open sockets and read clocks like any other program.
PROGRAMS = ("__main__.py", "_cli*.py", "asgi.py", "_asgi_*.py")


def is_program(path: Path) -> bool:
    """Whether this file of the core's package is a program around the core."""
    return path.parent == CORE and any(fnmatch(path.name, pattern) for pattern in PROGRAMS)


def is_testing(path: Path) -> bool:
    """Whether this file belongs to the public test tools, the one place with seeded chance."""
    return path.is_relative_to(CORE / "testing")


def is_generated(path: Path) -> bool:
    """Whether this file was written by the protobuf compiler."""
    return path.is_relative_to(CORE / "_pb")


def sans_io_files() -> list[Path]:
    """Every hand-written file that the import rules hold for: the core and its test tools."""
    return [
        path
        for path in sorted(CORE.rglob("*.py"))
        if not is_program(path) and not is_generated(path)
    ]


def core_modules() -> list[Path]:
    """Every core module that has to be covered from its own test file.

    An ``__init__.py`` only re-exports, and the test tools are covered by the tests that use them.
    """
    return [path for path in sans_io_files() if path.name != "__init__.py" and not is_testing(path)]


def test_file(module: Path) -> Path:
    """The test file of a module: the same path under tests/, without the private underscore.

    Private modules of a package whose parts make sense only together share its test file.
    """
    folder = module.relative_to(CORE).parent
    shared = TESTS / f"test_{folder.name}.py"
    if module.stem.startswith("_") and folder.name and shared.exists():
        return shared
    return TESTS / folder / f"test_{module.stem.removeprefix('_')}.py"
