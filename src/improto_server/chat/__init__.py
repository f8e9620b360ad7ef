"""The users' side of the command line: `improto chat`, and commands for one thing at a time.

Every module does one thing, and none but the two screens knows a terminal:

* ``access`` says where the server is and who we are, ``targets`` how conversations are written;
* ``inputs`` says what a typed line means, ``link`` carries messages and ``requests`` does the rest;
* ``lines`` and ``wording`` say what there is to see, ``records`` the same for programs;
* ``view`` is the state of a chat, ``painting`` makes text of lines, ``terminal`` and ``plain`` show
  it, ``completion`` helps to type;
* ``program`` puts a chat together, ``errands`` and ``bots`` are the other commands, ``running`` is
  how all of them end.
"""

from improto_server.chat.program import run

__all__ = ["run"]
