"""What is said about the REST API is what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from improto_server.api.description import manual, openapi
from improto_server.api.replies import HTTP_STATUS
from improto_server.api.server import Api, Clocks
from improto_server.api.signing import Signing, SigningRules
from tests.server.api_tools import SECRET, ApiRig
from tests.server.rig import APP
from tests.server.web_tools import Web, play

if TYPE_CHECKING:
    from improto_server.api.endpoints import Endpoint

MANUAL = Path(__file__).parents[2] / "docs" / "rest.md"


@pytest.fixture
def table(tmp_path: Path) -> list[Endpoint]:
    return list(ApiRig(tmp_path).endpoints.values())


def test_the_manual_lists_all(table: list[Endpoint]) -> None:
    """If this fails, put what `manual` returns into the page."""
    assert manual(table) in MANUAL.read_text(encoding="utf-8")


def test_the_manual_has_all_codes() -> None:
    found = re.findall(r"^\| (\d+) \| (\d+) \|", MANUAL.read_text(encoding="utf-8"), re.MULTILINE)
    assert {int(code): int(status) for code, status in found} == HTTP_STATUS


def test_each_is_there_once(table: list[Endpoint], tmp_path: Path) -> None:
    paths = [endpoint.path for endpoint in table]
    assert len(paths) == len(set(paths))
    for endpoint in table:
        names = [parameter.name for parameter in endpoint.parameters]
        assert len(names) == len(set(names)), endpoint.path


def test_the_description_for_programs(table: list[Endpoint]) -> None:
    document = openapi(table)
    assert set(document["paths"]) == {endpoint.url for endpoint in table}
    ids = [path["post"]["operationId"] for path in document["paths"].values()]
    assert len(ids) == len(set(ids))
    template = document["paths"]["/message/private/publish_template.json"]["post"]
    (kind,) = template["requestBody"]["content"]
    assert kind == "application/json"
    for reference in re.findall(r'"#/([^"]+)"', json.dumps(document)):
        node: Any = document
        for part in reference.split("/"):
            node = node[part]


def test_it_can_be_read_by_anybody(table: list[Endpoint]) -> None:
    api = Api(
        table,
        signing=Signing({APP: SECRET}, SigningRules()),
        calls_per_second=0,
        clocks=Clocks(now=lambda: 0.0, monotonic=lambda: 0.0),
    )

    async def scenario(web: Web) -> None:
        answer = await web.ask("GET", "/openapi.json")
        assert answer.status == 200
        assert answer.content == openapi(table)

    play("asyncio", [api.routes()], scenario)
