"""``improto``: the console script.

It is installed with the core alone, which is not enough to run it. So this module needs
nothing else to say what is missing; the commands are in :mod:`improto_server.commands`.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from improto_server.commands import application
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing.startswith("improto"):
            raise
        sys.exit(f"improto: {missing} is not installed; try: pip install 'improto[server]'")
    application()
