from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from streams.data_harvesting.fetching.outcome import Validators
from streams.data_harvesting.fetching.robots_cache import RobotsRecord
from streams.data_harvesting.fetching.store import CrawlStore, Link, Settled
from streams.data_harvesting.fetching.store_schema import StoreBusy, StoreClosed, StoreDamaged
from tests.streams.data_harvesting.fetching.conftest import Clock


@pytest.fixture
async def store(store_path: Path, clock: Clock) -> AsyncIterator[CrawlStore]:
    store = CrawlStore(store_path, clock.now)
    await store.open()
    yield store
    await store.close()


async def test_equivalent_urls_are_one_and_the_first_form_is_what_is_fetched(store: CrawlStore) -> None:
    links = [Link("http://A.com:80/x?b=1&a=2#f", "page", 1), Link("http://a.com/x?a=2&b=1&utm_source=z", "other", 2)]
    assert await store.add(links) == {"a.com:80": 1}
    assert await store.add(links) == {}
    (target,) = await store.due("a.com:80", 10)
    assert target.url == "http://a.com/x?a=2&b=1"
    assert target.original == "http://A.com:80/x?b=1&a=2"
    assert (target.kind, target.depth, target.failures, target.digest) == ("page", 1, 0, "")
    assert target.validators is None
    assert target.visited_at is None


async def test_what_is_no_url_is_left_out(store: CrawlStore) -> None:
    assert await store.add([Link("mailto:x"), Link("http://"), Link("http://u:p@a.com/")]) == {}


async def test_a_visit_is_known_with_all_that_the_next_one_needs(store: CrawlStore, clock: Clock) -> None:
    await store.add([Link("http://a.com/")])
    validators = Validators("http://a.com/", '"7"', "then", "terms")
    later = clock.now() + timedelta(hours=1)
    await store.settle(
        Settled(
            url="http://a.com/",
            state="visited",
            next_at=later,
            visited_at=clock.now(),
            validators=validators,
            digest="d",
            changed=True,
        )
    )
    assert await store.due("a.com:80", 10) == []
    assert await store.due_at() == {"a.com:80": later}
    clock.advance(3600)
    (target,) = await store.due("a.com:80", 10)
    assert (target.validators, target.digest, target.visited_at) == (validators, "d", later - timedelta(hours=1))


async def test_a_failure_keeps_what_was_known_and_counts(store: CrawlStore, clock: Clock) -> None:
    await store.add([Link("http://a.com/")])
    visited = Settled(url="http://a.com/", state="visited", next_at=clock.now(), visited_at=clock.now(), digest="d")
    await store.settle(visited)
    for _ in range(2):
        await store.settle(Settled(url="http://a.com/", state="failed", next_at=clock.now(), reason="timeout"))
    (target,) = await store.due("a.com:80", 10)
    assert (target.failures, target.digest) == (2, "d")
    await store.settle(visited)
    assert (await store.due("a.com:80", 10))[0].failures == 0


async def test_what_is_due_longest_comes_first_without_what_is_being_fetched(store: CrawlStore, clock: Clock) -> None:
    for number in range(5):
        await store.add([Link(f"http://a.com/{number}")])
        clock.advance(1)
    urls = [target.url for target in await store.due("a.com:80", 2, skip={"http://a.com/0", "http://a.com/2"})]
    assert urls == ["http://a.com/1", "http://a.com/3"]


async def test_what_is_never_due_again_is_not(store: CrawlStore) -> None:
    await store.add([Link("http://a.com/")])
    await store.settle(Settled(url="http://a.com/", state="gone", next_at=None, reason="410"))
    assert await store.due_at() == {}
    assert await store.counts() == {"gone": 1}


async def test_all_of_it_survives_being_closed(store_path: Path, clock: Clock) -> None:
    store = CrawlStore(store_path, clock.now)
    await store.open()
    await store.add([Link("http://a.com/")])
    record = RobotsRecord("http://a.com:80", "rules", b"x", clock.now(), clock.now() + timedelta(hours=1), "d")
    await store.keep_robots(record)
    until = clock.now() + timedelta(minutes=5)
    await store.keep_pause("a.com:80", until)
    await store.close()
    again = CrawlStore(store_path, clock.now)
    await again.open()
    assert await again.recall_robots("http://a.com:80") == record
    assert await again.recall_robots("http://b.com:80") is None
    assert await again.pauses() == {"a.com:80": until}
    assert list(await again.due_at()) == ["a.com:80"]
    clock.advance(301)
    assert await again.pauses() == {}
    await again.close()
    await again.close()
    assert store_path.stat().st_mode & 0o777 == 0o600


async def test_two_crawls_do_not_share_a_frontier(store: CrawlStore, store_path: Path, clock: Clock) -> None:
    await store.add([Link("http://a.com/")])
    with pytest.raises(StoreBusy, match="another process"):
        await CrawlStore(store_path, clock.now).open()


