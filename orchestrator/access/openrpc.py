"""The OpenRPC 1.3 document of a registry, made from the types of its methods.

https://spec.open-rpc.org/1.3.2
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from orchestrator.access import jsonrpc
from orchestrator.access.dispatch import Method, Methods, NoParams, Session

OPENRPC_VERSION: Final = "1.3.2"

_REFERENCE: Final = "#/components/schemas/{name}"

# Which of the errors a method may answer with; the codes that concern the envelope are every caller's to know.
_ERRORS: Final = {
    "InvalidParams": jsonrpc.INVALID_PARAMS,
    "InternalError": jsonrpc.INTERNAL_ERROR,
    "NotFound": jsonrpc.NOT_FOUND,
    "Refused": jsonrpc.REFUSED,
    "NotAllowed": jsonrpc.NOT_ALLOWED,
    "TimedOut": jsonrpc.TIMED_OUT,
}


def document_of(methods: Methods, *, title: str, version: str) -> dict[str, Any]:
    """Return the OpenRPC document of all registered methods, sorted by name."""
    ordered = sorted(methods, key=lambda method: method.name)
    types = [type_ for method in ordered for type_ in (method.params, method.result)]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    of_type = iter(schemas)
    entries = [_method_object(method, next(of_type), next(of_type), components) for method in ordered]
    # The structs of the parameters are spread out, and need not be told of as such.
    used = references(entries, components)
    return {
        "openrpc": OPENRPC_VERSION,
        "info": {"title": title, "version": version},
        "methods": entries,
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name in used},
            "errors": {name: {"code": code, "message": jsonrpc.MESSAGES[code]} for name, code in _ERRORS.items()},
        },
    }


def register_discover(methods: Methods, *, title: str, version: str) -> None:
    """Register `rpc.discover`, which returns the document of the registry as it stands when it is asked."""
    made: dict[tuple[str, ...], dict[str, Any]] = {}

    @methods.register("rpc.discover")
    def discover(params: NoParams, session: Session) -> dict[str, Any]:
        """Return the OpenRPC document of this service.

        It lists every method with the JSON Schema of its parameters and of its result.
        """
        names = tuple(method.name for method in methods)
        if names not in made:
            made.clear()
            made[names] = document_of(methods, title=title, version=version)
        return made[names]


def _method_object(
    method: Method, params: dict[str, Any], result: dict[str, Any], components: dict[str, Any]
) -> dict[str, Any]:
    struct = components[params["$ref"].rpartition("/")[2]]
    required = struct.get("required", ())
    entry = {
        "name": method.name,
        "summary": method.summary,
        "paramStructure": "either",
        "params": [
            {"name": name, "required": name in required, "schema": schema}
            for name, schema in struct["properties"].items()
        ],
        "result": {"name": f"{method.name} result", "schema": result},
        "errors": [{"$ref": f"#/components/errors/{name}"} for name in _ERRORS],
    }
    if method.description:
        entry["description"] = method.description
    return entry


def references(entries: list[Any], components: dict[str, Any]) -> set[str]:
    """Return the names of the components that are reachable from these entries."""
    found: set[str] = set()
    waiting: list[Any] = list(entries)
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            reference = value.get("$ref")
            name = reference.rpartition("/")[2] if isinstance(reference, str) else ""
            if name in components and name not in found:
                found.add(name)
                waiting.append(components[name])
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return found
