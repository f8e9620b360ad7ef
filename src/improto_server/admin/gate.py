"""Who may be the operator: whoever has the token, on this machine unless it may be another.

A page of somebody else cannot be: browsers send no ``Authorization`` by themselves, and there is
no cookie. Who guesses waits, longer every time (:mod:`improto_server.accounts.guesses`).
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from improto_server.accounts.guesses import Guesses, site
from improto_server.accounts.refusals import RefusedError
from improto_server.web.callers import address, has_token, is_local

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

_logger = logging.getLogger(__name__)


class Gate:
    """``token`` lets in; ``is_open``: from anywhere. Behind so many ``proxies`` of ours."""

    def __init__(
        self, token: str, *, is_open: bool, proxies: int, monotonic: Callable[[], float]
    ) -> None:
        self._token = token
        self._is_open = is_open
        self._proxies = proxies
        self._guesses = Guesses(monotonic)

    def check_place(self, request: Request) -> None:
        """RefusedError: not from there."""
        if not (self._is_open or is_local(request)):
            raise RefusedError(
                HTTPStatus.FORBIDDEN,
                "not_here",
                "only for programs on this machine (web.admin_remote)",
            )

    def check(self, request: Request) -> str:
        """The address of the operator, who asks. RefusedError: it is somebody else."""
        self.check_place(request)
        if "authorization" not in request.headers:
            raise RefusedError(HTTPStatus.UNAUTHORIZED, "token_needed", "a token is needed")
        caller = address(request, proxies=self._proxies)
        self._guesses.attempt(site(caller), caller)
        if not has_token(request, self._token):
            _logger.warning("%s has tried a wrong token for the administration", caller)
            raise RefusedError(HTTPStatus.UNAUTHORIZED, "wrong_token", "that is not the token")
        self._guesses.succeeded(site(caller), caller)
        return caller
