"""Settings that make no sense are refused at once, with the field and the remedy."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.data_harvesting.settings import DataHarvestingSettings

RECIPE: dict[str, Any] = {
    "title": "Prices",
    "price": "0.05",
    "pages": [{"site": "site.market", "path": "/prices/grain"}],
    "item": "tr",
    "fields": {"id": {"attribute": "data-id"}, "name": {"required": False}},
    "key": ["id"],
}
SETTINGS: dict[str, Any] = {
    "title": "Grain",
    "tagline": "",
    "datasets": {"prices": RECIPE},
    "plans": {"reader": {"rate_per_s": 5, "burst": 50}},
    "default_plan": "reader",
}


def recipe(**changes: Any) -> dict[str, Any]:
    return {**SETTINGS, "datasets": {"prices": {**RECIPE, **changes}}}


def test_good_settings_are_taken() -> None:
    settings = msgspec.convert(SETTINGS, DataHarvestingSettings)
    assert settings.price_units("prices") == 50_000
    assert settings.datasets["prices"].json_schema()["required"] == ["id"]
    assert msgspec.convert(msgspec.to_builtins(settings), DataHarvestingSettings) == settings


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({**SETTINGS, "asset": "XYZ"}, "asset"),
        ({**SETTINGS, "datasets": {}}, "datasets: from 1 to 20"),
        ({**SETTINGS, "datasets": {"latest": RECIPE}}, "another name"),
        ({**SETTINGS, "datasets": {"../x": RECIPE}}, "matching regex"),
        ({**SETTINGS, "datasets": {"a": RECIPE, "b": RECIPE}}, "begins at the same address"),
        ({**SETTINGS, "default_plan": "gold"}, "default_plan"),
        ({**SETTINGS, "version_every_s": -1}, "version_every_s"),
        ({**SETTINGS, "keep_versions": 0}, "keep_versions"),
        ({**SETTINGS, "max_version_bytes": 1}, "max_version_bytes"),
        ({**SETTINGS, "fetch": {"obey_robots": False}}, "obey_robots"),
        (recipe(price="-1"), "not negative"),
        (recipe(price="0.0000001"), "datasets.prices.price"),
        (recipe(pages=[]), "at least one address"),
        (recipe(pages=["ftp://example.org/"]), "no http or https address"),
        (recipe(pages=[{"site": "site.market", "path": "prices"}]), "starts with '/'"),
        (recipe(key=[]), "key"),
        (recipe(key=["ean"]), "there is no field 'ean'; there are id, name"),
        (recipe(key=["name"]), "must be required"),
        (recipe(fields={}), "fields"),
        (recipe(follow=["("]), "no regular expression"),
        (recipe(records="feed"), "no feed is named"),
        (recipe(records="feed", feeds=["https://example.org/feed"]), "fields.id.select"),
        (recipe(depth=11), "depth"),
        (recipe(every_s=100, at_most_every_s=50), "every_s"),
        (recipe(max_records=0), "max_records"),
    ],
)
def test_what_makes_no_sense_is_named(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=told):
        msgspec.convert(settings, DataHarvestingSettings)
