from __future__ import annotations

from typing import Any, Literal

import msgspec

from orchestrator.access.dispatch import Methods, Session
from orchestrator.access.openrpc import document_of, register_discover
from tests.orchestrator.access.wire import ANYONE, Gate, methods_with

JSON_SCHEMA_KEYS = {
    "type", "$ref", "anyOf", "enum", "const", "items", "properties", "required", "additionalProperties", "default",
    "title", "description", "prefixItems", "minItems", "maxItems", "minimum", "maximum", "format", "pattern",
}  # fmt: skip


class Rate(msgspec.Struct, frozen=True):
    per_s: int


class Deploy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    stream: str
    strategy: Literal["full", "canary"] = "full"
    rate: Rate | None = None


class Rollout(msgspec.Struct, frozen=True):
    """A deployment under way."""

    id: str
    rates: list[Rate]


def methods() -> Methods:
    registry = Methods()

    @registry.register("fleet.deploy")
    async def deploy(params: Deploy, session: Session) -> Rollout:
        """Deploy instances.

        Returns at once.
        """
        return Rollout(params.stream, [])

    return registry


def check_document(document: dict[str, Any]) -> None:
    """The rules of OpenRPC 1.3 that concern what is generated here."""
    assert document["openrpc"].startswith("1.3.")
    assert set(document) == {"openrpc", "info", "methods", "components"}
    assert {"title", "version"} <= set(document["info"])
    names = [method["name"] for method in document["methods"]]
    assert len(set(names)) == len(names)
    for method in document["methods"]:
        assert {"name", "params", "result"} <= set(method)
        assert method["paramStructure"] in {"by-name", "by-position", "either"}
        optional_seen = False
        for descriptor in method["params"]:
            assert set(descriptor) == {"name", "required", "schema"}
            assert not (optional_seen and descriptor["required"])  # required ones come first
            optional_seen = optional_seen or not descriptor["required"]
            check_schema(descriptor["schema"], document)
        assert set(method["result"]) == {"name", "schema"}
        check_schema(method["result"]["schema"], document)
        for error in method["errors"]:
            assert {"code", "message"} == set(resolve(error["$ref"], document))
    for schema in document["components"]["schemas"].values():
        check_schema(schema, document)


def resolve(reference: str, document: dict[str, Any]) -> dict[str, Any]:
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    assert isinstance(found, dict)
    return found


def check_schema(schema: dict[str, Any], document: dict[str, Any]) -> None:
    assert set(schema) <= JSON_SCHEMA_KEYS
    if "$ref" in schema:
        resolve(schema["$ref"], document)
    for inner in (
        *schema.get("anyOf", ()),
        *schema.get("properties", {}).values(),
        *schema.get("prefixItems", ()),
    ):
        check_schema(inner, document)
    if isinstance(schema.get("items"), dict):
        check_schema(schema["items"], document)


def test_the_document_keeps_the_rules_of_openrpc() -> None:
    for registry in (methods(), methods_with(Gate())):
        check_document(document_of(registry, title="t", version="1"))


def test_a_method_is_described_by_its_types_and_its_docstring() -> None:
    document = document_of(methods(), title="automate", version="0.1.0")
    assert document["info"] == {"title": "automate", "version": "0.1.0"}
    (method,) = document["methods"]
    assert (method["name"], method["summary"]) == ("fleet.deploy", "Deploy instances.")
    assert method["description"] == "Returns at once."
    assert method["params"] == [
        {"name": "stream", "required": True, "schema": {"type": "string"}},
        {"name": "strategy", "required": False, "schema": {"enum": ["canary", "full"], "default": "full"}},
        {
            "name": "rate",
            "required": False,
            "schema": {"anyOf": [{"$ref": "#/components/schemas/Rate"}, {"type": "null"}], "default": None},
        },
    ]
    assert method["result"] == {"name": "fleet.deploy result", "schema": {"$ref": "#/components/schemas/Rollout"}}


def test_only_the_schemas_that_are_referred_to_stand_in_the_components() -> None:
    document = document_of(methods(), title="t", version="1")
    assert set(document["components"]["schemas"]) == {"Rate", "Rollout"}


async def test_discover_describes_itself_and_what_was_registered_after_it() -> None:
    registry = Methods()
    register_discover(registry, title="t", version="1")
    first = msgspec.json.decode(await registry.ask("rpc.discover", None, ANYONE))
    assert [method["name"] for method in first["methods"]] == ["rpc.discover"]
    registry.include(methods())
    second = msgspec.json.decode(await registry.ask("rpc.discover", None, ANYONE))
    assert [method["name"] for method in second["methods"]] == ["fleet.deploy", "rpc.discover"]
    check_document(second)
