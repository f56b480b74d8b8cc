from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime

import pytest

from streams.data_harvesting.fetching.client import FetchClient
from streams.data_harvesting.fetching.fetcher import Fetcher
from streams.data_harvesting.fetching.outcome import FetchFailed, FetchRefused, Gone, Validators
from streams.data_harvesting.fetching.robots_cache import MAX_AGE
from tests.streams.data_harvesting.fetching.conftest import Clock, Memory, policy_for
from tests.streams.data_harvesting.fetching.sites import Request, Site, answer, html, serving


async def failed(fetcher: Fetcher, url: str) -> FetchFailed:
    with pytest.raises(FetchFailed) as caught:
        await fetcher.fetch(url)
    return caught.value


async def refused(fetcher: Fetcher, url: str) -> str:
    with pytest.raises(FetchRefused) as caught:
        await fetcher.fetch(url)
    return caught.value.reason


async def test_a_page_comes_with_all_that_is_needed_to_know_where_it_is_from(site: Site, fetcher: Fetcher) -> None:
    site.robots("License: https://a.com/l\nUser-agent: *\nContent-Signal: ai-train=no\nDisallow: /x")
    site.answers["/p"] = answer(
        200,
        gzip.compress(b"<p>hello"),
        content_type="text/html; charset=UTF-8",
        content_encoding="gzip",
        etag='W/"7"',
        last_modified="Sun, 06 Nov 1994 08:49:37 GMT",
        x_robots_tag="noai",
    )
    page = await fetcher.fetch(f"{site.url}/p#part")
    assert page.body == b"<p>hello"
    assert (page.media_type, page.charset, page.status, page.unchanged) == ("text/html", "utf-8", 200, False)
    assert page.final_url == f"{site.url}/p"
    assert page.headers["x-robots-tag"] == "noai"
    assert page.validators == Validators(f"{site.url}/p", 'W/"7"', "Sun, 06 Nov 1994 08:49:37 GMT", page.terms.digest)
    assert page.terms.licenses == ("https://a.com/l",)
    assert page.terms.content_signals == {"ai-train": "no"}
    assert site.paths == ["/robots.txt", "/p"]
    assert site.requests[1].headers["user-agent"] == "AutomateHarvester/1.0"


async def test_a_page_is_asked_for_again_only_if_it_changed(site: Site, fetcher: Fetcher) -> None:
    site.answers["/p"] = answer(304, etag='"7"', content_length="")
    known = Validators(f"{site.url}/p", '"7"', "Sun, 06 Nov 1994 08:49:37 GMT")
    page = await fetcher.fetch(f"{site.url}/p", validators=known)
    assert page.unchanged
    assert page.body == b""
    sent = site.requests[-1].headers
    assert sent["if-none-match"] == '"7"'
    assert sent["if-modified-since"] == "Sun, 06 Nov 1994 08:49:37 GMT"


async def test_validators_of_one_url_are_not_sent_to_another(site: Site, fetcher: Fetcher) -> None:
    site.answers["/p"] = html()
    await fetcher.fetch(f"{site.url}/p", validators=Validators(f"{site.url}/other", '"7"'))
    assert "if-none-match" not in site.requests[-1].headers


async def test_under_other_terms_of_its_site_a_page_is_read_anew(site: Site, fetcher: Fetcher, clock: Clock) -> None:
    site.answers["/p"] = html(etag='"7"')
    known = (await fetcher.fetch(f"{site.url}/p")).validators
    await fetcher.fetch(f"{site.url}/p", validators=known)
    assert site.requests[-1].headers["if-none-match"] == '"7"'
    site.robots("User-agent: *\nContent-Signal: ai-train=no\n")
    clock.advance(24 * 3600)
    page = await fetcher.fetch(f"{site.url}/p", validators=known)
    assert "if-none-match" not in site.requests[-1].headers
    await fetcher.fetch(f"{site.url}/p", validators=page.validators)
    assert site.requests[-1].headers["if-none-match"] == '"7"'


async def test_a_304_that_was_not_asked_for_is_nonsense(site: Site, fetcher: Fetcher) -> None:
    site.answers["/p"] = answer(304, content_length="")
    assert (await failed(fetcher, f"{site.url}/p")).reason == "protocol"


@pytest.mark.parametrize("status", [404, 410])
async def test_what_is_gone_is_told_apart_from_what_failed(site: Site, fetcher: Fetcher, status: int) -> None:
    site.answers["/p"] = answer(status)
    with pytest.raises(Gone) as caught:
        await fetcher.fetch(f"{site.url}/p")
    assert caught.value.status == status