@pytest.mark.may_block
@pytest.mark.parametrize("kind", ["text", "other database"])
async def test_a_file_that_is_something_else_is_left_as_it_is(store_path: Path, clock: Clock, kind: str) -> None:
    if kind == "text":
        store_path.write_bytes(b"something else, of some length, so that it is no empty database" * 20)
    else:
        connection = sqlite3.connect(store_path)
        connection.execute("CREATE TABLE mine (x)")
        connection.close()
    with pytest.raises(StoreDamaged, match="Move it away"):
        await CrawlStore(store_path, clock.now).open()
    if kind == "text":
        assert store_path.read_bytes().startswith(b"something else")


async def test_writes_that_come_together_are_few_transactions(store: CrawlStore) -> None:
    statements: list[str] = []
    assert store._connection is not None
    store._connection.set_trace_callback(statements.append)
    await asyncio.gather(*(store.add([Link(f"http://a.com/{number}")]) for number in range(200)))
    assert len(await store.due("a.com:80", 1000)) == 200
    assert statements.count("COMMIT") <= 10


async def test_a_write_whose_caller_is_cancelled_leaves_the_store_in_order(store: CrawlStore) -> None:
    writes = [asyncio.ensure_future(store.add([Link(f"http://a.com/{number}")])) for number in range(20)]
    await asyncio.sleep(0)
    for write in writes[::2]:
        write.cancel()
    await asyncio.gather(*writes, return_exceptions=True)
    found = {target.url for target in await store.due("a.com:80", 100)}
    assert {f"http://a.com/{number}" for number in range(1, 20, 2)} <= found


async def test_a_store_that_is_not_open_says_so(store_path: Path, clock: Clock) -> None:
    with pytest.raises(StoreClosed):
        await CrawlStore(store_path, clock.now).add([Link("http://a.com/")])


async def test_a_full_disk_is_told_to_who_writes_and_what_was_written_stays(store: CrawlStore) -> None:
    await store.add([Link("http://a.com/kept")])
    assert store._connection is not None
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        await store.add([Link(f"http://a.com/{'x' * 500}{number}") for number in range(100)])
    assert [target.url for target in await store.due("a.com:80", 500)] == ["http://a.com/kept"]


async def test_what_is_over_of_hosts_makes_room(store: CrawlStore, clock: Clock) -> None:
    for number in range(5):
        good_until = clock.now() + timedelta(hours=1)
        origin = f"http://h{number}.com:80"
        await store.keep_robots(RobotsRecord(origin, "rules", b"x", clock.now(), good_until))
        await store.keep_pause(f"h{number}.com:80", good_until)
        clock.advance(3600)
    assert [await store.recall_robots(f"http://h{number}.com:80") is not None for number in range(5)] == [False] * 4 + [
        True
    ]
    connection = store._opened()
    assert connection.execute("SELECT count(*) FROM pauses").fetchone() == (1,)


async def test_a_full_frontier_forgets_what_it_found_first_and_never_a_seed(store_path: Path, clock: Clock) -> None:
    store = CrawlStore(store_path, clock.now, max_urls=40)
    await store.open()
    await store.add([Link("http://a.com/")])
    for page in range(100):
        clock.advance(60)
        url = f"http://a.com/{page}"
        assert await store.add([Link(url, depth=1)]) == {"a.com:80": 1}
        next_at = clock.now() + timedelta(days=7)
        await store.settle(Settled(url=url, state="visited", next_at=next_at, visited_at=clock.now()))
        assert sum((await store.counts()).values()) <= 40
    due = await store.due("a.com:80", 10)
    assert [target.url for target in due] == ["http://a.com/"]
    assert await store.add([Link("http://a.com/99", depth=1)]) == {}  # found last, remembered
    assert await store.add([Link("http://a.com/0", depth=1)]) == {"a.com:80": 1}
    assert store.turned_away == 0
    await store.close()


async def test_a_frontier_that_is_full_of_what_is_yet_to_be_visited_takes_no_more(
    store_path: Path, clock: Clock
) -> None:
    for begin, turned_away in ((0, 10), (50, 50)):  # the second time with what is in the file
        store = CrawlStore(store_path, clock.now, max_urls=40)
        await store.open()
        await store.add(Link(f"http://a.com/{number}", depth=3) for number in range(begin, begin + 50))
        assert sum((await store.counts()).values()) == 40
        assert store.turned_away == turned_away
        await store.close()


async def test_what_was_put_off_by_a_clock_that_was_wrong_is_due_after_a_restart(
    store_path: Path, clock: Clock
) -> None:
    wrong = clock.now() + timedelta(days=365 * 12)
    next_at = wrong + timedelta(hours=1)
    store = CrawlStore(store_path, lambda: wrong)
    await store.open()
    await store.add([Link("http://a.com/")])
    await store.settle(Settled(url="http://a.com/", state="visited", next_at=next_at, visited_at=wrong))
    await store.keep_pause("a.com:80", next_at)
    await store.close()
    store = CrawlStore(store_path, clock.now)
    await store.open()
    assert [target.url for target in await store.due("a.com:80", 9)] == ["http://a.com/"]
    assert await store.pauses() == {}
    await store.close()
