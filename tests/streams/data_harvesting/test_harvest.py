"""Real streams harvest the paper world's sites, on real sockets and with the real ledger."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from structlog.testing import capture_logs

from streams.data_harvesting import harvester
from streams.data_harvesting.blueprint import BUSINESSES
from streams.data_harvesting.datasets.current import Current
from streams.data_harvesting.settings import DataHarvestingSettings
from streams.sandbox.sites.site import SiteAnswer
from streams.sandbox.sites.world import SITES
from tests.streams.contexts import open_commons
from tests.streams.data_harvesting.bench import Customer, Time, open_customer, open_instance
from tests.streams.ledgers import open_ledger
from tests.streams.sandbox.sites.bench import OpenSites, open_sites

BY_TITLE = {business.title: business for business in BUSINESSES}


@pytest.fixture(autouse=True)
def _short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clocks are turned here: who rests looks at them often."""
    monkeypatch.setattr(harvester, "_SHORTEST_REST_S", 0.02)
    monkeypatch.setattr(harvester, "_LONGEST_REST_S", 0.05)
    monkeypatch.setattr(harvester, "_AFTER_FAILURE_S", 0.05)


@pytest.fixture
def quick_sites(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sites that ask for no delay: for tests of what becomes of pages."""
    for site in SITES:
        monkeypatch.setattr(site, "crawl_delay_s", None)


def business(title: str, **changes: Any) -> tuple[str, DataHarvestingSettings]:
    """Return the name of a business's dataset, and its settings."""
    settings = BY_TITLE[title]
    (name,) = settings.datasets
    recipe = msgspec.structs.replace(settings.datasets[name], **changes)
    fetch = msgspec.structs.replace(settings.fetch, min_delay_s=0.01)
    return name, msgspec.structs.replace(settings, datasets={name: recipe}, version_every_s=0.0, fetch=fetch)


@asynccontextmanager
async def open_fleet(directory: Path, sites: OpenSites, *titles: str) -> AsyncIterator[list[tuple[str, Customer]]]:
    """Start one instance per business; they share ledger and fetcher, as in a process."""
    async with AsyncExitStack() as stack:
        bench = await stack.enter_async_context(open_ledger(directory))
        commons = await stack.enter_async_context(open_commons())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        fleet = []
        for number, title in enumerate(titles):
            name, settings = business(title)
            instance = open_instance(
                directory,
                settings,
                sites,
                bench=bench,
                commons=commons,
                session=session,
                instance=f"data_harvesting-{number:03d}",
            )
            fleet.append((name, await stack.enter_async_context(instance)))
        yield fleet


async def test_a_fleet_harvests_all_sites_politely_and_sells_what_may_be_sold(tmp_path: Path) -> None:
    titles = (
        *("Gazette Full Text", "City Wire", "Spice Ticker", "Grain Board"),
        *("Gig List", "Dev Openings", "Hill Report", "Shelf Data"),
    )
    async with open_sites(tmp_path) as sites, open_fleet(tmp_path, sites, *titles) as fleet:
        newest = {}
        for title, (name, customer) in zip(titles, fleet, strict=True):
            newest[title] = (await customer.versions(name))[0]
            key = await customer.key()
            reply = await customer.ask(f"/v1/datasets/{name}/latest", key, idempotency_key="first")
            assert (reply.status, len(reply.records())) == (200, newest[title]["records"])
            assert all(record["_licence"] and record["_source"] for record in reply.records())
        bookings = await fleet[0][1].bench.entries()
        assert {entry.instance for entry in bookings} == {f"data_harvesting-{number:03d}" for number in range(8)}

        assert newest["Gazette Full Text"]["licences"] == {"CC-BY-4.0": 10}
        assert newest["Dev Openings"]["withheld"].keys() <= {"unknown_licence", "noai"}
        assert newest["Dev Openings"]["records"] + sum(newest["Dev Openings"]["withheld"].values()) == 9
        assert newest["Shelf Data"]["records"] == 7  # one without its number, one cut short
        assert newest["Spice Ticker"]["records"] == 8
        funnels = {title: customer.stream.funnel() for title, (_, customer) in zip(titles, fleet, strict=True)}
        assert funnels["Shelf Data"]["rejected_missing"] == 2
        assert funnels["City Wire"]["rejected_entry_duplicate"] == 1
        assert funnels["Gazette Full Text"]["disallowed"] == 1
        assert list(funnels["Gig List"])[:4] == ["seen", "fetched", "not_modified", "disallowed"]
        assert funnels["Gig List"]["sold"] == 1

        assert sites.violations() == {}
        for site, paths in ((site, sites.paths(site)) for site in sites.servers):
            most = 2 if site == "agora" else 1  # its lists have two pages, which the log takes for one
            assert max(Counter(paths).values(), default=0) <= most, (site, paths)


async def test_what_changes_becomes_a_version_and_what_does_not_is_asked_for_conditionally(tmp_path: Path) -> None:
    time = Time()
    name, settings = business("Grain Board")
    async with (
        open_sites(tmp_path, ["market"], now=time.now) as sites,
        open_customer(tmp_path, settings, sites, now=time.now) as customer,
    ):
        await customer.versions(name)
        async with asyncio.timeout(20):
            while len(customer.stream._datasets[name].manifests) < 2:
                time.skip(120)
                await asyncio.sleep(0.1)
        versions = await customer.versions(name, 2)
        assert versions[0]["changes"]["changed"] > 0
        assert versions[0]["changes"]["added"] == versions[0]["changes"]["removed"] == 0
        log = sites.servers["market"].watch.log
        assert [each.is_conditional for each in log if each.path != "/robots.txt"][:2] == [False, True]
        assert sites.paths("market", robots=True).count("/robots.txt") == 1


@pytest.mark.usefixtures("quick_sites")
async def test_what_a_site_does_not_want_sold_any_more_is_not_in_the_next_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time()
    name, settings = business("Grain Board")
    async with (
        open_sites(tmp_path, ["market"], now=time.now) as sites,
        open_customer(tmp_path, settings, sites, now=time.now) as customer,
    ):
        market = sites.servers["market"].site
        first, page = time.now(), market.page
        monkeypatch.setattr(market, "page", lambda path, query, _, visits: page(path, query, first, visits))
        assert (await customer.versions(name))[0]["sellable"]
        signal = SiteAnswer(media_type="text/plain", body=b"User-agent: *\nContent-Signal: ai-train=no\n")
        monkeypatch.setattr(market, "robots", lambda _: signal)
        time.skip(25 * 3600)  # past the life of its robots.txt
        (newest, before) = await customer.versions(name, 2)
        assert newest["withheld"] == {"content_signal": before["records"]}
        assert not newest["sellable"]


@pytest.mark.usefixtures("quick_sites")
async def test_what_is_over_is_taken_out_of_the_dataset(tmp_path: Path) -> None:
    time = Time()
    name, settings = business("Curtain Call")
    async with (
        open_sites(tmp_path, ["agora"], now=time.now) as sites,
        open_customer(tmp_path, settings, sites, now=time.now) as customer,
    ):
        await customer.versions(name)
        key = await customer.key()
        before = {each["id"] for each in (await customer.ask(f"/v1/datasets/{name}/1", key)).records()}
        time.skip(7 * 3600)
        await customer.until(lambda: customer.stream.funnel()["gone"] >= 8)
        await customer.until(lambda: customer.stream.funnel()["versions"] >= 2)
        async with asyncio.timeout(10):
            while before & await ids(customer, name, key):
                await asyncio.sleep(0.05)
        assert sites.violations() == {}


async def ids(customer: Customer, name: str, key: str) -> set[int]:
    return {each["id"] for each in (await customer.ask(f"/v1/datasets/{name}/latest", key)).records()}


@pytest.mark.usefixtures("quick_sites")
async def test_a_crawl_that_is_killed_and_restarted_fetches_nothing_twice_without_need(tmp_path: Path) -> None:
    name, settings = business("Dev Openings")
    async with open_sites(tmp_path, ["jobs"]) as sites:
        for wanted in (3, 6):
            async with open_customer(tmp_path, settings, sites) as customer:
                await customer.until(lambda wanted=wanted: len(sites.paths("jobs")) >= wanted)  # type: ignore[misc]
        async with open_customer(tmp_path, settings, sites) as customer:
            (version,) = await customer.versions(name)
            assert version["records"] + sum(version["withheld"].values()) == 9
        # What was under way at a kill may be asked for again: one page for each.
        paths = sites.paths("jobs")
        assert len(paths) - len(set(paths)) <= 2
        assert len(set(paths)) == 10
        assert sites.paths("jobs", robots=True).count("/robots.txt") == 1


async def test_a_finished_crawl_asks_for_nothing_after_a_restart(tmp_path: Path) -> None:
    name, settings = business("Grain Board")
    async with open_sites(tmp_path, ["market"]) as sites:
        async with open_customer(tmp_path, settings, sites) as customer:
            await customer.versions(name)
        asked = sites.paths("market", robots=True)
        async with open_customer(tmp_path, settings, sites) as customer:
            assert (await customer.versions(name))[0]["version"] == 1
            await asyncio.sleep(0.3)
        assert sites.paths("market", robots=True) == asked


async def test_a_site_that_wants_to_be_left_alone_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.sandbox.sites.market._BUSY_S", 1)
    name, settings = business("Spice Ticker")
    async with open_sites(tmp_path, ["market"]) as sites:
        sites.servers["market"].watch._visits["/prices/spices"] = 8  # the ninth visit is one too many
        async with open_customer(tmp_path, settings, sites) as customer:
            assert (await customer.versions(name))[0]["records"] == 8
            assert customer.stream.funnel()["fetch_failed_throttled"] == 1
        assert [each.status for each in sites.servers["market"].watch.log if each.robot][1:] == [429, 200]
        assert sites.violations() == {}


async def test_other_recipes_begin_anew(tmp_path: Path) -> None:
    name, settings = business("Grain Board")
    _, other = business("Grain Board", item="tr.offer:first-child")
    async with open_sites(tmp_path, ["market"]) as sites:
        async with open_customer(tmp_path, settings, sites) as customer:
            await customer.versions(name)
        async with open_customer(tmp_path, other, sites) as customer:
            assert (await customer.versions(name, 2))[0]["records"] == 1
            assert len(list(customer.directory.glob("frontier-*.sqlite3"))) == 1


async def test_it_waits_for_a_site_that_is_not_known_yet_and_serves_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.data_harvesting.stream._LOOK_FOR_SITES_S", 0.02)
    name, settings = business("Grain Board")
    with capture_logs() as logs:
        async with open_sites(tmp_path, []) as none, open_customer(tmp_path, settings, none) as customer:
            await customer.until(lambda: "site.market" in customer.stream.health().detail)
            assert customer.stream.health().ready
            assert (await customer.ask("/v1/datasets")).json()["items"][0]["versions"] == []
            async with open_sites(tmp_path, ["market"]) as sites:
                far_side = sites.far_sides.find("site.market")
                assert far_side is not None
                none.far_sides.add(far_side)
                await customer.versions(name)
                assert customer.stream.health().detail == ""
    assert [log["event"] for log in logs].count("harvest.site_unknown") == 1


async def test_an_address_on_this_machine_is_refused_unless_the_settings_allow_it(tmp_path: Path) -> None:
    async with open_sites(tmp_path, ["market"]) as sites:
        name, settings = business("Grain Board", pages=(f"{sites.url('market')}/prices/grain",))
        async with open_customer(tmp_path, settings) as customer:
            await customer.until(lambda: any(reason.startswith("not_fetched") for reason in customer.stream.funnel()))
        assert sites.paths("market", robots=True) == []
        fetch = msgspec.structs.replace(settings.fetch, allow_private=(sites.url("market").removeprefix("http://"),))
        allowed = msgspec.structs.replace(settings, fetch=fetch)
        async with open_customer(tmp_path, allowed) as customer:
            assert (await customer.versions(name))[0]["records"] == 8


async def test_a_paused_instance_visits_nobody(tmp_path: Path) -> None:
    name, settings = business("Grain Board")
    async with (
        open_sites(tmp_path, ["market"]) as sites,
        open_customer(tmp_path, settings, sites, runs=False) as customer,
    ):
        customer.stream.pause()
        running = asyncio.create_task(customer.stream.run())
        try:
            await asyncio.sleep(0.3)
            assert sites.paths("market", robots=True) == []
            customer.stream.resume()
            await customer.versions(name)
        finally:
            running.cancel()
            await asyncio.wait((running,))


async def test_while_the_disk_is_full_nothing_is_lost_and_it_goes_on_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time()
    name, settings = business("Grain Board")
    full = 2
    really = Current.absorb

    def absorb(current: Current, *args: Any) -> Any:
        nonlocal full
        if full:
            full -= 1
            raise sqlite3.OperationalError("database or disk is full")
        return really(current, *args)

    monkeypatch.setattr(Current, "absorb", absorb)
    with capture_logs() as logs:
        async with (
            open_sites(tmp_path, ["market"]) as sites,
            open_customer(tmp_path, settings, sites, now=time.now) as customer,
        ):
            async with asyncio.timeout(10):
                while customer.stream._datasets[name].newest is None:
                    time.skip(5)
                    await asyncio.sleep(0.02)
            assert (await customer.versions(name))[0]["records"] == 8
            assert full == 0
    assert "harvest.visit_failed" in [log["event"] for log in logs]
