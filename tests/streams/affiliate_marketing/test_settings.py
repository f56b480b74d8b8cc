"""Settings and blueprint: what is refused, with the field and the remedy."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from streams.affiliate_marketing.blueprint import blueprint
from streams.affiliate_marketing.caps import Cap
from streams.affiliate_marketing.destination import Destination
from streams.affiliate_marketing.rotation import Rotation
from streams.affiliate_marketing.settings import AffiliateMarketingSettings
from tests.streams.affiliate_marketing.agencies import offer, settings


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "//shop.example/",
        "ftp://shop.example/",
        "https:///path",
        "https://user:pass@shop.example/",
        "https://shop.example/\r\nSet-Cookie: a=b",
        "https://shop.example/a b",
        "https://shop.example:0/",
        "https://shop.example:x/",
        "https://shöp.example/",
        "http:\\\\shop.example",
        "https://shop.example/" + "a" * 2000,
    ],
)
def test_a_destination_that_a_browser_should_not_be_sent_to(url: str) -> None:
    with pytest.raises(ValueError, match="destination"):
        settings({"kettles": offer(destination=url)})


def test_the_click_id_stands_in_the_query_whatever_the_url() -> None:
    for url, expected in (
        ("https://a.example", "https://a.example?c=ID"),
        ("https://a.example/?x=1", "https://a.example/?x=1&c=ID"),
        ("https://a.example/?", "https://a.example/?c=ID"),
        ("https://a.example/p#part", "https://a.example/p?c=ID#part"),
    ):
        assert Destination(url, "c").for_click("ID") == expected.encode()
    assert (
        Destination("https://a.example/", "c").for_click("ID", {"s": "a b&c"}) == b"https://a.example/?c=ID&s=a%20b%26c"
    )


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("offers.kettles.network", "acne", "did you mean 'acme'"),
        ("offers.kettles.commission", "eight", "A share is written"),
        ("offers.kettles.commission", "-1", "not negative"),
        ("offers.kettles.max_commission", "0", "above 0"),
        ("offers.kettles.currency", "XXX", "currency"),
        ("offers.kettles.window_hours", 0, "window_hours"),
        ("offers.kettles.click_parameter", "a b", "parameter name"),
        ("offers.kettles.cap", {"day": -1}, r"cap\.day"),
        ("offers.kettles.pending_days", 0, "pending_days"),
        ("campaigns.best.offers", [], "at least one"),
        ("campaigns.best.offers", ["ketles"], "did you mean 'kettles'"),
        ("campaigns.best.fallback", "none", "fallback"),
        ("campaigns.best.sub_ids", {"s1": "clid"}, "click's id"),
        ("links", {}, "at least one"),
        ("links.kettle.campaign", "bets", "did you mean 'best'"),
        ("networks.acme.secret", "", "signing secret"),
        ("networks.acme.signing", "secret_path", "addresses"),
        ("networks.acme.addresses", ["300.1.1.1"], "addresses"),
        ("networks.acme.statement", {"delimiter": "x"}, "delimiter"),
        ("rotation.delay_hours", 0, "rotation"),
        ("nothing", 1, "unknown field"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(path: str, value: Any, message: str) -> None:
    plain = msgspec.to_builtins(settings())
    *parents, last = path.split(".")
    place = plain
    for name in parents:
        place = place[name]
    place[last] = value
    with pytest.raises(msgspec.ValidationError, match=message):
        msgspec.convert(plain, AffiliateMarketingSettings)


def test_blueprints_are_distinct_and_valid() -> None:
    made = blueprint(60)
    assert len({msgspec.json.encode(each) for each in made}) == 60
    assert len({each.title for each in made}) == 60
    for each in made:
        assert msgspec.json.decode(msgspec.json.encode(each), type=AffiliateMarketingSettings) == each
    assert made[:20] == blueprint(20)
    assert len({name for each in made[:20] for name in each.offers}) >= 45


def test_rotation_finds_the_better_offer_though_rewards_come_late() -> None:
    rates = {"good": 0.12, "bad": 0.03, "late": 0.06}
    rng = random.Random(3)
    rotation = Rotation(dict.fromkeys(rates, 4_000_000), delay_s=600, half_life_s=10**7, rng=random.Random(5))
    chosen = dict.fromkeys(rates, 0)
    coming: list[tuple[float, str]] = []
    for click in range(4000):
        now_s = click * 5.0
        while coming and coming[0][0] <= now_s:
            rotation.earned(coming.pop(0)[1], 4_000_000, now_s)
        name = rotation.choose(tuple(rates), now_s)
        rotation.clicked(name)
        chosen[name] += 1
        if rng.random() < rates[name]:
            coming.append((now_s + 600, name))
    assert chosen["good"] > 0.7 * 4000
    assert chosen["bad"] > 10, "it was tried"


def test_a_higher_commission_can_outweigh_a_lower_rate() -> None:
    rotation = Rotation({"often": 1_000_000, "much": 50_000_000}, delay_s=60, half_life_s=10**7, rng=random.Random(5))
    for number in range(300):
        rotation.choose(("often", "much"), number * 100.0)
        for name, every, units in (("often", 10, 1_000_000), ("much", 50, 50_000_000)):
            rotation.clicked(name)
            if number % every == 0:
                rotation.earned(name, units, number * 100.0)
    picks = [rotation.choose(("often", "much"), 40_000 + number) for number in range(100)]
    assert picks.count("much") > 90


def test_caps_count_days_and_totals() -> None:
    from streams.affiliate_marketing.caps import CapCounter

    caps = CapCounter({"o": Cap(day=2, total=3)})
    for day, room in ((5, True), (5, True), (5, False), (6, True), (6, False), (7, False)):
        assert caps.has_room("o", day) is room
        if room:
            caps.count("o", day)
    caps.take_back("o")
    assert caps.has_room("o", 7)
