"""Sites on real sockets: conditional requests, redirects, ports, and being known."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from streams.sandbox.sites.world import SITES
from tests.streams.sandbox.sites.bench import open_sites


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_every_site_listens_and_is_known_while_it_does(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    async with open_sites(tmp_path) as sites:
        assert len({sites.url(kind.name) for kind in SITES}) == len(SITES)
        for kind in SITES:
            async with session.get(f"{sites.url(kind.name)}/") as response:
                assert response.status == 200
                assert "<!doctype html>" in await response.text()
        far_sides = sites.far_sides
    assert far_sides.all() == ()


async def test_what_a_visitor_has_is_not_sent_again(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    async with open_sites(tmp_path, ["gazette"]) as sites:
        url = f"{sites.url('gazette')}/culture/atom.xml"
        async with session.get(url) as response:
            headers, body = response.headers, await response.read()
        assert body
        conditions = (
            {"If-None-Match": headers["etag"]},
            {"If-None-Match": f'"other", W/{headers["etag"]}'},
            {"If-Modified-Since": headers["last-modified"]},
        )
        for condition in conditions:
            async with session.get(url, headers=condition) as response:
                assert (response.status, await response.read()) == (304, b"")
                assert response.headers["etag"] == headers["etag"]
        stale = {"If-None-Match": '"other"', "If-Modified-Since": headers["last-modified"]}
        async with session.get(url, headers=stale) as response:
            assert response.status == 200  # a tag counts before a date
        async with session.get(url, headers={"If-Modified-Since": "nonsense"}) as response:
            assert response.status == 200


async def test_a_taken_port_is_no_obstacle(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    async with open_sites(tmp_path, ["jobs"]) as first:
        port = int(first.url("jobs").rpartition(":")[2])
        async with open_sites(tmp_path, ["jobs"], ports={"jobs": port}) as second:
            assert second.url("jobs") != first.url("jobs")
    async with open_sites(tmp_path, ["jobs"], ports={"jobs": port}) as again:
        assert again.url("jobs").endswith(f":{port}")


async def test_redirects_missing_pages_and_the_log(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    async with open_sites(tmp_path, ["library"]) as sites:
        async with session.get(f"{sites.url('library')}/id/4", headers={"User-Agent": "SomeBot/1"}) as response:
            assert response.url.path == "/book/4"
        async with session.get(f"{sites.url('library')}/members/1", headers={"User-Agent": "SomeBot/1"}) as response:
            assert response.status == 404
        assert [(each.path, each.status, each.robot) for each in sites.servers["library"].watch.log] == [
            ("/id/4", 308, "SomeBot"),
            ("/book/4", 200, "SomeBot"),
            ("/members/1", 404, "SomeBot"),
        ]
        assert sites.violations()["library"]["disallowed"] == 1
