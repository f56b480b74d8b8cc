"""`system.vitals`: the machine, the loop, and each service by name."""

from __future__ import annotations

from tests.orchestrator.access.gateway.conftest import GatewayUnderTest


async def test_vitals_name_each_service_and_measure_machine_and_loop(gateway: GatewayUnderTest) -> None:
    status, _, vitals = await gateway.get("/api/v1/system/vitals")
    assert status == 200
    services = {service["name"]: service for service in vitals["services"]}
    assert services["ledger"]["up"]
    assert services["ledger"]["restarts"] == 0
    assert services["ledger"]["handled_messages"] >= 3
    assert services["customers"] == {
        "name": "customers", "up": True, "restarts": None, "mailbox_messages": None, "handled_messages": None,
        "last_failure": None,
    }  # fmt: skip
    assert 0 < vitals["loop_lag_s"] < 1
    machine = vitals["machine"]
    assert 0 < machine["memory_available_bytes"] <= machine["memory_total_bytes"]
    assert 0 < machine["disk_free_bytes"] <= machine["disk_total_bytes"]


async def test_rollouts_are_listed_over_http(gateway: GatewayUnderTest) -> None:
    status, _, page = await gateway.get("/api/v1/rollouts?limit=1")
    assert status == 200
    (rollout,) = page["items"]
    assert (rollout["stream"], rollout["state"], rollout["done"]) == ("stall", "completed", 2)
    status, _, problem = await gateway.get("/api/v1/rollouts?limit=0")
    assert (status, problem["code"]) == (422, "invalid_params")
