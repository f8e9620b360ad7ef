"""What tests of the REST API share: the server's parts under a test's hand, called as by HTTP."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from improto_server.api.archives import ArchiveCalls
from improto_server.api.replies import Calendar, RefusedError, failure, refused_by, success
from improto_server.errors import ServiceError
from improto_server.files.grants import Signer
from improto_server.rest import endpoints
from improto_server.services.accounts import Accounts
from tests.server.rig import APP, Rig

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "the-secret-of-an-app-that-lives-as-long-as-a-test"

TOKEN_SECONDS = 3600.0


def signature(nonce: str, timestamp: str, secret: str = SECRET) -> str:
    """What a caller with this secret writes."""
    return hashlib.sha1(f"{secret}{nonce}{timestamp}".encode()).hexdigest()


def signed(nonce: str = "n", timestamp: str = "1700000000", app: str = APP) -> dict[str, str]:
    """The headers of a call."""
    return {
        "App-Key": app,
        "Nonce": nonce,
        "Timestamp": timestamp,
        "Signature": signature(nonce, timestamp),
    }


class ApiRig(Rig):
    """A rig whose REST API can be called. Its clock says 2023-11-14 22:13:20 UTC at first."""

    def __init__(self, path: Path, **options: Any) -> None:
        super().__init__(path, **options)
        self.real_accounts = Accounts({APP: SECRET, "other": SECRET})
        """Issues the tokens that the API gives."""
        self.archives = ArchiveCalls(
            archives=self.system.archives,
            calendar=Calendar(0),
            signer=Signer({APP: SECRET, "other": SECRET}),
            url=lambda: "http://here",
            now=lambda: self.wall / 1000,
        )
        """Gives links to hours, and has the route to them."""
        self.endpoints = {
            endpoint.path: endpoint
            for endpoint in endpoints(
                self.system,
                accounts=self.real_accounts,
                archives=self.archives,
                calendar=Calendar(0),
                token_seconds=TOKEN_SECONDS,
                now=lambda: self.wall / 1000,
            )
        }

    def post(self, path: str, **fields: Any) -> dict[str, Any]:
        """Call an endpoint; lists are repeated keys. Returns the body of the reply."""
        endpoint = self.endpoints[path]
        if endpoint.is_json:
            return self.post_body(path, json.dumps(fields).encode())
        pairs = [
            f"{name}={quote(str(value))}"
            for name, values in fields.items()
            for value in (values if isinstance(values, list) else [values])
        ]
        return self.post_body(path, "&".join(pairs).encode())

    def post_body(self, path: str, body: bytes) -> dict[str, Any]:
        """Call an endpoint with these bytes."""
        endpoint = self.endpoints[path]
        try:
            reply = success(self.do(endpoint.call(endpoint.read(APP, body))))
        except RefusedError as error:
            reply = failure(error, endpoint.url)
        except ServiceError as error:
            reply = failure(refused_by(error), endpoint.url)
        found: dict[str, Any] = json.loads(reply)
        return found

    def ask(self, path: str, **fields: Any) -> dict[str, Any]:
        """The same; it must succeed. Returns the reply without its code."""
        reply = self.post(path, **fields)
        assert reply.pop("code") == 200, reply
        return reply

    def code(self, path: str, **fields: Any) -> int:
        """The code of the reply."""
        code: int = self.post(path, **fields)["code"]
        return code
