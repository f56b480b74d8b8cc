from __future__ import annotations

import msgspec
import pytest

from streams.api_services.blueprint import BUSINESSES, MAX_SETTINGS, blueprint
from streams.api_services.products import PRODUCTS
from streams.api_services.settings import ApiServicesSettings


def test_the_first_twenty_differ_in_products_prices_and_plans() -> None:
    businesses = blueprint(20)

    assert tuple(businesses) == BUSINESSES
    assert len({frozenset(business.products) for business in businesses}) == 20
    assert len({tuple(sorted(business.products.items())) for business in businesses}) == 20
    assert len({msgspec.json.encode(business.plans) for business in businesses}) == 20
    assert len({business.tagline for business in businesses}) == 20


def test_together_they_sell_everything_and_each_the_iban_check() -> None:
    businesses = blueprint(20)

    assert set().union(*(business.products for business in businesses)) == set(PRODUCTS)
    assert all("iban" in business.products for business in businesses)


@pytest.mark.parametrize("n", [0, 1, 21, 200, MAX_SETTINGS])
def test_any_number_of_them_is_distinct(n: int) -> None:
    businesses = blueprint(n)

    assert len(businesses) == n
    assert len({business.title for business in businesses}) == n


def test_two_hundred_are_valid_as_files() -> None:
    for business in blueprint(200):
        assert msgspec.json.decode(msgspec.json.encode(business), type=ApiServicesSettings) == business
        assert all(business.price_units(product) > 0 for product in business.products)


def test_variations_of_a_business_differ_in_more_than_their_names() -> None:
    offers = {
        (business.asset, *sorted(business.products.items()))
        for business in blueprint(100)
        if "bic" in business.products
    }

    assert len(offers) == len([business for business in blueprint(100) if "bic" in business.products])


def test_a_fleet_that_grows_keeps_what_it_has() -> None:
    assert tuple(blueprint(50))[:30] == tuple(blueprint(30))


def test_the_default_plan_is_wide_and_billed_by_use() -> None:
    for business in blueprint(200):
        plan = business.plans[business.default_plan]
        assert plan.credit is None
        assert plan.burst >= 1000


@pytest.mark.parametrize("n", [-1, MAX_SETTINGS + 1])
def test_a_number_out_of_bounds_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match="businesses"):
        blueprint(n)
