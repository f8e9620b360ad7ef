"""Who of the users is a robot (sdk5 4, 8.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import Topic
from tests.server.conversation_tools import status
from tests.server.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.rig import Client


def bots(client: Client, topic: Topic, *ids: str) -> list[tuple[str, str]]:
    reply = client.ask(topic, payloads.BotInput(ids=ids), payloads.BotOutput)
    return [(bot.id, bot.name) for bot in reply.bots]


def test_a_server_without_robots(tmp_path: Path) -> None:
    alice = Rig(tmp_path).online("alice", "5.38.0")
    assert bots(alice, Topic.Q_APP_BOT) == bots(alice, Topic.Q_BOT, "robot") == []


def test_a_server_with_robots(tmp_path: Path) -> None:
    rig = Rig(tmp_path, robots={"robot": "Robot", "other": "Other"})
    alice = rig.online("alice", "5.38.0")
    assert bots(alice, Topic.Q_APP_BOT) == [("robot", "Robot"), ("other", "Other")]
    assert bots(alice, Topic.Q_BOT, "other", "bob", "other") == [("other", "Other")]
    assert bots(alice, Topic.Q_BOT) == []
    many = payloads.BotInput(ids=["robot"] * 101)
    assert status(alice, Topic.Q_BOT, many) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