async def test_only_kinds_that_were_asked_for_are_taken(site: Site, fetcher: Fetcher) -> None:
    site.answers["/image"] = answer(200, b"x", content_type="image/png")
    site.answers["/vague"] = answer(200, b"\x89PNG\r\n")
    site.answers["/page"] = answer(200, b"<!doctype html><p>")
    for path in ("/image", "/vague"):
        with pytest.raises(FetchRefused, match="media_type|image/png"):
            await fetcher.fetch(f"{site.url}{path}", accept=("text/html",))
    assert (await fetcher.fetch(f"{site.url}/page", accept=("text/html",))).media_type == "text/html"


# -- robots.txt -----------------------------------------------------------------------------------------------


async def test_what_robots_txt_disallows_is_not_asked_for(site: Site, fetcher: Fetcher) -> None:
    site.robots("User-agent: *\nDisallow: /private")
    assert await refused(fetcher, f"{site.url}/private/x") == "robots"
    assert site.paths == ["/robots.txt"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418, 451, 499])
async def test_a_robots_txt_that_is_not_there_allows_everything(site: Site, fetcher: Fetcher, status: int) -> None:
    site.answers["/robots.txt"] = answer(status, b"User-agent: *\nDisallow: /")
    site.answers["/p"] = html()
    assert (await fetcher.fetch(f"{site.url}/p")).status == 200


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599, 429])
async def test_a_robots_txt_that_cannot_be_had_disallows_everything(
    site: Site, fetcher: Fetcher, clock: Clock, status: int
) -> None:
    site.answers["/robots.txt"] = answer(status)
    site.answers["/p"] = html()
    error = await failed(fetcher, f"{site.url}/p")
    assert error.reason == "robots_unreachable"
    assert error.retry_at is not None
    assert error.retry_at > clock.now()
    assert "/p" not in site.paths
    # It is asked for again once that is over, and then counts.
    site.robots("User-agent: *\nDisallow: /x")
    clock.advance(4000)
    assert (await fetcher.fetch(f"{site.url}/p")).status == 200


async def test_a_site_that_hangs_up_on_its_robots_txt_disallows_everything(site: Site, fetcher: Fetcher) -> None:
    site.answers["/robots.txt"] = b""
    site.answers["/p"] = html()
    assert (await failed(fetcher, f"{site.url}/p")).reason == "robots_unreachable"


async def test_redirects_of_robots_txt_are_followed_to_other_sites_up_to_five(
    site: Site, fetcher_for: Callable[..., Fetcher]
) -> None:
    async with serving() as other:
        site.answers["/robots.txt"] = answer(301, location="/1")
        site.answers["/1"] = answer(302, location="/2")
        site.answers["/2"] = answer(307, location="/3")
        site.answers["/3"] = answer(308, location=f"{other.url}/4")
        other.answers["/4"] = answer(303, location="/5")
        other.answers["/5"] = answer(200, b"User-agent: *\nDisallow: /p")
        fetcher = fetcher_for(site, other)
        assert await refused(fetcher, f"{site.url}/p") == "robots"
        assert other.paths == ["/4", "/5"]  # and what it says holds for the site that was asked


async def test_more_redirects_than_five_are_as_if_there_were_no_robots_txt(site: Site, fetcher: Fetcher) -> None:
    site.answers["/robots.txt"] = answer(302, location="/1")
    for number in range(1, 9):
        site.answers[f"/{number}"] = answer(302, location=f"/{number + 1}")
    site.answers["/p"] = html()
    assert (await fetcher.fetch(f"{site.url}/p")).status == 200
    assert site.count("/6") == 0


async def test_a_robots_txt_that_redirects_inside_disallows_everything(site: Site, fetcher: Fetcher) -> None:
    site.answers["/robots.txt"] = answer(302, location="http://169.254.169.254/robots.txt")
    site.answers["/p"] = html()
    assert (await failed(fetcher, f"{site.url}/p")).reason == "robots_unreachable"


async def test_an_endless_robots_txt_is_read_up_to_its_limit(site: Site, fetcher: Fetcher) -> None:
    async def endless(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(200, b"User-agent: *\nDisallow: /private\n", content_length=""))
        while True:
            writer.write(b"# and so on\n" * 1000)
            await writer.drain()

    site.answers["/robots.txt"] = endless
    site.answers["/p"] = html()
    assert (await fetcher.fetch(f"{site.url}/p")).status == 200
    assert await refused(fetcher, f"{site.url}/private") == "robots"


async def test_robots_txt_is_kept_for_a_day_and_no_longer(site: Site, fetcher: Fetcher, clock: Clock) -> None:
    site.robots("User-agent: *\nAllow: /")
    site.answers["/p"] = html()
    await fetcher.fetch(f"{site.url}/p")
    clock.advance(MAX_AGE.total_seconds() - 1)
    await fetcher.fetch(f"{site.url}/p")
    assert site.count("/robots.txt") == 1
    clock.advance(2)
    await fetcher.fetch(f"{site.url}/p")
    assert site.count("/robots.txt") == 2


