"""The OpenAPI 3.1 document of an instance: the list, the downloads, and what a record of each dataset is."""

from __future__ import annotations

from typing import Any, Final

from streams.data_harvesting.datasets.rendering import MEDIA_TYPES
from streams.data_harvesting.recipe import Recipe
from streams.data_harvesting.record import PROVENANCE
from streams.data_harvesting.settings import DataHarvestingSettings
from streams.data_harvesting.shop import DatasetItem, DatasetList
from streams.metering.openapi import (
    CHARGED_HEADERS,
    JSON_MEDIA,
    REFUSALS,
    Refusal,
    document,
    headers,
    idempotency_parameter,
    reference,
    refused,
)

_TEXT: Final = {"type": "string"}
_DOWNLOAD_REFUSALS: Final = (
    *(each for each in REFUSALS if each.status not in ("413", "415")),
    Refusal("403", "NotForSale", "Nothing in this version is known to be for sale."),
    Refusal("404", "Unknown", "There is no such dataset or version; `detail` says what there is."),
    Refusal("410", "DeliveryGone", "What was delivered under this Idempotency-Key is not kept any more."),
)


def openapi_document(settings: DataHarvestingSettings, base_url: str) -> dict[str, Any]:
    """Return the document as JSON values.

    Args:
        settings: The instance's settings.
        base_url: Where customers reach it, `http://127.0.0.1:7800`.
    """
    paths: dict[str, Any] = {"/v1/datasets": {"get": _public("list_datasets", "What there is to be had.", DatasetList)}}
    for name, recipe in settings.datasets.items():
        show = _public(f"show_{name}", f"What there is to be had of {recipe.title}.", DatasetItem)
        paths[f"/v1/datasets/{name}"] = {"get": show}
        paths[f"/v1/datasets/{name}/{{version}}"] = {"get": _download(name, recipe, settings.asset)}
    return document(
        title=settings.title,
        summary=settings.tagline,
        description=(
            "A download is charged when it is answered with 200, at the price given as `x-price`. Send an "
            "`Idempotency-Key` to be able to repeat a download that was cut off: it is charged once, and gives the "
            "same version. A version never changes."
        ),
        base_url=base_url,
        paths=paths,
        types=[DatasetList],
        refusals=_DOWNLOAD_REFUSALS,
    )


def _public(operation: str, summary: str, kind: type) -> dict[str, Any]:
    content = {JSON_MEDIA: {"schema": reference(kind)}}
    return {
        "operationId": operation.replace("-", "_"),
        "summary": f"{summary} No key needed.",
        "tags": ["Datasets"],
        "security": [],
        "responses": {"200": {"description": summary, "content": content}},
    }


def _download(name: str, recipe: Recipe, asset: str) -> dict[str, Any]:
    schema = recipe.json_schema()
    record = {**schema, "properties": {**schema["properties"], **PROVENANCE}}
    return {
        "operationId": f"download_{name}".replace("-", "_"),
        "summary": f"Download {recipe.title}.",
        "description": recipe.description,
        "tags": ["Datasets"],
        "x-price": {"amount": recipe.price, "currency": asset},
        "parameters": [
            {
                "name": "version",
                "in": "path",
                "required": True,
                "description": "A version's number, or `latest`.",
                "schema": {"type": "string", "pattern": "^(latest|[1-9][0-9]*)$"},
                "example": "latest",
            },
            {
                "name": "format",
                "in": "query",
                "required": False,
                "description": "JSON lines, or CSV with a heading.",
                "schema": {"type": "string", "enum": list(MEDIA_TYPES), "default": "jsonl"},
            },
            idempotency_parameter(),
        ],
        "responses": {
            "200": {
                "description": "The version, whole; charged.",
                "headers": headers(CHARGED_HEADERS),
                "content": {
                    MEDIA_TYPES["jsonl"]: {"schema": {"type": "string", "x-line": record}},
                    MEDIA_TYPES["csv"]: {"schema": _TEXT},
                },
            },
            "304": {"description": "The version is the one named in If-None-Match; nothing is charged."},
        }
        | refused(refusals=_DOWNLOAD_REFUSALS),
    }
