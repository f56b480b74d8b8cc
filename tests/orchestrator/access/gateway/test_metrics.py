"""The metrics page, read by the parsers that its readers use."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from orchestrator.access.gateway.metrics import exposition
from orchestrator.access.gateway.routes import PREFIX
from tests.orchestrator.access.gateway.conftest import GatewayUnderTest
from tests.orchestrator.money.bookings import api_call

OPEN = "application/openmetrics-text; version=1.0.0"


def _samples(families: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


async def test_the_page_passes_both_parsers_and_tells_of_every_level(gateway: GatewayUnderTest) -> None:
    await gateway.get("/nothing")
    status, headers, text = await gateway.get("/metrics", headers={"Accept": OPEN})
    assert status == 200
    assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n")
    families = list(parse_open(text))
    for family in families:
        assert family.documentation
        assert family.name.startswith(("automate", "process_", "python_"))
    _, headers, plain = await gateway.get("/metrics")
    assert headers["content-type"].startswith("text/plain")
    for samples in (_samples(families), _samples(parse_plain(plain))):
        # system
        assert samples["process_resident_memory_bytes", ()] > 1e6
        assert samples["automate_uptime_seconds", ()] > 0
        assert samples["automate_event_loop_lag_seconds", ()] >= 0
        assert samples["automate_machine_home_disk_free_bytes", ()] > 0
        # service
        assert samples["automate_service_up", (("service", "ledger"),)] == 1
        assert samples["automate_service_up", (("service", "customers"),)] == 1
        assert samples["automate_service_handled_messages_total", (("service", "ledger"),)] >= 3
        missed = (("method", "GET"), ("route", "none"), ("status", "404"))
        assert samples["automate_http_requests_total", missed] == 1
        # business
        assert samples["automate_instances", (("state", "ready"),)] == 2
        assert samples["automate_stream_instances", (("stream", "stall"),)] == 2
        labels = {"asset": "USD", "book": "paper", "kind": "income", "state": "posted", "stream": "api_services"}
        assert samples["automate_booked", tuple(sorted(labels.items()))] > 0


async def test_paths_of_strangers_make_no_series(gateway: GatewayUnderTest) -> None:
    for number in range(5):
        await gateway.get(f"/made/up/{number}")
        await gateway.get(f"{PREFIX}/fleet/instances/nobody-{number}")
        await gateway.ask(f"MADEUP{number}", "/")
    _, _, text = await gateway.get("/metrics")
    counted = [line for line in text.splitlines() if line.startswith("automate_http_requests_total")]
    assert not any("made" in line.lower() or "nobody" in line for line in counted)
    assert any(f'route="{PREFIX}/fleet/instances/{{id}}"' in line for line in counted)


async def test_one_look_serves_all_who_ask_within_a_second(
    gateway: GatewayUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 100.0
    monkeypatch.setattr(exposition, "monotonic", lambda: now_s)

    async def booked() -> float:
        _, _, text = await gateway.get("/metrics")
        return float(next(line for line in text.splitlines() if line.startswith("automate_booked{")).split()[-1])

    handled = gateway.fleet.manager.vitals().handled
    first = await asyncio.gather(*(booked() for _ in range(8)))
    assert gateway.fleet.manager.vitals().handled == handled + 1
    await gateway.ledger.ask(api_call(99), 5)
    assert await booked() == first[0]
    now_s += exposition.KEPT_S
    assert await booked() > first[0]


async def test_a_part_that_does_not_answer_is_left_out_and_said_to_be(gateway: GatewayUnderTest) -> None:
    await gateway.ledger._cell.stop()
    status, _, text = await gateway.get("/metrics", headers={"Accept": OPEN})
    assert status == 200
    samples = _samples(parse_open(text))
    assert samples["automate_part_known", (("part", "book_paper"),)] == 0
    assert samples["automate_part_known", (("part", "fleet"),)] == 1
    assert samples["automate_service_up", (("service", "ledger"),)] == 0
    assert not any(name == "automate_booked" for name, _ in samples)
    status, _, content = await gateway.get("/healthz")
    assert (status, content["status"]) == (503, "unavailable")