async def test_robots_txt_is_kept_shorter_where_its_site_says_so(site: Site, fetcher: Fetcher, clock: Clock) -> None:
    site.answers["/robots.txt"] = answer(200, b"", cache_control="public, max-age=600")
    site.answers["/p"] = html()
    for advance_s in (0, 599, 2):
        clock.advance(advance_s)
        await fetcher.fetch(f"{site.url}/p")
    assert site.count("/robots.txt") == 2


async def test_each_port_has_a_robots_txt_of_its_own(site: Site, fetcher_for: Callable[..., Fetcher]) -> None:
    async with serving() as other:
        site.robots("User-agent: *\nDisallow: /")
        other.answers["/p"] = html()
        fetcher = fetcher_for(site, other)
        assert await refused(fetcher, f"{site.url}/p") == "robots"
        assert (await fetcher.fetch(f"{other.url}/p")).status == 200


async def test_many_fetches_ask_for_robots_txt_once(site: Site, fetcher_for: Callable[..., Fetcher]) -> None:
    site.robots("User-agent: *\nAllow: /")
    fetcher = fetcher_for(site, concurrency_per_host=10)
    for number in range(10):
        site.answers[f"/{number}"] = html()
    await asyncio.gather(*(fetcher.fetch(f"{site.url}/{number}") for number in range(10)))
    assert site.count("/robots.txt") == 1


