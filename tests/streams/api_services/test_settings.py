from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.api_services.blueprint import BUSINESSES
from streams.api_services.products import PRODUCTS
from streams.api_services.settings import ApiServicesSettings
from streams.metering.plan import Plan

VALID: dict[str, Any] = {
    "title": "Checks",
    "tagline": "",
    "products": {"iban": "0.002", "vat": "1"},
    "plans": {
        "basic": {"rate_per_s": 2.5, "burst": 5, "quota": 10, "credit": "12.30"},
        "open": {"rate_per_s": 1, "burst": 1},
    },
    "default_plan": "basic",
}


def changed(path: str, value: Any) -> dict[str, Any]:
    settings: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(VALID))
    *parents, last = path.split(".")
    place = settings
    for parent in parents:
        place = place[parent]
    place[last] = value
    return settings


def test_prices_and_credits_are_integer_units_of_the_asset() -> None:
    settings = msgspec.convert(VALID, ApiServicesSettings)

    assert settings.asset == "USD"
    assert settings.price_units("iban") == 2_000
    assert settings.price_units("vat") == 1_000_000
    assert settings.plans["basic"].credit_units("USD") == 12_300_000
    assert settings.plans["open"].credit_units("USD") is None


def test_a_product_that_is_not_sold_has_no_price() -> None:
    with pytest.raises(KeyError):
        msgspec.convert(VALID, ApiServicesSettings).price_units("qr")


def test_products_are_offered_in_the_order_of_the_catalogue() -> None:
    settings = msgspec.convert(changed("products", {"qr": "1", "iban": "1"}), ApiServicesSettings)

    assert list(settings.offered()) == ["iban", "qr"]
    assert settings.offered()["qr"] is PRODUCTS["qr"]


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("products", {}, "products: name at least one of iban"),
        ("products", {"ibann": "1"}, "products: there is no product 'ibann'; did you mean 'iban'"),
        ("products", {"zzzzzz": "1"}, "known are iban, bic"),
        ("products.iban", "free", r"products\.iban: 'free' is not a decimal amount"),
        ("products.iban", "0.0000001", r"products\.iban: .* more than the 6 decimal places"),
        ("products.iban", "-1", r"products\.iban: a price is not negative"),
        ("products.iban", 1, r"Expected `str`, got `int` - at `\$\.products"),
        ("plans", {}, "plans: name at least one"),
        ("plans.basic.rate_per_s", 0, r"plans\.basic\.rate_per_s: must be above 0"),
        ("plans.basic.rate_per_s", 1e9, r"plans\.basic\.rate_per_s: must be above 0 and at most 10000"),
        ("plans.basic.burst", 0, r"plans\.basic\.burst: must be from 1"),
        ("plans.basic.quota", -1, r"plans\.basic\.quota: must be 0 or more"),
        ("plans.basic.credit", "-1", r"plans\.basic\.credit: must be 0 or more"),
        ("plans.basic.credit", "x", r"plans\.basic\.credit: 'x' is not a decimal amount"),
        ("plans.basic.rate", 1, "unknown field `rate`"),
        ("plans", {"Basic!": {"rate_per_s": 1, "burst": 1}}, r"\$\.plans"),
        ("default_plan", "basik", "default_plan: there is no plan 'basik'; did you mean 'basic'"),
        ("asset", "XYZ", "asset: no asset 'XYZ' is declared"),
        ("title", "", r"length >= 1 - at `\$\.title`"),
        ("titel", "x", "unknown field `titel`"),
    ],
)
def test_what_makes_no_sense_is_named(path: str, value: Any, named: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=named):
        msgspec.convert(changed(path, value), ApiServicesSettings)


def test_making_settings_in_code_is_checked_too() -> None:
    with pytest.raises(ValueError, match="default_plan"):
        ApiServicesSettings("t", "", {"iban": "1"}, {"a": Plan(1, 1)}, "b")


def test_settings_survive_their_file() -> None:
    for settings in BUSINESSES:
        assert msgspec.json.decode(msgspec.json.encode(settings), type=ApiServicesSettings) == settings


def test_nan_is_no_rate() -> None:
    with pytest.raises(ValueError, match="rate_per_s"):
        ApiServicesSettings("t", "", {"iban": "1"}, {"a": Plan(float("nan"), 1)}, "a")
