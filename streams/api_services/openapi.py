"""The OpenAPI 3.1 document of an instance, made from the types that requests are really decoded with."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from streams.api_services.parameters import example, parameters
from streams.api_services.product import AnyProduct
from streams.api_services.settings import ApiServicesSettings
from streams.metering.account import Usage

_TEMPLATE: Final = "#/components/schemas/{name}"
_PROBLEM_MEDIA: Final = "application/problem+json"
_JSON_MEDIA: Final = "application/json"
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
_CHARGED_HEADERS: Final = ("X-Charge", "X-Receipt", *_RATE_HEADERS)

# Status, component, what it means, and the headers that come with it.
_REFUSALS: Final = (
    ("400", "Malformed", "The body is not JSON, or the Idempotency-Key is not usable.", ()),
    ("401", "Unauthenticated", "The key is missing, unknown or no longer in force.", ("WWW-Authenticate",)),
    ("402", "OutOfCredit", "The key's credit does not cover the price.", _RATE_HEADERS),
    ("409", "IdempotencyConflict", "The Idempotency-Key was used for another request.", ()),
    ("413", "TooLarge", "The request or its answer is too large.", ()),
    ("415", "UnsupportedMediaType", "The body is not sent as JSON.", ()),
    ("422", "Invalid", "A parameter is unknown, missing or out of bounds; `detail` names it.", ()),
    ("429", "LimitExceeded", "The rate or the month's quota is used up.", (*_RATE_HEADERS, "Retry-After")),
    ("503", "Unavailable", "The charge cannot be booked now, so nothing is answered.", ("Retry-After",)),
)


def openapi_document(settings: ApiServicesSettings, base_url: str) -> dict[str, Any]:
    """Return the document as JSON values.

    Args:
        settings: The instance's settings.
        base_url: Where customers reach it, `http://127.0.0.1:7800`.
    """
    offered = settings.offered()
    types = [kind for product in offered.values() for kind in (product.request, product.response)]
    _, schemas = msgspec.json.schema_components([*types, Usage, Problem], ref_template=_TEMPLATE)
    paths: dict[str, Any] = {
        f"/v1/{name}": _path(product, settings.products[name], settings.asset) for name, product in offered.items()
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": settings.title,
            "summary": settings.tagline,
            "description": (
                "A call is charged when it is answered with 200, at the price given as `x-price`. Send an "
                "`Idempotency-Key` to be able to repeat a call that was not answered: it is charged once."
            ),
            "version": "1",
        },
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
            "responses": {
                component: _problem(description, headers) for _, component, description, headers in _REFUSALS
            },
            "schemas": schemas,
        },
    }


def _path(product: AnyProduct, price: str, asset: str) -> dict[str, Any]:
    body = {"schema": _reference(product.request), "example": example(product)}
    post = _operation(product, "post", price, asset) | {
        "requestBody": {"required": True, "content": {_JSON_MEDIA: body}}
    }
    post["parameters"] = [{"$ref": "#/components/parameters/IdempotencyKey"}]
    if not product.accepts_query:
        return {"post": post}
    get = _operation(product, "get", price, asset)
    get["parameters"] = [*_query(product), {"$ref": "#/components/parameters/IdempotencyKey"}]
    return {"get": get, "post": post}


def _operation(product: AnyProduct, method: str, price: str, asset: str) -> dict[str, Any]:
    content = {_JSON_MEDIA: {"schema": _reference(product.response)}}
    answered = {"description": "The answer; charged.", "headers": _headers(_CHARGED_HEADERS), "content": content}
    return {
        "operationId": f"{method}_{product.name}",
        "summary": product.summary,
        "description": product.description,
        "tags": [product.title],
        "x-price": {"amount": price, "currency": asset},
        "responses": {"200": answered} | _refusals({status for status, *_ in _REFUSALS}),
    }


def _query(product: AnyProduct) -> list[dict[str, Any]]:
    shown = example(product)
    query = []
    for parameter in parameters(product):
        schema = parameter.schema
        if parameter.default is not None:
            schema = schema | {"default": parameter.default}
        entry = {
            "name": parameter.name,
            "in": "query",
            "required": parameter.required,
            "description": parameter.description,
            "schema": schema,
        }
        if parameter.name in shown:
            entry["example"] = shown[parameter.name]
        query.append(entry)
    return query


def _usage_path() -> dict[str, Any]:
    content = {_JSON_MEDIA: {"schema": _reference(Usage)}}
    return {
        "get": {
            "operationId": "get_usage",
            "summary": "How the key stands: calls, quota, spending. Free of charge.",
            "tags": ["Account"],
            "responses": {"200": {"description": "How the key stands.", "content": content}}
            | _refusals({"400", "401"}),
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


def _reference(kind: type) -> dict[str, str]:
    return {"$ref": _TEMPLATE.format(name=kind.__name__)}


def _headers(names: tuple[str, ...]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _problem(description: str, headers: tuple[str, ...]) -> dict[str, Any]:
    content = {_PROBLEM_MEDIA: {"schema": _reference(Problem)}}
    answer: dict[str, Any] = {"description": description, "content": content}
    return answer | ({"headers": _headers(headers)} if headers else {})


def _refusals(statuses: set[str]) -> dict[str, Any]:
    return {
        status: {"$ref": f"#/components/responses/{component}"}
        for status, component, *_ in _REFUSALS
        if status in statuses
    }