async def test_what_is_kept_of_robots_txt_is_bounded(
    site: Site, fetcher_for: Callable[..., Fetcher], client: FetchClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.data_harvesting.fetching.robots_cache._MAX_KEPT_BYTES", 5_000)
    async with serving() as second, serving() as third:
        for each in (site, second, third):
            each.robots("#" * 2_000)
            each.answers["/p"] = html()
            await fetcher_for(each).fetch(f"{each.url}/p")
        assert sum(len(record.body) for record in client.robots._records.values()) <= 5_000
    assert not client.robots._turns


async def test_what_is_remembered_of_robots_txt_is_not_asked_for_after_a_restart(
    site: Site, fetcher: Fetcher, clock: Clock, memory: Memory
) -> None:
    site.robots("User-agent: *\nDisallow: /x")
    site.answers["/p"] = html()
    await fetcher.fetch(f"{site.url}/p")
    again = FetchClient(clock.now, clock.monotonic)
    await again.start()
    try:
        restarted = Fetcher(lambda: again, policy_for(site), memory, clock.now)
        assert (await restarted.fetch(f"{site.url}/p")).status == 200
        assert await refused(restarted, f"{site.url}/x") == "robots"
    finally:
        await again.stop()
    assert site.count("/robots.txt") == 1


async def test_every_hop_of_a_redirect_is_under_its_sites_robots_txt(
    site: Site, fetcher_for: Callable[..., Fetcher]
) -> None:
    async with serving() as other:
        other.robots("User-agent: *\nDisallow: /secret")
        site.answers["/p"] = answer(302, location=f"{other.url}/secret")
        assert await refused(fetcher_for(site, other), f"{site.url}/p") == "robots"
        assert other.paths == ["/robots.txt"]


async def test_a_host_that_asks_for_too_long_a_delay_is_not_visited(
    site: Site, fetcher_for: Callable[..., Fetcher]
) -> None:
    site.robots("User-agent: *\nCrawl-delay: 100000\nDisallow: /x")
    assert await refused(fetcher_for(site), f"{site.url}/p") == "crawl_delay"


async def test_a_crawl_delay_is_kept_between_all_requests_robots_txt_included(
    site: Site, memory: Memory, clock: Clock
) -> None:
    loop = asyncio.get_running_loop()
    site.robots("User-agent: *\nCrawl-delay: 0.1\nDisallow: /x")
    site.answers["/a"] = answer(302, location="/b")
    site.answers["/b"] = html()
    client = FetchClient(clock.now, loop.time)
    await client.start()
    try:
        policy = policy_for(site, patience_s=10.0, concurrency_per_host=8)
        fetcher = Fetcher(lambda: client, policy, memory, clock.now)
        await asyncio.gather(*(fetcher.fetch(f"{site.url}/a") for _ in range(2)))
    finally:
        await client.stop()
    gaps = [later - earlier for earlier, later in zip(site.times, site.times[1:], strict=False)]
    assert len(gaps) == 4
    assert min(gaps) >= 0.1


# -- redirects ------------------------------------------------------------------------------------------------


async def test_redirects_are_followed_and_the_last_url_is_told(site: Site, fetcher: Fetcher) -> None:
    site.answers["/a"] = answer(301, location="b?x=1")
    site.answers["/b?x=1"] = html()
    page = await fetcher.fetch(f"{site.url}/a")
    assert page.url == f"{site.url}/a"
    assert page.final_url == f"{site.url}/b?x=1"


async def test_endless_redirects_end(site: Site, fetcher: Fetcher) -> None:
    async def further(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(302, location=f"{request.path}x"))

    for length in range(30):
        site.answers["/" + "x" * length] = further
    assert await refused(fetcher, f"{site.url}/") == "too_many_redirects"
    assert len(site.requests) == 1 + 6


async def test_a_circle_of_redirects_is_seen_as_one(site: Site, fetcher: Fetcher) -> None:
    site.answers["/a"] = answer(302, location="/b")
    site.answers["/b"] = answer(302, location="/a#again")
    assert await refused(fetcher, f"{site.url}/a") == "redirect_loop"


# -- pauses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date", "date of a wrong clock"])
async def test_a_host_that_asks_for_a_pause_gets_it_for_all_of_its_pages(
    site: Site, fetcher: Fetcher, clock: Clock, memory: Memory, status: int, form: str
) -> None:
    theirs = clock.now() + (timedelta(hours=5) if "wrong" in form else timedelta())
    until = format_datetime(theirs + timedelta(seconds=120), usegmt=True)
    date = format_datetime(theirs, usegmt=True) if "wrong" in form else ""
    site.answers["/busy"] = answer(status, retry_after="120" if form == "seconds" else until, date=date)
    site.answers["/p"] = html()
    error = await failed(fetcher, f"{site.url}/busy")
    assert (error.reason, error.status) == ("throttled", status)
    assert error.retry_at == clock.now() + timedelta(seconds=120)
    assert memory.pauses == {f"127.0.0.1:{site.port}": error.retry_at}
    clock.advance(119)
    assert (await failed(fetcher, f"{site.url}/p")).reason == "host_paused"
    assert site.count("/p") == 0
    clock.advance(2)
    assert (await fetcher.fetch(f"{site.url}/p")).status == 200


async def test_a_pause_is_bounded(site: Site, fetcher_for: Callable[..., Fetcher], clock: Clock) -> None:
    site.answers["/busy"] = answer(429, retry_after="999999999")
    error = await failed(fetcher_for(site, max_pause_s=600.0), f"{site.url}/busy")
    assert error.retry_at == clock.now() + timedelta(seconds=600)


async def test_without_a_word_on_how_long_pauses_grow(site: Site, fetcher: Fetcher, clock: Clock) -> None:
    site.answers["/busy"] = answer(429)
    pauses = []
    for _ in range(3):
        error = await failed(fetcher, f"{site.url}/busy")
        assert error.retry_at is not None
        pauses.append((error.retry_at - clock.now()).total_seconds())
        clock.advance(pauses[-1])
    assert pauses == [5, 10, 20]


async def test_a_pause_of_one_host_is_none_of_another(site: Site, fetcher_for: Callable[..., Fetcher]) -> None:
    async with serving() as other:
        site.answers["/busy"] = answer(429, retry_after="500")
        other.answers["/p"] = html()
        fetcher = fetcher_for(site, other)
        await failed(fetcher, f"{site.url}/busy")
        assert (await fetcher.fetch(f"{other.url}/p")).status == 200


async def test_two_instances_share_the_pause_of_a_host(site: Site, client: FetchClient, clock: Clock) -> None:
    site.answers["/busy"] = answer(429, retry_after="500")
    site.answers["/p"] = html()
    one = Fetcher(lambda: client, policy_for(site), Memory(), clock.now)
    two = Fetcher(lambda: client, policy_for(site), Memory(), clock.now)
    await failed(one, f"{site.url}/busy")
    assert (await failed(two, f"{site.url}/p")).reason == "host_paused"


async def test_an_error_of_the_server_is_backed_off_from(site: Site, fetcher: Fetcher, clock: Clock) -> None:
    site.answers["/p"] = answer(500)
    error = await failed(fetcher, f"{site.url}/p")
    assert error.reason == "server_error"
    assert error.retry_at == clock.now() + timedelta(seconds=5)


async def test_an_error_of_ours_is_not_held_against_the_host(site: Site, fetcher: Fetcher) -> None:
    site.answers["/p"] = answer(403)
    site.answers["/q"] = html()
    assert (await failed(fetcher, f"{site.url}/p")).reason == "client_error"
    assert (await fetcher.fetch(f"{site.url}/q")).status == 200
