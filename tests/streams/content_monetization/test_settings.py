"""Settings: what is refused, with field and remedy; twenty different sites; who gets a slot."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.content_monetization.blueprint import MAX_SETTINGS, SITES, blueprint
from streams.content_monetization.contract_account import ContractAccount
from streams.content_monetization.delivery_events import Delivered
from streams.content_monetization.rotation import Placement, Rotation, is_in_pace
from streams.content_monetization.settings import ContentMonetizationSettings
from streams.content_monetization.terms import terms_of
from tests.streams.content_monetization.sites import NOW, contract, settings


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"asset": "XYZ"}, "asset: "),
        ({"title": "Bread\x0b and \x00 butter"}, "title: "),
        ({"tagline": "\x01"}, "tagline: "),
        ({"author": "Anna\x1b"}, "author: "),
        ({"article_price": "-1"}, "article_price: "),
        ({"article_price": "0.0000001"}, "article_price: "),
        ({"what_if_cpm": "many"}, "what_if_cpm: "),
        ({"plans": {}}, "plans: "),
        ({"default_plan": "gold"}, "default_plan: "),
        ({"base_url": "ftp://x"}, "base_url: "),
        ({"base_url": "https://x.org/"}, "base_url: "),
        ({"data_centres": ("10.0.0.1/8",)}, "data_centres: "),
        ({"first_statement_s": 10.0, "statement_interval_s": 5.0}, "first_statement_s: "),
        ({"view_after_s": 5.0, "view_life_s": 5.0}, "view_after_s: "),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_field(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}"):
        settings(**change)


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"rate": "0"}, "rate: "),
        ({"rate": "-4"}, "rate: "),
        ({"rate": "4.0000001"}, "rate: "),
        ({"budget": "0"}, "budget: "),
        ({"daily_budget": "x"}, "daily_budget: "),
        ({"kind": "fixed", "budget": "5"}, "budget, daily_budget: "),
        ({"starts": datetime(2026, 1, 1)}, "starts, ends: "),  # noqa: DTZ001
        ({"ends": datetime(2025, 1, 1, tzinfo=UTC)}, "ends: "),
        ({"slots": ()}, "slots: "),
        ({"destination": "javascript:alert(1)"}, "destination: "),
        ({"destination": "//acme.example"}, "destination: "),
        ({"destination": "https://a.example/\r\nSet-Cookie: x"}, "destination: "),
        ({"destination": "https://user@a.example/"}, "destination: "),
        ({"destination": "https://a.example:99999/"}, "destination: "),
        ({"destination": "https://"}, "destination: "),
    ],
)
def test_contracts_that_make_no_sense_are_refused_by_field(terms: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        settings(contract(**terms))


def test_an_id_names_one_contract() -> None:
    with pytest.raises(ValueError, match="two with the id 'acme'"):
        settings(contract(), contract())


@pytest.mark.parametrize(
    ("destination", "paper"),
    [
        ("https://acme.example/", True),
        ("http://shop.test:8080/x", True),
        ("https://www.example.com/", True),
        ("https://localhost/", True),
        ("https://example.acme.com/", False),
        ("https://notexample.com/", False),
    ],
)
def test_a_sponsor_on_a_name_that_no_one_can_own_is_of_paper(destination: str, paper: bool) -> None:
    assert contract(destination=destination).is_paper is paper


def test_the_blueprint_is_twenty_different_sites_whose_sponsors_are_of_paper() -> None:
    made = blueprint(20)
    assert len({site.title for site in made}) == len({site.topic for site in made}) == 20
    sponsors = Counter(each.sponsor for site in made for each in site.contracts)
    assert max(sponsors.values()) == 1
    for site in made:
        assert {each.kind for each in site.contracts} & {"cpm"}
        assert all(each.is_paper for each in site.contracts)


def test_every_site_of_the_blueprint_is_what_its_json_says_and_has_a_name_of_its_own() -> None:
    made = blueprint(200)
    assert blueprint(200) == made
    assert len({site.title for site in made}) == 200
    for site in made:
        assert msgspec.json.decode(msgspec.json.encode(site), type=ContentMonetizationSettings) == site
    assert {site.asset for site in made} == {"USD", "EUR", "GBP"}
    for n in (-1, MAX_SETTINGS + 1):
        with pytest.raises(ValueError, match="from 0 to"):
            blueprint(n)
    assert len(SITES) == 20


def placed(*contracts: Any) -> list[Placement]:
    return [Placement(each, terms_of(each, "USD")) for each in contracts]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_equals_take_turns_exactly_by_their_weights(weights: list[int]) -> None:
    places = placed(*(contract(f"c{number}", weight=weight) for number, weight in enumerate(weights)))
    rotation = Rotation(places)
    turns = Counter(rotation.next("lead", places).contract.id for _ in range(sum(weights) * 3))
    assert turns == {f"c{number}": weight * 3 for number, weight in enumerate(weights)}


def test_the_highest_priority_goes_first_and_others_where_it_cannot() -> None:
    low, high = placed(contract("low"), contract("high", priority=5, slots=("lead",)))
    rotation = Rotation([low, high])
    assert [rotation.next("lead", rotation.candidates("lead")).contract.id for _ in range(3)] == ["high"] * 3
    assert [each.contract.id for each in rotation.candidates("foot")] == ["low"]


def test_an_evenly_paced_contract_spends_in_step_with_its_time() -> None:
    ends = NOW + timedelta(days=10)
    (place,) = placed(contract(starts=NOW, ends=ends, budget="10.00"))
    account = ContractAccount(place.terms)
    half = NOW + timedelta(days=5)
    for number in range(1250):
        account.apply(Delivered("acme", f"{number:020x}", NOW, place.terms.view_milli))
    assert account.spent_milli == 5_000_000 * 1000
    assert not is_in_pace(place, account, half - timedelta(hours=1))
    assert is_in_pace(place, account, half)
    (eager,) = placed(contract(starts=NOW, ends=ends, budget="10.00", pacing="none"))
    assert is_in_pace(eager, account, NOW)


def test_a_daily_budget_is_spread_over_the_day_and_lets_the_first_reader_in() -> None:
    (place,) = placed(contract(daily_budget="24.00"))
    account = ContractAccount(place.terms)
    midnight = NOW.replace(hour=0)
    assert is_in_pace(place, account, midnight)
    for number in range(1501):
        account.apply(Delivered("acme", f"{number:020x}", midnight, place.terms.view_milli))
    assert not is_in_pace(place, account, midnight + timedelta(hours=5, minutes=30))
    assert is_in_pace(place, account, midnight + timedelta(hours=5, minutes=31))
