"""The metrics page: Prometheus' text, or OpenMetrics for those who ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from time import monotonic
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from orchestrator.access.gateway.metrics.snapshot import Snapshot
from orchestrator.money.report import Totals
from orchestrator.release import VERSION
from orchestrator.services import Service
from streams.http_answer import HttpAnswer

KEPT_S: Final = 1.0
"""A look at the daemon serves all who ask within this time."""


class Exposition:
    """The page.

    Args:
        mode: The daemon's mode.
        look: Takes a snapshot of the daemon.

    Attributes:
        registry: Figures that are counted as things happen are registered here.
    """

    def __init__(self, mode: str, look: Callable[[], Awaitable[Snapshot]]) -> None:
        self._look = look
        self._turn = asyncio.Lock()
        self._taken_s = float("-inf")
        self._shown = _Shown(mode)
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self._shown)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    async def answer(self, accept: str) -> HttpAnswer:
        """Return the page, in the form that the `Accept` header asks for. The daemon is looked at once a second."""
        async with self._turn:
            if monotonic() - self._taken_s >= KEPT_S:
                self._shown.snapshot = await self._look()
                self._taken_s = monotonic()
        encode, media_type = choose_encoder(accept)
        return HttpAnswer(200, media_type.encode(), await asyncio.to_thread(encode, self.registry))


class _Shown(Collector):
    """Turns the snapshot into families of samples."""

    def __init__(self, mode: str) -> None:
        self._mode = mode
        self.snapshot: Snapshot | None = None

    def collect(self) -> Iterator[Metric]:
        now = self.snapshot
        if now is None:
            return
        yield InfoMetricFamily("automate", "The daemon", {"version": VERSION, "mode": self._mode})
        yield GaugeMetricFamily("automate_uptime_seconds", "Since the daemon's start", now.uptime_s)
        yield GaugeMetricFamily(
            "automate_event_loop_lag_seconds", "How long the event loop took to come round", now.loop_lag_s
        )
        yield _gauge(
            "automate_part_known", "Whether this part of the page could be asked for", "part",
            {
                "machine": now.machine is not None,
                "fleet": now.fleet is not None,
                **{f"book_{book}": totals is not None for book, totals in now.books.items()},
            },
        )  # fmt: skip
        yield from _of_machine(now)
        yield from _of_services(now.services)
        yield from _of_gateway(now)
        yield from _of_fleet(now)
        yield _booked(now.books)


def _of_machine(now: Snapshot) -> Iterator[Metric]:
    machine = now.machine
    if machine is None:
        return
    for name, text, value in (
        ("load_1m", "Processes that ran or wanted to, over the last minute", machine.load_1m),
        ("memory_bytes", "The machine's memory", machine.memory_total_bytes),
        ("memory_available_bytes", "What of it could be had", machine.memory_available_bytes),
        ("home_disk_bytes", "The file system that holds the daemon's home", machine.disk_total_bytes),
        ("home_disk_free_bytes", "What of it may still be filled", machine.disk_free_bytes),
    ):
        yield GaugeMetricFamily(f"automate_machine_{name}", text, value)


def _of_services(services: list[Service]) -> Iterator[Metric]:
    yield _gauge("automate_service_up", "Whether a service runs", "service", {each.name: each.up for each in services})
    vitals = {each.name: each.vitals for each in services if each.vitals is not None}
    depth = {name: each.mailbox_depth for name, each in vitals.items()}
    yield _gauge("automate_service_mailbox_messages", "Messages that wait for a service", "service", depth)
    for name, text, values in (
        ("handled_messages", "Messages that a service handled", {n: v.handled for n, v in vitals.items()}),
        ("dropped_messages", "Messages that found no room", {n: v.dropped for n, v in vitals.items()}),
        ("busy_seconds", "Time in a service's handlers, waiting included", {n: v.busy_s for n, v in vitals.items()}),
        ("restarts", "Restarts of a service", {n: v.restarts for n, v in vitals.items()}),
    ):
        yield _counter(f"automate_service_{name}", text, "service", values)


def _of_gateway(now: Snapshot) -> Iterator[Metric]:
    yield GaugeMetricFamily("automate_event_listeners", "Who listens to events over HTTP", now.hub.listeners)
    yield CounterMetricFamily("automate_events_encoded", "Events that were sent to listeners", now.hub.encoded)
    yield CounterMetricFamily("automate_event_listeners_cut_off", "Listeners that read too slowly", now.hub.cut_off)
    if now.host is not None:
        yield GaugeMetricFamily("automate_http_connections", "Open connections to the gateway", now.host.connections)
        yield _counter(
            "automate_http_rejected_connections", "Connections that were not served to their end", "reason",
            {"no_room": now.host.refused, "malformed": now.host.malformed, "too_slow": now.host.timed_out},
        )  # fmt: skip


def _of_fleet(now: Snapshot) -> Iterator[Metric]:
    if now.fleet is not None:
        yield _gauge(
            "automate_instances", "Instances by state", "state", {str(s): n for s, n in now.fleet.by_state.items()}
        )
        yield _gauge("automate_stream_instances", "Instances by stream", "stream", now.fleet.by_stream)


def _booked(books: dict[str, Totals | None]) -> Metric:
    family = GaugeMetricFamily(
        "automate_booked",
        "Income and cost, rounded; the ledger is exact. A gauge, because reversals take away",
        labels=("book", "stream", "asset", "kind", "state"),
    )
    for book, totals in books.items():
        for item in totals.items if totals is not None else ():
            family.add_metric((book, item.stream or "", item.asset, item.kind, item.state), float(item.amount))
    return family


def _gauge(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for value, sample in values.items():
        family.add_metric((value,), float(sample))
    return family


def _counter(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(name, text, labels=(label,))
    for value, sample in values.items():
        family.add_metric((value,), float(sample))
    return family
