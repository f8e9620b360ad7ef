"""Numbers for Prometheus: that they are right, and who may see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request

from improto.operations import Topic
from improto_server.app import Application
from improto_server.config import load
from improto_server.metrics import Metrics
from improto_server.services.audit import AuditRules
from improto_server.services.outbox import Kind, Stream
from improto_server.system import ModerationRules
from tests.server.rig import APP, Rig
from tests.server.web_tools import BACKENDS, Web

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.responses import Response

TOKEN = "t" * 16


def ask(metrics: Metrics, client: str | None = "127.0.0.1", **headers: str) -> Response:
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/metrics",
        "headers": [(name.replace("_", "-").encode(), v.encode()) for name, v in headers.items()],
        "client": None if client is None else (client, 1),
    }

    async def answer() -> Response:
        return await metrics.answer(Request(scope))

    return anyio.run(answer)


def metrics_of(rig: Rig, token: str = "") -> Metrics:
    return Metrics(rig.system, rig.store.store, token=token)


def numbers(metrics: Metrics) -> dict[str, float]:
    """By name and labels."""
    response = ask(metrics)
    assert response.status_code == 200
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(bytes(response.body).decode())
        for sample in family.samples
    }


def test_the_numbers(tmp_path: Path) -> None:
    audit = AuditRules(apps=frozenset({APP}), types=frozenset({"app:post"}))
    rig = Rig(tmp_path, moderation=ModerationRules(audit=audit))
    metrics = metrics_of(rig)
    before = numbers(metrics)
    assert before["improto_connections"] == 0
    alice = rig.online("alice")
    alice.publish("bob")
    alice.publish("bob", name="app:post")
    alice.publish("bob", topic=Topic.PP_MSG_S)
    rig.settle()
    stream = Stream(APP, Kind.ONLINE)
    rig.system.outbox.put(stream, b"{}", time=rig.wall)
    rig.settle()
    rig.system.outbox.dropped[stream] += 3
    rig.do(rig.system.rooms.create(APP, "tea"))
    rig.system.rooms.cast.dropped = 4
    rig.system.breaker.slowed = 5
    rig.gateway.shed_logins = 6
    rig.system.audit.waiting = 7
    found = numbers(metrics)
    assert found["improto_connections"] == 1
    assert (before["improto_users"], found["improto_users"]) == (0, 1)
    assert (before["improto_rooms"], found["improto_rooms"]) == (0, 1)
    assert found["improto_messages_total private"] == 2
    assert found["improto_webhooks_waiting app online"] == 1
    assert found["improto_webhooks_dropped_total app online"] == 3
    assert found["improto_room_drops_total"] == 4
    assert found["improto_slowed_requests_total"] == 5
    assert found["improto_shed_logins_total"] == 6
    assert found["improto_audits_waiting"] == 7
    assert found["improto_audits_total unanswered"] == 1
    assert found["improto_audits_total passed"] == 0
    batches = found["improto_store_batches_total"] - before["improto_store_batches_total"]
    jobs = found["improto_store_jobs_total"] - before["improto_store_jobs_total"]
    assert 0 < batches < jobs


@pytest.mark.parametrize(
    ("client", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("192.0.2.1", {}, 403),
        (None, {}, 403),
        ("127.0.0.1", {"x_forwarded_for": "192.0.2.1"}, 403),
        ("127.0.0.1", {"forwarded": "for=192.0.2.1"}, 403),
    ],
)
def test_without_a_token(
    tmp_path: Path, client: str | None, headers: dict[str, str], status: int
) -> None:
    assert ask(metrics_of(Rig(tmp_path)), client, **headers).status_code == status


@pytest.mark.parametrize(
    ("given", "status"),
    [(f"Bearer {TOKEN}", 200), ("Bearer wrong", 401), (TOKEN, 401), ("", 401), ("Bearer é", 401)],
)
def test_with_a_token(tmp_path: Path, given: str, status: int) -> None:
    metrics = metrics_of(Rig(tmp_path), TOKEN)
    assert ask(metrics, "192.0.2.1", authorization=given).status_code == status
    assert ask(metrics, "127.0.0.1").status_code == 401


@pytest.mark.parametrize("is_on", [False, True])
def test_at_the_web_port(tmp_path: Path, is_on: bool) -> None:
    settings = load(
        environment={},
        overrides={
            "gateway.backend": BACKENDS[0],
            "gateway.port": 0,
            "web.enabled": True,
            "web.port": 0,
            "web.metrics": is_on,
            "store.url": f"sqlite:///{tmp_path / 'messages.db'}",
        },
    )

    async def scenario() -> None:
        application = Application(settings)
        async with application.listening():
            host, port = application.site.url.removeprefix("http://").split(":")
            answer = await Web((host, int(port))).ask("GET", "/metrics")
            assert answer.status == (200 if is_on else 404)
            assert (b"improto_connections 0.0" in answer.body) == is_on

    anyio.run(scenario, backend=BACKENDS[0])


def test_the_token_is_not_shown() -> None:
    settings = load(environment={}, overrides={"web.metrics_token": TOKEN})
    assert TOKEN not in repr(settings)
