"""An instance as its readers, sponsors and members see it: real HTTP on loopback, booked in the real ledger."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from streams.content_monetization.actions import AddArticle, AlreadyThere, EndContract, NoSuchContract
from streams.content_monetization.article import NotAnArticle
from streams.content_monetization.statement import Statement
from streams.content_monetization.stream import JOURNAL_FILE, SIGNING_FILE, ContentMonetization
from streams.metering.selling import SellsByKey
from tests.streams.content_monetization.sites import (
    CHROME,
    FIREFOX,
    GOOGLEBOT,
    INSTANCE,
    NOW,
    contract,
    open_site,
    settings,
)

ARTICLE = """+++
title = "A note"
published = 2026-11-01
+++
Hello, <script>alert(1)</script> *you*. [Go](javascript:alert(1)) or [there](https://there.example/).
"""


async def test_a_view_that_is_beaconed_is_stated_and_booked_with_its_evidence(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        (token,) = await site.open()
        await site.see(token)
        await site.state()
        (entry,) = await site.bench.entries()
        assert (entry.kind, entry.amount, entry.state) == ("content.statement", "0.004", "posted")
        assert entry.evidence.kind == "contract.statement"
        booked = await site.bench.ref.ask(_find(entry.key), 5.0)
        assert booked is not None
        statement = msgspec.json.decode(booked.evidence.artefact, type=Statement)
        assert (statement.views, statement.milli, statement.units, statement.gross) == (1, 4_000_000, 4_000, 1)
        assert statement.terms.sponsor == "Acme"
        assert statement.terms_digest == statement.terms.digest
        assert len(statement.tokens) == 1
        site.check_sum()


def _find(key: str) -> object:
    from streams.booking import FindBooking

    return FindBooking("paper", key)


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/about", "text/html; charset=utf-8"),
        ("/articles/grind-first", "text/html; charset=utf-8"),
        ("/feed.xml", "application/rss+xml; charset=utf-8"),
        ("/atom.xml", "application/atom+xml; charset=utf-8"),
        ("/feed.json", "application/feed+json"),
        ("/sitemap.xml", "application/xml; charset=utf-8"),
        ("/robots.txt", "text/plain; charset=utf-8"),
        ("/ads.txt", "text/plain; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/beacon.js", "text/javascript; charset=utf-8"),
    ],
)
async def test_pages_and_files_are_served_and_not_sent_again_to_who_has_them(
    tmp_path: Path, path: str, media_type: str
) -> None:
    async with open_site(tmp_path) as site:
        reply = await site.ask(path)
        assert (reply.status, reply.headers["content-type"]) == (200, media_type)
        assert reply.headers["x-content-type-options"] == "nosniff"
        for condition in (
            {"if_none_match": reply.headers["etag"]},
            {"if_none_match": f'"other", {reply.headers["etag"]}'},
            {"if_modified_since": reply.headers["last-modified"]},
        ):
            again = await site.ask(path, **condition)
            assert (again.status, again.body) == (304, b"")
            assert again.headers["etag"] == reply.headers["etag"]
        assert (await site.ask(path, if_none_match='"other"')).status == 200
        assert (await site.ask(path, if_modified_since="nonsense")).status == 200
        head = await site.ask(path, method="HEAD")
        assert (head.status, head.body, head.headers["etag"]) == (200, b"", reply.headers["etag"])


async def test_html_forbids_scripts_but_its_own_and_pages_with_tokens_are_not_kept(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        page = await site.ask("/articles/grind-first")
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert page.headers["cache-control"] == "no-store"
        assert (await site.ask("/feed.xml")).headers["cache-control"] == "public, max-age=300"


async def test_text_is_sent_compressed_to_who_takes_it(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        plain = await site.ask("/feed.xml", accept_encoding="identity")
        packed = await site.ask("/feed.xml", accept_encoding="gzip")
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.body == plain.body
        assert int(packed.headers["content-length"]) < len(plain.body)


async def test_what_is_not_there_is_explained(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        for path in ("/articles/none", "/page/2", "/page/1", "/secret", "/articles/..%2f..%2fsecret"):
            reply = await site.ask(path)
            assert (reply.status, reply.headers["content-type"]) == (404, "application/problem+json")
        assert (await site.ask("/", method="POST")).status == 405
        assert (await site.ask("/healthz")).json() == {"status": "ok", "instance": INSTANCE}


async def test_bots_prefetches_own_traffic_and_data_centres_get_no_token_and_are_counted_by_reason(
    tmp_path: Path,
) -> None:
    async with open_site(tmp_path, settings(data_centres=("203.0.113.0/24",), behind_proxy=True)) as site:
        reader = {"x_forwarded_for": "192.0.2.7"}
        key = (await site.stream.create_key(own=True)).key
        for headers, reason in (
            ({"agent": GOOGLEBOT, **reader}, "bot"),
            ({"agent": "", **reader}, "bot"),
            ({"sec_purpose": "prefetch;prerender", **reader}, "prefetch"),
            ({"x_moz": "prefetch", **reader}, "prefetch"),
            ({"x_forwarded_for": "192.0.2.7, 203.0.113.9"}, "data_centre"),
            ({"x_forwarded_for": "not an address"}, "data_centre"),
            ({"authorization": f"Bearer {key}", **reader}, "own_traffic"),
            ({"x_own_traffic": "1", **reader}, "own_traffic"),
        ):
            (token,) = await site.open(**reader)
            before = site.counts("gross", f"filtered_{reason}")
            assert await site.open(**headers) == []
            assert site.counts("gross", f"filtered_{reason}") == (before[0] + 1, before[1] + 1)
            # Nor can they make something billable of a token that a reader got.
            await site.see(token, **headers)
            assert site.counts(f"filtered_{reason}") == (before[1] + 2,)
            await site.see(token, **reader)
        assert site.counts("billable") == (0,)
        site.check_sum()
        await site.state()
        assert await site.booked() == []


async def test_tokens_count_once_and_only_for_what_was_rendered(tmp_path: Path) -> None:
    async with open_site(tmp_path, settings(view_after_s=1.0)) as site:
        (hasty,) = await site.open()
        await site.see(hasty)
        (token,) = await site.open()
        site.pass_time(1.0)
        await site.see(token, token)
        await site.see(token)
        await site.see(token, agent=CHROME)
        await site.see(hasty)
        await site.see("forged", token[:-4] + "AAAA", "é")
        (late,) = await site.open()
        site.pass_time(901)
        await site.see(late)
        (unseen,) = await site.open()
        assert unseen
        assert site.counts("billable", "filtered_too_fast", "filtered_duplicate", "filtered_replayed") == (1, 1, 3, 1)
        assert site.counts("filtered_forged", "filtered_expired", "waiting") == (3, 1, 1)
        site.check_sum()


async def test_a_slot_that_is_never_seen_is_counted_as_not_rendered(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await site.open()
        site.pass_time(901)
        await site.state()
        assert site.counts("gross", "billable", "filtered_not_rendered", "waiting") == (1, 0, 1, 0)


async def test_a_click_cites_a_view_and_leads_to_the_stored_address_only(tmp_path: Path) -> None:
    async with open_site(tmp_path, settings(contract(kind="cpc", rate="0.25"))) as site:
        (token,) = await site.open()
        early = await site.click(token)
        assert (early.status, early.headers["location"]) == (302, "https://acme.example/landing?a=1&b=2")
        assert early.headers["cache-control"] == "no-store"
        await site.see(token)
        for agent in (CHROME, GOOGLEBOT, FIREFOX, FIREFOX):
            assert (await site.click(token, agent=agent)).status == 302
        assert (await site.click(token, sec_purpose="prefetch")).status == 302
        assert (await site.click("https:evil.example")).status == 404
        assert (await site.click(f"{token}?to=https://evil.example")).headers["location"].startswith("https://acme")
        assert site.counts("clicks", "clicks_billable", "clicks_not_rendered") == (8, 1, 1)
        assert site.counts("clicks_replayed", "clicks_bot", "clicks_duplicate") == (1, 1, 2)
        await site.state()
        assert await site.booked() == [("content.statement", "0.25")]


async def test_one_click_of_a_visitor_in_an_hour_is_billable(tmp_path: Path) -> None:
    async with open_site(tmp_path, settings(contract(kind="cpc", rate="0.25"))) as site:
        for _ in range(3):
            (token,) = await site.open()
            await site.see(token)
            await site.click(token)
        site.pass_time(3600)
        (token,) = await site.open()
        await site.see(token)
        await site.click(token)
        assert site.counts("clicks_billable", "clicks_duplicate") == (2, 2)


@pytest.mark.parametrize("limit", ["budget", "daily_budget"])
async def test_a_budget_holds_under_two_hundred_concurrent_impressions(tmp_path: Path, limit: str) -> None:
    terms = contract(rate="4.00", pacing="none", **{limit: "0.4019"})
    async with open_site(tmp_path, settings(terms)) as site:
        agents = [FIREFOX.replace("140.0", f"{number}.0") for number in range(200)]
        opened = await asyncio.gather(*(site.open(agent=agent) for agent in agents))
        await asyncio.gather(*(site.see(*tokens, agent=agent) for tokens, agent in zip(opened, agents, strict=True)))
        assert site.counts("gross", "billable", "filtered_over_cap") == (200, 100, 100)
        site.check_sum()
        await site.state()
        assert await site.booked() == [("content.statement", "0.40")]
        assert await site.open() == []
        site.pass_time(86_400)
        assert len(await site.open()) == (1 if limit == "daily_budget" else 0)


async def test_a_frequency_cap_holds_for_each_visitor_and_day(tmp_path: Path) -> None:
    async with open_site(tmp_path, settings(contract(visitor_daily=2))) as site:
        opened = [await site.open() for _ in range(4)]
        for tokens in opened:
            await site.see(*tokens)
        assert site.counts("billable", "filtered_over_frequency") == (2, 2)
        assert await site.open() == []
        assert len(await site.open(agent=CHROME)) == 1
        site.pass_time(86_400)
        assert len(await site.open()) == 1


async def test_who_sees_more_than_a_person_can_is_a_bot(tmp_path: Path) -> None:
    async with open_site(tmp_path, settings(visitor_views_minute=3)) as site:
        for _ in range(5):
            await site.see(*await site.open())
        assert site.counts("billable", "filtered_bot") == (3, 2)


async def test_a_beacon_is_bounded(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        assert (await site.ask("/b", method="POST", data=b"x" * 5000)).status == 413
        await site.see(*["x"] * 100)
        assert site.counts("filtered_forged") == (8,)


async def test_a_kill_before_the_journal_loses_what_was_not_booked_and_nothing_else(tmp_path: Path) -> None:
    async with open_site(tmp_path, kill=True) as site:
        (kept, lost) = [(await site.open())[0] for _ in range(2)]
        await site.see(kept)
        await site.stream._log.flush()
        await site.see(lost)
    async with open_site(tmp_path) as site:
        # What is in the journal cannot count again; what the kill took was never counted, and may.
        await site.see(kept, lost)
        assert site.counts("billable", "filtered_replayed") == (1, 1)
        await site.state()
        assert sum(float(amount or 0) for _, amount in await site.booked()) == pytest.approx(0.008)


async def test_a_kill_between_journal_and_booking_books_once(tmp_path: Path) -> None:
    async with open_site(tmp_path, kill=True) as site:
        await site.see(*await site.open())
        await site.stream._log.state()
        assert await site.booked() == []
    journal = (tmp_path / "instances" / INSTANCE / JOURNAL_FILE).read_bytes()
    for _ in range(3):
        # Killed again and again after the booking and before it is noted.
        (tmp_path / "instances" / INSTANCE / JOURNAL_FILE).write_bytes(journal)
        async with open_site(tmp_path, kill=True) as site:
            await site.state()
            assert await site.booked() == [("content.statement", "0.004")]


async def test_a_ledger_that_cannot_book_delays_statements_and_loses_none(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        site.bench.faults.fault = "unavailable"
        await site.see(*await site.open())
        await site.stream._log.state()
        stating = asyncio.create_task(site.state())
        while not site.bench.faults.submitted:
            await asyncio.sleep(0.001)
        stating.cancel()
        await asyncio.wait((stating,))
        assert await site.booked() == []
        site.bench.faults.clear()
        await site.state()
        assert await site.booked() == [("content.statement", "0.004")]
        assert site.stream.describe()["contracts"][0]["owed"] == "0.00"


async def test_a_full_disk_keeps_counting_and_books_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from streams.content_monetization import delivery_log

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    async with open_site(tmp_path) as site:
        with monkeypatch.context() as patch:
            patch.setattr(delivery_log, "append_events", full)
            await site.see(*await site.open())
            with pytest.raises(delivery_log.NotStored, match="No space left"):
                await site.state()
            assert await site.booked() == []
        await site.state()
        assert await site.booked() == [("content.statement", "0.004")]


async def test_a_journal_that_takes_nothing_for_long_ends_counting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streams.content_monetization import delivery_log

    monkeypatch.setattr(delivery_log, "MAX_PENDING", 1)
    async with open_site(tmp_path) as site:
        for _ in range(3):
            await site.see(*await site.open())
        assert site.counts("billable", "filtered_not_stored") == (1, 2)


async def test_a_fixed_contract_is_owed_for_periods_in_which_it_was_seen(tmp_path: Path) -> None:
    terms = contract(kind="fixed", rate="3.50", period="day")
    async with open_site(tmp_path, settings(terms)) as site:
        await site.see(*await site.open())
        await site.state()
        assert await site.booked() == []
        site.pass_time(12 * 3600)
        await site.state()
        assert await site.booked() == [("content.statement", "3.50")]
        site.pass_time(3 * 86_400)
        await site.state()
        assert await site.booked() == [("content.statement", "3.50")]
        # A clock that goes back does not sell a day twice.
        site.time = NOW
        await site.see(*await site.open())
        site.time = NOW + timedelta(days=1)
        await site.state()
        assert await site.booked() == [("content.statement", "3.50")]


async def test_an_ended_contract_is_billed_to_its_end_and_not_shown_again(tmp_path: Path) -> None:
    both = settings(contract("day-rate", kind="fixed", rate="24.00", period="day"), contract("mille"))
    async with open_site(tmp_path, both) as site:
        await site.see(*await site.open())
        assert (await site.stream.act(EndContract("day-rate")))["contract"] == "day-rate"
        assert (await site.stream.act(EndContract("mille")))["ended_at"] == NOW
        assert await site.open() == []
        with pytest.raises(NoSuchContract, match="there is none in force"):
            await site.stream.act(EndContract("mille"))
        await site.state()
        assert sorted(await site.booked()) == [("content.statement", "0.004"), ("content.statement", "12.00")]
    async with open_site(tmp_path, both) as site:
        assert await site.open() == []


async def test_in_the_live_book_a_sponsor_that_cannot_exist_is_not_shown(tmp_path: Path) -> None:
    real = contract("real", destination="https://www.acme-anvils.com/")
    async with open_site(tmp_path, settings(contract(), real), book="live") as site:
        for _ in range(4):
            (token,) = await site.open()
            await site.see(token)
        await site.state()
        assert await site.booked("live") == [("content.statement", "0.016")]
        assert await site.booked("paper") == []
        assert [each["id"] for each in site.stream.describe()["contracts"]] == ["real"]


async def test_what_was_delivered_on_former_terms_is_stated_on_them(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await site.see(*await site.open())
    async with open_site(tmp_path, settings(contract(rate="8.00"))) as site:
        await site.see(*await site.open())
        await site.state()
        assert await site.booked() == [("content.statement", "0.004"), ("content.statement", "0.008")]
    async with open_site(tmp_path, settings(contract("other"))) as site:
        await site.state()
        assert len(await site.booked()) == 2


async def test_an_article_for_members_is_charged_once_per_key(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        assert isinstance(site.stream, SellsByKey)
        key = (await site.stream.create_key(label="reader")).key
        teaser = await site.ask("/articles/three-cups-test")
        assert 'action="/members/three-cups-test"' in teaser.text
        assert "Break the crust" not in teaser.text
        assert teaser.tokens == []
        first = await site.ask("/members/three-cups-test", authorization=f"Bearer {key}")
        assert (first.status, first.headers["x-charge"]) == (200, "0.05 USD")
        assert "Break the crust" in first.text
        assert "no-store" in first.headers["cache-control"]
        again = await site.ask("/members/three-cups-test", authorization=f"Bearer {key}")
        by_form = await site.ask("/members/three-cups-test", method="POST", data=f"key={key}".encode())
        for reply in (again, by_form):
            assert (reply.status, reply.headers["x-receipt"]) == (200, first.headers["x-receipt"])
            assert reply.headers["idempotent-replayed"] == "true"
        assert await site.booked() == [("api.call", "0.05")]
        other = (await site.stream.create_key()).key
        await site.ask("/members/three-cups-test", authorization=f"Bearer {other}")
        assert await site.booked() == [("api.call", "0.05")] * 2
        assert (await site.ask("/v1/usage", authorization=f"Bearer {key}")).json()["spent"] == "0.05"


async def test_without_a_key_in_force_nobody_reads_for_free(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        made = await site.stream.create_key(credit="0.01")
        poor = await site.ask("/members/three-cups-test", authorization=f"Bearer {made.key}")
        assert poor.status == 402
        await site.stream.revoke_key(made.id)
        replies = [
            await site.ask("/members/three-cups-test"),
            await site.ask("/members/three-cups-test", authorization="Bearer nonsense"),
            await site.ask("/members/three-cups-test", authorization=f"Bearer {made.key}"),
        ]
        assert {reply.status for reply in replies} == {401}
        assert len({reply.body for reply in replies}) == 1
        form = await site.ask("/members/three-cups-test", method="POST", data=b"key=<script>")
        assert (form.status, form.headers["content-type"]) == (401, "text/html; charset=utf-8")
        assert "Nothing was charged" in form.text
        assert (await site.ask("/members/three-cups-test", method="POST", data=b"\xff\xfe")).status == 401
        assert (await site.ask("/members/x", method="POST", data=b"k" * 9000)).status == 413
        own = (await site.stream.create_key(own=True)).key
        assert (await site.ask("/members/three-cups-test", authorization=f"Bearer {own}")).status == 200
        assert (await site.ask("/members/nothing", authorization=f"Bearer {own}")).status == 404
        assert (await site.ask(f"/members/three-cups-test?key={own}")).status == 400
        assert await site.booked() == []


async def test_what_members_read_stands_in_no_feed(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        for path in ("/", "/feed.xml", "/atom.xml", "/feed.json", "/articles/three-cups-test"):
            reply = await site.ask(path)
            assert "The three cups test" in reply.text
            assert "Break the crust" not in reply.text


async def test_an_article_that_an_operator_adds_is_on_the_site_and_safe(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        before = await site.ask("/feed.xml")
        made = await site.stream.act(AddArticle("a-note", ARTICLE))
        assert made == {"path": "/articles/a-note", "published": NOW.replace(day=1, hour=0), "is_shown": True}
        page = await site.ask("/articles/a-note")
        assert "<script>alert" not in page.text
        assert 'href="javascript' not in page.text
        assert 'href="https://there.example/"' in page.text
        feed = await site.ask("/feed.xml", if_none_match=before.headers["etag"])
        assert (feed.status, "A note" in feed.text) == (200, True)
        with pytest.raises(AlreadyThere):
            await site.stream.act(AddArticle("a-note", ARTICLE))
        await site.stream.act(AddArticle("a-note", ARTICLE.replace("A note", "Another"), replace=True))
        assert "Another" in (await site.ask("/")).text
        for slug, text in (("../x", ARTICLE), ("x", "no head"), ("x", ARTICLE.replace("title", "titel"))):
            with pytest.raises(NotAnArticle):
                await site.stream.act(AddArticle(slug, text))
    async with open_site(tmp_path) as site:
        assert "Another" in (await site.ask("/")).text


async def test_dates_of_pages_hold_over_restarts_and_move_when_they_change(tmp_path: Path) -> None:
    fixed = {"base_url": "https://cups.example"}
    async with open_site(tmp_path, settings(**fixed)) as site:
        first = {path: (await site.ask(path)).headers["last-modified"] for path in ("/about", "/", "/style.css")}
    async with open_site(tmp_path, settings(**fixed), time=NOW + timedelta(days=1)) as site:
        assert first == {path: (await site.ask(path)).headers["last-modified"] for path in first}
    async with open_site(tmp_path, settings(accent_hue=10, **fixed), time=NOW + timedelta(days=2)) as site:
        assert (await site.ask("/style.css")).headers["last-modified"] == "Wed, 25 Nov 2026 12:00:00 GMT"
        assert (await site.ask("/about")).headers["last-modified"] == first["/about"]


async def test_files_are_watched_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        content = tmp_path / "instances" / INSTANCE / "content"
        content.mkdir()
        (content / "later.md").write_text(ARTICLE.replace("2026-11-01", "2026-11-24T09:00:00Z"))
        (content / "broken.md").write_text("nothing")
        (content / "link.md").symlink_to(tmp_path / "ledger.sqlite3")
        await site.stream._newsroom.refresh()
        assert (await site.ask("/articles/later")).status == 404
        assert list(site.stream.describe()["rejected_articles"]) == ["broken.md"]
        site.pass_time(86_400)
        await site.stream._newsroom.refresh()
        assert (await site.ask("/articles/later")).status == 200


async def test_a_full_disk_keeps_no_article_from_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from streams.content_monetization import newsroom

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async with open_site(tmp_path) as site:
        content = tmp_path / "instances" / INSTANCE / "content"
        content.mkdir()
        (content / "new.md").write_text(ARTICLE)
        monkeypatch.setattr(newsroom, "write_atomically", full)
        with capture_logs() as logs:
            await site.stream._newsroom.refresh()
        assert "site.dates_not_kept" in {log["event"] for log in logs}
        assert (await site.ask("/articles/new")).status == 200


async def test_it_pauses_and_resumes_and_keeps_its_key_to_itself(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        site.stream.pause()
        assert (await site.ask("/")).status == 503
        assert site.stream.health().detail == "paused"
        site.stream.resume()
        assert (await site.ask("/")).status == 200
        for name in (SIGNING_FILE, JOURNAL_FILE):
            assert (tmp_path / "instances" / INSTANCE / name).stat().st_mode & 0o777 == 0o600


async def test_estimates_stand_apart_from_what_is_booked(tmp_path: Path) -> None:
    async with open_site(tmp_path, settings(what_if_cpm="10.00")) as site:
        await site.see(*await site.open())
        await site.open()
        estimates = site.stream.describe()["estimates"]
        assert estimates["what_if"] == "0.01"
        assert estimates["delivered_not_stated"] == "0.004"
        assert estimates["waiting_impressions"] == 1
        assert await site.booked() == []


async def test_statements_come_by_themselves_soon_after_the_first_view(tmp_path: Path) -> None:
    async with open_site(tmp_path, settings(first_statement_s=0.01, statement_interval_s=10.0)) as site:
        await site.see(*await site.open())
        async with asyncio.timeout(5):
            while not site.counts("booked")[0]:
                await asyncio.sleep(0.005)
        assert site.counts("statements", "booked") == (1, 1)
        assert await site.booked() == [("content.statement", "0.004")]


async def test_a_rejected_booking_is_told_and_does_not_stop_the_others(tmp_path: Path) -> None:
    from streams.booking import BookingRejected

    async with open_site(tmp_path) as site:
        await site.see(*await site.open())
        original = site.stream._bookkeeper._ledger

        class Rejecting:
            async def ask(self, *_: object) -> None:
                raise BookingRejected("not today")

        site.stream._bookkeeper._ledger = Rejecting()  # type: ignore[assignment]
        with capture_logs() as logs:
            await site.state()
        assert [log["event"] for log in logs if log["log_level"] == "error"] == ["booking.rejected"]
        assert site.stream.describe()["contracts"][0]["owed"] == "0.004"
        site.stream._bookkeeper._ledger = original
        await site.see(*await site.open())
        await site.state()
        assert await site.booked() == [("content.statement", "0.004")]


def test_its_actions_and_its_paper_world_are_declared() -> None:
    assert set(ContentMonetization.actions) == {"add_article", "end_contract"}
    assert ContentMonetization.paper_world == "streams.sandbox.readers.world:ReadersWorld"
