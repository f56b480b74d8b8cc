"""Records for tests."""

from __future__ import annotations

from typing import Any

from streams.data_harvesting.field import Field
from streams.data_harvesting.recipe import Recipe
from streams.data_harvesting.record import Record, Terms, record_of

SOLD = Terms("CC-BY-4.0")
WITHHELD = Terms("", "unknown_licence")
PAGE = "http://site.example/prices"

RECIPE = Recipe(
    title="Prices",
    price="0.05",
    pages=(PAGE,),
    fields={"id": Field(), "price": Field("decimal", required=False), "on": Field("boolean", required=False)},
    key=("id",),
)


def record(
    id_: str, price: str | None = "1.00", *, source: str = PAGE, at: int = 0, terms: Terms = SOLD, **more: Any
) -> Record:
    """Return a record as it would be read from a page."""
    raw = {"id": id_, "price": price, **more}
    return record_of(RECIPE, raw, source, f"2026-11-25T12:00:{at:02d}Z", terms)
