"""`improto chat`: talking to somebody in a terminal, or from a script.

Every module does one thing, and none but the two screens knows a terminal: ``inputs`` says what
a line means, ``link`` keeps the connection, ``view`` says what there is to see, ``painting`` makes
text of it, ``terminal`` and ``plain`` show it. ``program`` puts them together.
"""

from improto_server.chat.program import run
from improto_server.chat.settings import ChatSettings

__all__ = ["ChatSettings", "run"]
