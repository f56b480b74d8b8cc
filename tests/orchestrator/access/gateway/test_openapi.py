from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from orchestrator.access.gateway.routes import PREFIX, routes_of
from tests.orchestrator.access.gateway.conftest import GatewayUnderTest


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "components": document["components"]}


async def test_the_document_is_valid_and_lists_every_method_but_the_end(gateway: GatewayUnderTest) -> None:
    _, _, document = await gateway.get(f"{PREFIX}/openapi.json")
    validate(document)
    listed = {
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
        if "operationId" in operation
    }
    routed = {way.method for way, _ in routes_of(gateway.methods)}
    assert listed == (routed - {"system.shutdown"}) | {"rpc"}


async def test_what_is_answered_is_what_the_document_says(gateway: GatewayUnderTest) -> None:
    _, _, document = await gateway.get(f"{PREFIX}/openapi.json")
    for path, asked in {
        "/system/status": "/system/status",
        "/system/tree": "/system/tree",
        "/fleet/instances": "/fleet/instances",
        "/fleet/instances/{id}": "/fleet/instances/stall-001",
        "/rollouts/{rollout}": "/rollouts/rollout-0001",
        "/ledger/totals": "/ledger/totals?book=paper&by=day",
        "/ledger/entries": "/ledger/entries",
    }.items():
        status, _, content = await gateway.get(PREFIX + asked)
        assert status == 200
        operation = document["paths"][PREFIX + path]["get"]
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        Draft202012Validator(_resolved(schema, document)).validate(content)
    status, _, problem = await gateway.get(f"{PREFIX}/fleet/instances?limt=1")
    reference = document["paths"][f"{PREFIX}/fleet/instances"]["get"]["responses"][str(status)]["$ref"]
    response = document["components"]["responses"][reference.rpartition("/")[2]]
    schema = response["content"]["application/problem+json"]["schema"]
    Draft202012Validator(_resolved(schema, document)).validate(problem)


async def test_a_body_takes_what_the_path_does_not_say_and_nothing_else(gateway: GatewayUnderTest) -> None:
    _, _, document = await gateway.get(f"{PREFIX}/openapi.json")
    act = document["paths"][f"{PREFIX}/fleet/instances/{{id}}/actions/{{action}}"]["post"]
    assert [(each["name"], each["in"], each["required"]) for each in act["parameters"]] == [
        ("id", "path", True),
        ("action", "path", True),
    ]
    body = act["requestBody"]["content"]["application/json"]["schema"]
    assert list(body["properties"]) == ["arguments"]
    assert body["additionalProperties"] is False
    assert act["requestBody"]["required"] is False
    pause = document["paths"][f"{PREFIX}/fleet/instances/{{id}}/pause"]["post"]
    assert "requestBody" not in pause
