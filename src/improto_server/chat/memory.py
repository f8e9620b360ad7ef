"""The session between two runs: a JSON file that is whole at any moment.

It holds what was typed and not yet sent, so nobody but its owner may read it.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Final

from improto.errors import LocalProtocolError
from improto.session import ClientSession

_APP: Final = "app"
_SESSION: Final = "session"


class StateError(Exception):
    """The file cannot be used; the text is one sentence."""


class StateFile:
    """A session of one user of one app, in a file."""

    def __init__(self, path: Path, *, app_key: str) -> None:
        # A link stays a link: its target is what gets replaced.
        self.path = path.resolve()
        self._app_key = app_key

    def load(self) -> ClientSession:
        """The session in the file; a new one if there is no file. Raises StateError."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ClientSession()
        except (OSError, ValueError) as error:
            raise StateError(f"{self.path} cannot be read: {error}") from error
        try:
            document = json.loads(text)
            app_key, state = document[_APP], document[_SESSION]
            session = ClientSession.from_state(state)
        except (ValueError, TypeError, KeyError, AttributeError, LocalProtocolError) as error:
            raise StateError(f"{self.path} is no state of a chat ({error!r})") from error
        if app_key != self._app_key:
            raise StateError(f"{self.path} belongs to the app {app_key}, not to {self._app_key}")
        return session

    def save(self, session: ClientSession) -> None:
        """Put the session into the file, whole or not at all. Raises StateError."""
        document = json.dumps({_APP: self._app_key, _SESSION: session.to_state()})
        try:
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    file.write(document)
                    file.flush()
                    os.fsync(descriptor)
                Path(name).replace(self.path)
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(name).unlink()
                raise
        except OSError as error:
            raise StateError(f"{self.path} cannot be written: {error.strerror}") from error
