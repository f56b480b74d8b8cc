"""What the OpenAPI documents of all streams that sell by key have in common: headers, refusals, and how one pays."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

import msgspec

from streams.metering.account import Usage

TEMPLATE: Final = "#/components/schemas/{name}"
JSON_MEDIA: Final = "application/json"

_PROBLEM_MEDIA: Final = "application/problem+json"
_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer", "minimum": 0}


class Problem(msgspec.Struct, frozen=True):
    """Problem details, RFC 9457. Nothing is charged for a call that is answered with one."""

    type: str
    title: str
    status: int
    code: str
    detail: str


_HEADERS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "X-Charge": ("What this call cost: amount and currency, `0.002 USD`.", _TEXT),
    "X-Receipt": ("The transaction in which the charge is booked.", _TEXT),
    "RateLimit-Policy": ("Rate and quota of the key (draft-ietf-httpapi-ratelimit-headers).", _TEXT),
    "RateLimit": ("What is left of both, and when they start anew.", _TEXT),
    "RateLimit-Limit": ("Calls that the tighter of both limits allows.", _COUNT),
    "RateLimit-Remaining": ("Calls that are left of them.", _COUNT),
    "RateLimit-Reset": ("Seconds until they are whole again.", _COUNT),
    "Retry-After": ("Seconds to wait before trying again.", _COUNT),
    "WWW-Authenticate": ("The scheme that is expected.", _TEXT),
}
_RATE_HEADERS: Final = (
    "RateLimit-Policy",
    "RateLimit",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
)

CHARGED_HEADERS: Final = ("X-Charge", "X-Receipt", *_RATE_HEADERS)
"""What comes with a charged answer."""


class Refusal(msgspec.Struct, frozen=True):
    """A way in which a call is refused.

    Attributes:
        status: The HTTP status.
        component: The name of its description in the document.
        description: What it means.
        headers: What comes with it.
    """

    status: str
    component: str
    description: str
    headers: tuple[str, ...] = ()


REFUSALS: Final = (
    Refusal("400", "Malformed", "The body is not JSON, or the Idempotency-Key is not usable."),
    Refusal("401", "Unauthenticated", "The key is missing, unknown or no longer in force.", ("WWW-Authenticate",)),
    Refusal("402", "OutOfCredit", "The key's credit does not cover the price.", _RATE_HEADERS),
    Refusal("409", "IdempotencyConflict", "The Idempotency-Key was used for another request."),
    Refusal("413", "TooLarge", "The request or its answer is too large."),
    Refusal("415", "UnsupportedMediaType", "The body is not sent as JSON."),
    Refusal("422", "Invalid", "A parameter is unknown, missing or out of bounds; `detail` names it."),
    Refusal("429", "LimitExceeded", "The rate or the month's quota is used up.", (*_RATE_HEADERS, "Retry-After")),
    Refusal("503", "Unavailable", "The charge cannot be booked now, so nothing is answered.", ("Retry-After",)),
)
"""How calls of any stream are refused."""


def document(
    *,
    title: str,
    summary: str,
    description: str,
    base_url: str,
    paths: dict[str, Any],
    types: Iterable[type] = (),
    refusals: Iterable[Refusal] = REFUSALS,
) -> dict[str, Any]:
    """Return a whole document, with the paths that all streams have.

    Args:
        title: The instance's name.
        summary: What it is for, in a line.
        description: What customers have to know.
        base_url: Where customers reach it, `http://127.0.0.1:7800`.
        paths: What the stream itself has.
        types: The types that those refer to; see `reference`.
        refusals: How its calls are refused.
    """
    _, schemas = msgspec.json.schema_components([*types, Usage, Problem], ref_template=TEMPLATE)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "summary": summary, "description": description, "version": "1"},
        "servers": [{"url": base_url}],
        "security": [{"key": []}],
        "paths": paths | {"/v1/usage": _usage_path(), "/healthz": _health_path()},
        "components": {
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key: `Authorization: Bearer ak_…`. Never send it in the address.",
                }
            },
            "parameters": {"IdempotencyKey": _idempotency_key()},
            "headers": {name: {"description": text, "schema": schema} for name, (text, schema) in _HEADERS.items()},
            "responses": {each.component: _problem(each.description, each.headers) for each in refusals},
            "schemas": schemas,
        },
    }


def reference(kind: type) -> dict[str, str]:
    """Return a reference to one of a document's types."""
    return {"$ref": TEMPLATE.format(name=kind.__name__)}


def headers(names: Iterable[str]) -> dict[str, Any]:
    """Return references to headers."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def idempotency_parameter() -> dict[str, str]:
    """Return a reference to the Idempotency-Key header of a request."""
    return {"$ref": "#/components/parameters/IdempotencyKey"}


def refused(statuses: Collection[str] | None = None, refusals: Iterable[Refusal] = REFUSALS) -> dict[str, Any]:
    """Return references to refusals, all of them or those of some statuses."""
    return {
        each.status: {"$ref": f"#/components/responses/{each.component}"}
        for each in refusals
        if statuses is None or each.status in statuses
    }


def _usage_path() -> dict[str, Any]:
    content = {JSON_MEDIA: {"schema": reference(Usage)}}
    return {
        "get": {
            "operationId": "get_usage",
            "summary": "How the key stands: calls, quota, spending. Free of charge.",
            "tags": ["Account"],
            "responses": {"200": {"description": "How the key stands.", "content": content}} | refused({"400", "401"}),
        }
    }


def _health_path() -> dict[str, Any]:
    return {
        "get": {
            "operationId": "get_health",
            "summary": "Whether the service is ready. No key needed.",
            "tags": ["Service"],
            "security": [],
            "responses": {"200": {"description": "Ready."}, "503": {"description": "Not ready."}},
        }
    }


def _idempotency_key() -> dict[str, Any]:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "A name of your own for this call. The same call repeated gives the first answer.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    }


def _problem(description: str, names: tuple[str, ...]) -> dict[str, Any]:
    content = {_PROBLEM_MEDIA: {"schema": reference(Problem)}}
    answer: dict[str, Any] = {"description": description, "content": content}
    return answer | ({"headers": headers(names)} if names else {})
