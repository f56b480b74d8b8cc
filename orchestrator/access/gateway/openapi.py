"""The OpenAPI 3.1 document of the REST interface, made from the types of the methods.

https://spec.openapis.org/oas/v3.1.1
"""

from __future__ import annotations

from collections.abc import Iterable
from inspect import cleandoc
from typing import Any, Final

import msgspec

from orchestrator.access.dispatch import Method
from orchestrator.access.gateway.problems import ProblemDetails
from orchestrator.access.gateway.routes import PREFIX, Route
from orchestrator.access.openrpc import references

OPENAPI_VERSION: Final = "3.1.1"

_REFERENCE: Final = "#/components/schemas/{name}"

_PROBLEMS: Final = {
    "Malformed": (400, "The request cannot be read."),
    "Unauthorized": (401, "Neither the token nor a session's cookie came with it."),
    "Forbidden": (403, "It may not be done, or the request was sent by another site's page."),
    "NotFound": (404, "There is no such thing."),
    "Refused": (409, "It cannot be done as things stand."),
    "TooLarge": (413, "The body is too large."),
    "NotJson": (415, "The body is not JSON."),
    "Misdirected": (421, "The gateway is not known by this host name."),
    "InvalidParams": (422, "A parameter is not of its type; `data` says which, and what is expected."),
    "Failed": (500, "Something went wrong; the daemon's log has the cause."),
    "TimedOut": (504, "It was not done in time."),
}

_DESCRIPTION: Final = """\
What the daemon's control socket offers, over HTTP: each route is a method of it, and answers with the same result.

Authenticate with `Authorization: Bearer <token>` (`automate token` shows the token), or with the cookie that
`POST /login` sets. A request with a cookie that changes something must come from the gateway's own origin and carry the
header `X-Automate`.

Not listed below, because programs that try whatever a document lists would not end or not survive it:
`GET /api/v1/events?topics=instance.*,rollout.*` sends events as they happen, and
`GET /api/v1/logs/stream?lines=50&level=info&instance=…` the log, both as server-sent events;
`POST /api/v1/system/shutdown` ends the daemon. `GET /metrics` is Prometheus' page.
"""


def document_of(routes: Iterable[tuple[Route, Method]], *, title: str, version: str, cookie: str) -> dict[str, Any]:
    """Return the document of these routes; `cookie` is the name of the one that carries a session's id."""
    listed = [(route, method) for route, method in routes if route.listed]
    types = [ProblemDetails, *(type_ for _, method in listed for type_ in (method.params, method.result))]
    (problem, *schemas), components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    of_type = iter(schemas)
    paths: dict[str, dict[str, Any]] = {}
    for route, method in listed:
        params, result = next(of_type), next(of_type)
        struct = components[params["$ref"].rpartition("/")[2]]
        paths.setdefault(PREFIX + route.path, {})[route.verb.lower()] = _operation(route, method, struct, result)
    paths[f"{PREFIX}/rpc"] = {"post": _RPC}
    paths[f"{PREFIX}/openapi.json"] = {"get": _simple("This document.", "The document.", {"type": "object"})}
    paths["/healthz"] = {"get": _HEALTH}
    responses = _problem_responses(problem)
    used = references([paths, responses], components)
    for schema in components.values():
        if "description" in schema:
            schema["description"] = cleandoc(schema["description"])
    return {
        "openapi": OPENAPI_VERSION,
        "info": {"title": title, "version": version, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name in used},
            "responses": responses,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": cookie},
            },
        },
    }


def _operation(route: Route, method: Method, struct: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    required, places = struct.get("required", ()), route.places
    properties = struct["properties"]
    operation: dict[str, Any] = {
        "operationId": method.name,
        "tags": [method.name.partition(".")[0]],
        "summary": method.summary,
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": result}}},
            **_responses_of(*_PROBLEMS),
        },
    }
    if method.description:
        operation["description"] = method.description
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {**properties[name], "minLength": 1}}
        for name in places
    ]
    others = {name: schema for name, schema in properties.items() if name not in places}
    if route.verb == "GET":
        parameters += [
            {"name": name, "in": "query", "required": name in required, "schema": schema}
            for name, schema in others.items()
        ]
    elif others:
        needed = [name for name in required if name in others]
        body = {"type": "object", "properties": others, "required": needed, "additionalProperties": False}
        operation["requestBody"] = {"required": bool(needed), "content": {"application/json": {"schema": body}}}
    if parameters:
        operation["parameters"] = parameters
    return operation


def _responses_of(*names: str) -> dict[str, Any]:
    return {str(_PROBLEMS[name][0]): {"$ref": f"#/components/responses/{name}"} for name in names}


def _simple(summary: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "tags": ["gateway"],
        "summary": summary,
        "responses": {
            "200": {"description": description, "content": {"application/json": {"schema": schema}}},
            **_responses_of("Unauthorized", "Forbidden", "Misdirected"),
        },
    }


def _problem_responses(schema: dict[str, Any]) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": schema}}
    return {name: {"description": text, "content": content} for name, (_, text) in _PROBLEMS.items()}


_HEALTH_SCHEMA: Final = {
    "type": "object",
    "properties": {"status": {"enum": ["ok", "unavailable"]}, "detail": {"type": "string"}},
    "required": ["status", "detail"],
}

_HEALTH: Final = _simple("Whether the daemon serves.", "It does.", _HEALTH_SCHEMA)
_HEALTH["responses"]["503"] = {
    "description": "It does not, or not wholly.",
    "content": {"application/json": {"schema": _HEALTH_SCHEMA}},
}

_RPC: Final = {
    "operationId": "rpc",
    "tags": ["gateway"],
    "summary": "JSON-RPC 2.0: a request or a batch, as over the control socket.",
    "description": "`GET /api/v1/rpc/discover` describes the methods. Errors of the calls are part of the answer.",
    "requestBody": {
        "required": True,
        # Whatever is JSON is answered as JSON-RPC says, with its own errors.
        "content": {"application/json": {"schema": {}}},
    },
    "responses": {
        "200": {
            "description": "The answer, or the answers of a batch.",
            "content": {"application/json": {"schema": {"type": ["object", "array"]}}},
        },
        "204": {"description": "There were notifications only."},
        **_responses_of("Malformed", "Unauthorized", "Forbidden", "TooLarge", "NotJson", "Misdirected"),
    },
}
