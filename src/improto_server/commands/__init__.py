"""The commands of ``improto``: thin, and clear about what is wrong.

A module for each family: :mod:`.serving` runs servers, :mod:`.demo` one to look at,
:mod:`.keeping` makes backups, :mod:`.admin` looks into a running one, :mod:`.talking` is their
users in a terminal and in scripts; :mod:`.common` is what all have. A family adds itself to the
command line when it is imported; what only talking needs is imported when it begins.
"""

from improto_server.commands import admin, demo, keeping, serving, talking
from improto_server.commands.common import application
from improto_server.commands.serving import DEFAULT_CONFIG

__all__ = ["DEFAULT_CONFIG", "admin", "application", "demo", "keeping", "serving", "talking"]
