"""The OpenAPI 3.1 document of an instance, made from the types that requests are really decoded with."""

from __future__ import annotations

from typing import Any

from streams.api_services.parameters import example, parameters
from streams.api_services.product import AnyProduct
from streams.api_services.settings import ApiServicesSettings
from streams.metering.openapi import (
    CHARGED_HEADERS,
    JSON_MEDIA,
    document,
    headers,
    idempotency_parameter,
    reference,
    refused,
)


def openapi_document(settings: ApiServicesSettings, base_url: str) -> dict[str, Any]:
    """Return the document as JSON values.

    Args:
        settings: The instance's settings.
        base_url: Where customers reach it, `http://127.0.0.1:7800`.
    """
    offered = settings.offered()
    return document(
        title=settings.title,
        summary=settings.tagline,
        description=(
            "A call is charged when it is answered with 200, at the price given as `x-price`. Send an "
            "`Idempotency-Key` to be able to repeat a call that was not answered: it is charged once."
        ),
        base_url=base_url,
        paths={
            f"/v1/{name}": _path(product, settings.products[name], settings.asset) for name, product in offered.items()
        },
        types=[kind for product in offered.values() for kind in (product.request, product.response)],
    )


def _path(product: AnyProduct, price: str, asset: str) -> dict[str, Any]:
    body = {"schema": reference(product.request), "example": example(product)}
    post = _operation(product, "post", price, asset) | {
        "requestBody": {"required": True, "content": {JSON_MEDIA: body}}
    }
    post["parameters"] = [idempotency_parameter()]
    if not product.accepts_query:
        return {"post": post}
    get = _operation(product, "get", price, asset)
    get["parameters"] = [*_query(product), idempotency_parameter()]
    return {"get": get, "post": post}


def _operation(product: AnyProduct, method: str, price: str, asset: str) -> dict[str, Any]:
    content = {JSON_MEDIA: {"schema": reference(product.response)}}
    answered = {"description": "The answer; charged.", "headers": headers(CHARGED_HEADERS), "content": content}
    return {
        "operationId": f"{method}_{product.name}",
        "summary": product.summary,
        "description": product.description,
        "tags": [product.title],
        "x-price": {"amount": price, "currency": asset},
        "responses": {"200": answered} | refused(),
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
