"""Passwords that cost next to nothing."""

from __future__ import annotations

from functools import partial

import pytest

from improto_server.accounts import server
from improto_server.accounts.passwords import Passwords


@pytest.fixture(autouse=True)
def passwords_are_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "Passwords", partial(Passwords, memory=8, rounds=1))
