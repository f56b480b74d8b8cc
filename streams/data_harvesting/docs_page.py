"""The page that an instance's customers read: what is sold, at what price, and how to get it."""

from __future__ import annotations

import functools
import shlex
from typing import TYPE_CHECKING, Any

import msgspec

from streams.data_harvesting.recipe import Recipe
from streams.data_harvesting.record import PROVENANCE
from streams.data_harvesting.settings import DataHarvestingSettings
from streams.metering.shop_page import shop_template

if TYPE_CHECKING:
    from jinja2 import Template


class _Column(msgspec.Struct, frozen=True):
    """A field as the page shows it."""

    name: str
    type: str
    required: bool
    description: str


class _Entry(msgspec.Struct, frozen=True):
    """A dataset as the page shows it."""

    name: str
    recipe: Recipe
    columns: list[_Column]
    curl: str


def docs_page(settings: DataHarvestingSettings, base_url: str) -> str:
    """Return the page as HTML: self-contained, and with everything from the settings escaped.

    Args:
        settings: The instance's settings.
        base_url: Where customers reach it, `http://127.0.0.1:7800`.
    """
    entries = [
        _Entry(name, recipe, _columns(recipe), _curl(name, base_url)) for name, recipe in settings.datasets.items()
    ]
    return _template().render(settings=settings, base_url=base_url, entries=entries, sold="Downloads")


@functools.cache
def _template() -> Template:
    return shop_template("streams.data_harvesting")


def _columns(recipe: Recipe) -> list[_Column]:
    own = [
        _Column(name, field.type, field.required, _told(field.description, field.unit))
        for name, field in recipe.fields.items()
    ]
    return own + [_Column(name, _type_of(schema), True, schema["description"]) for name, schema in PROVENANCE.items()]


def _told(description: str, unit: str) -> str:
    return f"{description} ({unit})".strip() if unit else description


def _type_of(schema: dict[str, Any]) -> str:
    return str(schema.get("format", schema["type"]))


def _curl(name: str, base_url: str) -> str:
    address = shlex.quote(f"{base_url}/v1/datasets/{name}/latest")
    return f"curl -H 'Authorization: Bearer YOUR_KEY' -H 'Idempotency-Key: order-1' \\\n  -o {name}.jsonl {address}"
