"""Schemathesis reads what the REST API says of itself and makes requests of it, good and bad.

Whatever it sends, it must get an answer that is documented, and none that says that the server
could not do it. What a reply means is the other tests' business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from improto_server.testing import ImServer
from tests.server.api_tools import signature, signed

if TYPE_CHECKING:
    from schemathesis import APIOperation, Case

pytestmark = pytest.mark.schema

EXAMPLES = 5
"""Requests of each endpoint, about as many of them good as bad."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def check(operation: APIOperation) -> int:
    """Make requests of an endpoint; returns how many were done and not refused."""
    headers = signed(app=ImServer.app_key)
    headers["Signature"] = signature(headers["Nonce"], headers["Timestamp"], ImServer.app_secret)
    good = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    bad = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    done = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(good | bad)
    def examples(case: Case) -> None:
        nonlocal done
        response = case.call_and_validate(headers=headers, checks=CHECKS)
        done += response.status_code == 200

    examples()
    return done


def test_every_answer_is_documented() -> None:
    with ImServer(settings={"web.enabled": True, "web.port": 0}) as server:
        config = SchemathesisConfig.from_dict({"generation": {"deterministic": True}})
        schema = schemathesis.openapi.from_url(f"{server.web_url}/openapi.json", config=config)
        found = {each.ok().path: check(each.ok()) for each in schema.get_all_operations()}
    assert len(found) > 100
    # It knows enough to get something done.
    assert sum(count > 0 for count in found.values()) > len(found) / 2
