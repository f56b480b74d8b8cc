"""The sites are the same for a seed and a time, change slowly, and are broken in the ways they should be."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest

from streams.sandbox.sites.agora import Agora
from streams.sandbox.sites.chance import Chance, tick, tick_began
from streams.sandbox.sites.gazette import Gazette
from streams.sandbox.sites.jobs import Jobs
from streams.sandbox.sites.library import Library, Mirror
from streams.sandbox.sites.market import GOODS, Market
from streams.sandbox.sites.site import Site, SiteAnswer
from streams.sandbox.sites.weather import Weather
from streams.sandbox.sites.world import SITES

NOW = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)
PAGES = {
    "gazette": ("/", "/city", "/city/feed.xml", "/culture/atom.xml", "/science/feed.json"),
    "market": ("/", "/prices/grain", "/prices/spices", "/goods/101", "/sitemap.xml"),
    "agora": ("/", "/events/concerts", "/events/sports"),
    "jobs": ("/", "/software", "/health.atom"),
    "weather": ("/", "/stations/coast", "/stations/hills"),
    "library": ("/", "/sitemap.xml", "/sitemaps/novels.xml", "/sitemaps/nature.xml.gz", "/shelf/travel", "/book/1"),
    "mirror": ("/shelf/travel", "/book/101"),
}


def site(kind: type[Site], seed: str = "7") -> Site:
    made = kind(Chance(seed))
    made.base_url = "http://127.0.0.1:8900"
    return made


def get(of: Site, path: str, now: datetime = NOW, visits: int = 0, **query: str) -> SiteAnswer:
    return of.answer(path, query, now, visits)


@pytest.mark.parametrize("kind", SITES)
def test_a_site_is_the_same_for_a_seed_and_a_time(kind: type[Site]) -> None:
    for path in PAGES[kind.name]:
        answer = get(site(kind), path)
        assert answer.status == 200, path
        assert answer == get(site(kind), path)
    changing = [path for path in PAGES[kind.name] if get(site(kind), path) != get(site(kind, "8"), path)]
    assert changing


@pytest.mark.parametrize("kind", SITES)
def test_a_site_changes_slowly(kind: type[Site]) -> None:
    moments = [NOW + timedelta(minutes=minutes) for minutes in range(0, 240, 5)]
    states = [tuple(get(site(kind), path, moment).body for path in PAGES[kind.name]) for moment in moments]
    same = [
        before == after for earlier, later in pairwise(states) for before, after in zip(earlier, later, strict=True)
    ]
    assert same.count(False) >= 2
    assert same.count(True) >= len(same) // 4


@pytest.mark.parametrize("kind", SITES)
@pytest.mark.parametrize(
    "path", ["/nothing", "/news/0", "/book/999", "/goods/199", "/stations/x", "/ad/99999999", "/r"]
)
def test_what_is_not_there_is_missing(kind: type[Site], path: str) -> None:
    assert get(site(kind), path).status == 404


def test_rules_for_robots() -> None:
    assert get(site(Gazette), "/robots.txt").body == (
        b"User-agent: *\nDisallow: /drafts/\nDisallow: /search\nCrawl-delay: 0.25\n"
    )
    assert get(site(Weather), "/robots.txt").status == 404
    statuses = {get(site(Mirror), "/robots.txt", NOW + timedelta(seconds=30 * number)).status for number in range(4)}
    assert statuses == {200, 503}


def test_the_market_wants_to_be_left_alone_now_and_then() -> None:
    statuses = [get(site(Market), "/prices/spices", visits=visits).status for visits in range(18)]
    assert statuses.count(429) == 2
    busy = get(site(Market), "/prices/spices", visits=8)
    assert busy.headers == (("retry-after", "2"),)
    assert all(offer.cents > 0 for group in GOODS for offer in Market(Chance("7")).offers(group, NOW))


def test_the_agora_drops_what_is_over_and_knows_nothing_of_what_comes_much_later() -> None:
    agora = Agora(Chance("7"))
    first, *_, last = agora.upcoming("theatre", NOW)
    assert first.starts > NOW
    assert get(site(Agora), f"/event/{first.number}").status == 200
    assert get(site(Agora), f"/event/{first.number}", NOW + timedelta(hours=1)).status == 410
    assert get(site(Agora), f"/event/{last.number + 400}").status == 404
    assert get(site(Agora), "/calendar/theatre").headers == (("location", "/events/theatre"),)
    assert b"?page=2" in get(site(Agora), "/events/theatre").body
    assert get(site(Agora), "/events/theatre", page="3").status == 404


def test_some_job_ads_have_no_licence_and_some_are_for_people_only() -> None:
    jobs = Jobs(Chance("7"))
    ads = [jobs.ad(number) for number in range(300)]
    assert 60 < sum(1 for ad in ads if not ad.licence) < 240
    private = next(ad for ad in jobs.open_ads("software", NOW) + jobs.open_ads("health", NOW) if ad.is_for_people_only)
    assert b'content="noai' in get(site(Jobs), f"/ad/{private.number}").body


def test_the_library_has_broken_pages_and_a_compressed_sitemap() -> None:
    assert b"<loc>" in gzip.decompress(get(site(Library), "/sitemaps/nature.xml.gz").body)
    pages = b"".join(get(site(Library), f"/book/{number}").body for number in (2, 102, 202))
    with pytest.raises(UnicodeDecodeError):
        pages.decode()
    assert b"</html>" not in get(site(Library), "/book/5").body
    assert b"isbn" not in get(site(Library), "/book/7").body
    assert get(site(Library), "/id/4").status == 308


def test_the_gazettes_feeds_have_blemishes() -> None:
    feed = get(site(Gazette), "/city/feed.xml").body.decode("iso-8859-1")
    assert feed.count("<item>") == feed.count("<guid") + 1 == 11
    assert "yesterday, late" in feed
    assert len(msgspec.json.decode(get(site(Gazette), "/science/feed.json").body)["items"]) == 10


def test_chance_is_even_enough_and_ticks_are_exact() -> None:
    numbers = [Chance("7").number(10, "x", number) for number in range(2_000)]
    assert all(140 < numbers.count(digit) < 260 for digit in range(10))
    assert tick_began(tick(NOW, 420, 13), 420, 13) <= NOW < tick_began(tick(NOW, 420, 13) + 1, 420, 13)
