"""Numbers about the running server, for Prometheus.

They are read from where they are kept when somebody asks, so that they cost nothing until then;
only messages are counted for this alone. Labels have few values, none of which comes from a
client.

Who may ask: whoever has the token, or, without one, programs on the same machine.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from improto.codes import ConversationType
from improto_server.web.callers import has_token, is_local

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.metrics_core import Metric
    from starlette.requests import Request

    from improto_server.services.letters import Letter
    from improto_server.store import NewMessage, Store
    from improto_server.system import System


class Metrics(Collector):
    """The numbers of one server, and their page. ``token``: empty for none."""

    def __init__(self, system: System, store: Store, *, token: str) -> None:
        self._system = system
        self._store = store
        self._token = token
        self._messages: Counter[int] = Counter()
        self._registry = CollectorRegistry()
        self._registry.register(self)
        system.messages.on_append.append(self._appended)

    def routes(self) -> list[Route]:
        """The part of the web port."""
        return [Route("/metrics", self.answer, methods=["GET"])]

    async def answer(self, request: Request) -> Response:
        """The page; 401 or 403 for others."""
        if self._token:
            if not has_token(request, self._token):
                return PlainTextResponse(
                    "a token is needed", status_code=401, headers={"WWW-Authenticate": "Bearer"}
                )
        elif not is_local(request):
            return PlainTextResponse("only for this machine", status_code=403)
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

    def collect(self) -> Iterator[Metric]:
        """See :class:`prometheus_client.registry.Collector`."""
        system, store = self._system, self._store
        yield GaugeMetricFamily(
            "improto_connections", "Devices that are online.", system.hub.connections
        )
        yield GaugeMetricFamily("improto_users", "Users who are online.", len(system.hub.users))
        yield GaugeMetricFamily(
            "improto_rooms", "Chatrooms that exist.", system.rooms.count.total()
        )
        yield _counter(
            "improto_messages",
            "Messages on their way to the store, by type of conversation.",
            "type",
            {ConversationType(type).name.lower(): count for type, count in self._messages.items()},
        )
        yield CounterMetricFamily(
            "improto_store_batches", "Transactions of the store.", store.batches
        )
        yield CounterMetricFamily("improto_store_jobs", "Messages and changes in them.", store.jobs)
        yield CounterMetricFamily(
            "improto_slowed_requests",
            "Requests that were repeated and had to wait.",
            system.breaker.slowed,
        )
        yield CounterMetricFamily(
            "improto_shed_logins", "Logins that came too often.", system.gateway.shed_logins
        )
        yield CounterMetricFamily(
            "improto_room_drops", "Messages left out in busy chatrooms.", system.rooms.cast.dropped
        )
        waiting = GaugeMetricFamily(
            "improto_webhooks_waiting", "Webhooks not taken yet.", labels=["app", "kind"]
        )
        dropped = CounterMetricFamily(
            "improto_webhooks_dropped", "Webhooks never taken.", labels=["app", "kind"]
        )
        for (app, kind), count in system.outbox.waiting.items():
            waiting.add_metric([app, kind.name.lower()], count)
        for (app, kind), count in system.outbox.dropped.items():
            dropped.add_metric([app, kind.name.lower()], count)
        yield waiting
        yield dropped
        yield GaugeMetricFamily(
            "improto_audits_waiting",
            "Messages that wait for the application's word.",
            system.audit.waiting,
        )
        yield _counter(
            "improto_audits", "What the application has said.", "outcome", system.audit.outcomes
        )

    def _appended(self, letter: Letter, message: NewMessage) -> None:
        self._messages[message.type] += 1


def _counter(name: str, about: str, label: str, counts: Mapping[str, int]) -> Metric:
    found = CounterMetricFamily(name, about, labels=[label])
    for value, count in counts.items():
        found.add_metric([value], count)
    return found
