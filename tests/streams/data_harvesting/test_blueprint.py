"""Twenty different businesses, and more where more are asked for."""

from __future__ import annotations

import msgspec
import pytest

from streams.data_harvesting.blueprint import BUSINESSES, MAX_SETTINGS, blueprint
from streams.data_harvesting.reading import check_selectors
from streams.data_harvesting.settings import DataHarvestingSettings
from streams.sandbox.sites.world import SITES


def test_twenty_instances_are_twenty_businesses() -> None:
    settings = blueprint(20)
    assert len(BUSINESSES) == 20
    assert len({each.title for each in settings}) == 20
    sources = [tuple(recipe.addresses()) for each in settings for recipe in each.datasets.values()]
    assert len(set(sources)) == len(sources)
    prices = {recipe.price for each in settings for recipe in each.datasets.values()}
    assert len(prices) >= 12


def test_past_twenty_come_editions_at_other_prices() -> None:
    settings = blueprint(200)
    assert len({each.title for each in settings}) == 200
    assert settings[:20] == blueprint(20)
    assert all(each.price_units(name) > 0 for each in settings for name in each.datasets)


def test_settings_survive_being_written_and_read() -> None:
    for each in blueprint(45):
        assert msgspec.convert(msgspec.to_builtins(each), DataHarvestingSettings) == each
        assert msgspec.json.decode(msgspec.json.encode(each), type=DataHarvestingSettings) == each


def test_every_recipe_begins_at_a_site_of_the_paper_world_and_has_good_selectors() -> None:
    names = {f"site.{kind.name}" for kind in SITES}
    visited = set()
    for each in BUSINESSES:
        for recipe in each.datasets.values():
            check_selectors(recipe)
            visited |= {address.site for _, address in recipe.addresses() if not isinstance(address, str)}
    assert visited == names


@pytest.mark.parametrize("count", [-1, MAX_SETTINGS + 1])
def test_there_is_a_limit(count: int) -> None:
    with pytest.raises(ValueError, match="businesses"):
        blueprint(count)
