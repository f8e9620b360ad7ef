"""What newer SDKs ask right after connecting, before they have any setting (operations 4, 8, 11).

Nothing can be changed yet, so there is nothing to tell. A version is answered with itself:
clients keep the highest they have seen and would ask again for ever below it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from improto import payloads

if TYPE_CHECKING:
    from improto_server.services import Caller

_logger = logging.getLogger(__name__)


def conversation_settings(caller: Caller, request: payloads.SessionReq) -> payloads.SessionStates:
    """Settings of conversations that have changed after a time (operations 8)."""
    return payloads.SessionStates(version=max(0, request.time))


def user_settings(
    caller: Caller, request: payloads.PullUserSettingInput
) -> payloads.PullUserSettingOutput:
    """Settings of the user that have changed after a version (operations 11)."""
    return payloads.PullUserSettingOutput(version=max(0, request.version))


def report_sdk(caller: Caller, request: payloads.ReportSDKInput) -> None:
    """Which SDK the client is, as JSON text (operations 4)."""
    _logger.debug("%s of app %s uses %.200r", caller.user_id, caller.app, request.sdkInfo)
