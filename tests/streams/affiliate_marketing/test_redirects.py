"""Links as visitors, bots and publishers see them: real HTTP on loopback."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from streams.affiliate_marketing.caps import Cap
from streams.affiliate_marketing.destination import FarPath
from streams.affiliate_marketing.stream import SecretMissing
from streams.far_sides import FarSide
from tests.streams.affiliate_marketing.agencies import CAPPED, CHROME, offer, open_agency, settings


async def test_a_click_is_redirected_to_the_stored_destination_with_its_id(tmp_path: Path) -> None:
    async with open_agency(tmp_path) as agency:
        visit = await agency.visit()
        assert visit.status == 302
        assert visit.headers["cache-control"] == "no-store"
        assert visit.location == f"https://shop.example/kettles?ref=us&clid={visit.click_id}"
        assert visit.click_id is not None
        assert len(visit.click_id) == 22
        assert agency.stream.funnel()["unique"] == 1


async def test_nothing_in_a_request_changes_where_it_leads(tmp_path: Path) -> None:
    async with open_agency(tmp_path) as agency:
        for query in (
            "?url=https://evil.example",
            "?clid=mine",
            "?s1=a%0d%0aSet-Cookie:x",
            "?s1=%2F%2Fevil",
            "?s1=a&s1=b",
        ):
            visit = await agency.visit("/c/kettle" + query, agent=CHROME + query)
            base = f"https://shop.example/kettles?ref=us&clid={visit.click_id}"
            assert visit.location in (base, base + "&pub1=b")
            assert "set-cookie" not in visit.headers


async def test_allowed_sub_ids_are_passed_on(tmp_path: Path) -> None:
    async with open_agency(tmp_path) as agency:
        visit = await agency.visit("/c/kettle?s1=newsletter-7&other=x")
        assert visit.location.endswith(f"clid={visit.click_id}&pub1=newsletter-7")


async def test_an_unknown_code_is_404_and_another_method_405(tmp_path: Path) -> None:
    async with open_agency(tmp_path) as agency:
        for path in ("/c/nothing", "/c/", "/c/kettle/more", "/c/%2e%2e", "/nothing"):
            assert (await agency.visit(path)).status == 404
        assert (await agency.visit(method="POST")).status == 405
        assert agency.stream.funnel()["unique"] == 0


NO_CLICKS: list[tuple[str | None, dict[str, str], str, str]] = [
    ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", {}, "GET", "bot"),
    ("curl/8.5.0", {}, "GET", "bot"),
    ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/120.0.0.0 Safari/537.36", {}, "GET", "bot"),
    (CHROME + "x" * 600, {}, "GET", "bot"),
    (None, {}, "GET", "no_agent"),
    (CHROME, {"sec_purpose": "prefetch;prerender"}, "GET", "prefetch"),
    (CHROME, {"purpose": "Prefetch"}, "GET", "prefetch"),
    (CHROME, {}, "HEAD", "head"),
]


async def test_what_is_no_click_is_redirected_without_an_id_and_not_counted(tmp_path: Path) -> None:
    async with open_agency(tmp_path) as agency:
        for agent, headers, method, _ in NO_CLICKS:
            visit = await agency.visit(agent=agent, method=method, **headers)
            assert (visit.status, visit.location) == (302, "https://shop.example/kettles?ref=us"), (agent, headers)
        funnel = agency.stream.funnel()
        assert (funnel["gross"], funnel["unique"]) == (len(NO_CLICKS), 0)
        for reason, count in Counter(reason for *_, reason in NO_CLICKS).items():
            assert funnel[f"filtered_{reason}"] == count


async def test_a_visitor_clicks_once_an_hour_and_gets_the_same_id_until_then(tmp_path: Path) -> None:
    async with open_agency(tmp_path) as agency:
        first = await agency.click()
        same = await asyncio.gather(*(agency.click() for _ in range(5)))
        assert set(same) == {first}
        agency.time = agency.time.replace(hour=agency.time.hour + 1)
        assert await agency.click() != first
        funnel = agency.stream.funnel()
        assert (funnel["unique"], funnel["duplicates"]) == (2, 5)


async def test_simultaneous_clicks_of_one_visitor_are_one(tmp_path: Path) -> None:
    async with open_agency(tmp_path) as agency:
        assert len(set(await asyncio.gather(*(agency.click() for _ in range(50))))) == 1
        assert agency.stream.funnel()["unique"] == 1


async def test_of_200_concurrent_clicks_at_a_cap_of_100_exactly_100_are_counted(tmp_path: Path) -> None:
    async with open_agency(tmp_path, CAPPED) as agency:
        visits = await asyncio.gather(*(agency.visit(agent=f"{CHROME} v{number}") for number in range(200)))
        hosts = Counter(visit.location.split("/")[2] for visit in visits)
        assert hosts == {"shop.example": 100, "rest.example": 100}
        assert agency.stream.describe()["clicks"] == {"capped": 100, "rest": 100}
    async with open_agency(tmp_path, CAPPED) as agency:
        assert (await agency.visit(agent="Firefox")).location.startswith("https://rest.example/")


async def test_without_a_fallback_a_full_offer_says_so(tmp_path: Path) -> None:
    async with open_agency(tmp_path, settings({"kettles": offer(cap=Cap(day=1))})) as agency:
        assert (await agency.visit(agent="Firefox")).status == 302
        visit = await agency.visit(agent="Safari")
        assert (visit.status, visit.location) == (410, "")
        assert visit.headers["content-type"].startswith("text/html")
        agency.time = agency.time.replace(day=agency.time.day + 1)
        assert (await agency.visit(agent="Safari")).status == 302


async def test_links_are_public(tmp_path: Path) -> None:
    async with open_agency(tmp_path) as agency, agency.session.get(agency.url + "/links.json") as response:
        assert await response.json() == {
            "items": [
                {"code": "kettle", "url": f"{agency.url}/c/kettle", "title": "The kettle", "merchant": "Hearthside"}
            ]
        }


async def test_a_far_sides_address_is_resolved_at_the_start(tmp_path: Path) -> None:
    far = settings({"kettles": offer(destination=FarPath("network.acme", "/m/{instance}/kettles"))})
    there = FarSide("network.acme", "http://127.0.0.1:4711")
    async with open_agency(tmp_path, far, far_sides=(there,)) as agency:
        visit = await agency.visit()
        assert visit.location == f"http://127.0.0.1:4711/m/affiliate_marketing-001/kettles?clid={visit.click_id}"
    with pytest.raises(SecretMissing, match=r"no far side 'network\.acme'"):
        async with open_agency(tmp_path, far):
            pass


async def test_health_and_pause(tmp_path: Path) -> None:
    async with open_agency(tmp_path) as agency:
        assert (await agency.visit("/healthz")).status == 200
        agency.stream.pause()
        assert (await agency.visit()).status == 503
        agency.stream.resume()
        assert (await agency.visit()).status == 302
