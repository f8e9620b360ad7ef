"""What a client is told right after connecting (operations 4, 8, 11)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from improto import payloads
from improto.operations import Topic
from tests.server.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("time", "version"), [(0, 0), (1_600_000_000_000, 1_600_000_000_000)])
def test_no_settings_of_conversations(tmp_path: Path, time: int, version: int) -> None:
    alice = Rig(tmp_path).online("alice")
    states = alice.ask(Topic.PULL_SE_ATTS, payloads.SessionReq(time=time), payloads.SessionStates)
    assert states == payloads.SessionStates(version=version)


@pytest.mark.parametrize(("version", "answered"), [(0, 0), (2, 2), (-1, 0)])
def test_no_settings_of_the_user(tmp_path: Path, version: int, answered: int) -> None:
    alice = Rig(tmp_path).online("alice")
    settings = alice.ask(
        Topic.PULL_US,
        payloads.PullUserSettingInput(version=version),
        payloads.PullUserSettingOutput,
    )
    assert settings == payloads.PullUserSettingOutput(version=answered)


def test_which_sdk_it_is_goes_to_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="improto_server")
    alice = Rig(tmp_path).online("alice")
    report = payloads.ReportSDKInput(sdkInfo='{"imlib":"4.6.4"}\nx')
    message_id = alice.query(Topic.REPORTSDK, report)
    (answer,) = alice.answers(message_id)
    assert (answer.status, answer.data) == (0, b"")
    assert caplog.messages == ["""alice of app app uses '{"imlib":"4.6.4"}\\nx'"""]
