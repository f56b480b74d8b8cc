"""Clicks on the disk: durable before they are answered, found by their ids, counted again after any end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from streams.affiliate_marketing import click_journal
from streams.affiliate_marketing.caps import Cap, CapCounter
from streams.affiliate_marketing.click import Click, clicks_in, frame_of
from streams.affiliate_marketing.click_id import MAX_PLACE, ClickIds
from streams.affiliate_marketing.click_journal import ClickJournal, ClicksUnwritable
from streams.affiliate_marketing.click_segments import ClicksDamaged
from streams.affiliate_marketing.visitors import HOUR_US, FirstClick, Visitors
from tests.streams.affiliate_marketing.agencies import CAPPED, CHROME, offer, open_agency, settings

FOR_EVER_US = 10**18


def click(number: int, at_us: int | None = None) -> Click:
    return Click(number if at_us is None else at_us, "kettle", f"offer-{number % 3}", 1, 3600, b"visitor", {"pub": "x"})


async def write(journal: ClickJournal, counter: CapCounter, clicks: list[Click]) -> list[int]:
    places = []
    waiting = []
    for each in clicks:
        counter.count(each.offer, 0)
        durable = asyncio.get_running_loop().create_future()
        places.append(journal.append(each, durable.set_result))
        waiting.append(durable)
    assert set(await asyncio.gather(*waiting)) == {None}
    return places


async def test_every_redirect_that_arrived_is_found_after_kill_9(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.streams.affiliate_marketing.clicking_until_killed", str(tmp_path)),
        cwd=root,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    arrived = [await process.stdout.readline() for _ in range(300)]
    process.send_signal(signal.SIGKILL)
    arrived += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    ids = [line.decode().strip() for line in arrived if line.endswith(b"\n")]
    assert len(ids) == len(set(ids)) >= 300
    async with open_agency(tmp_path) as agency:
        for click_id in ids:
            assert await agency.stream._find_click(click_id) is not None
        assert agency.stream.describe()["clicks"]["kettles"] >= len(ids)
        assert await agency.click(f"{CHROME} 0") in ids, "its visitor is remembered, too"


async def test_clicks_are_found_counted_and_recalled_over_many_files(tmp_path: Path) -> None:
    counter = CapCounter({})
    journal = ClickJournal(tmp_path / "clicks", counter, FOR_EVER_US, segment_bytes=2000)
    assert (await journal.open(0)).end == 0
    places: list[int] = []
    for start in range(0, 300, 10):
        places += await write(journal, counter, [click(number) for number in range(start, start + 10)])
    assert [await journal.read(place) for place in places[::7]] == [click(number) for number in range(0, 300, 7)]
    assert await journal.read(places[-1] + 1) is None
    assert await journal.read(places[5] + 1) is None
    await journal.close()
    assert len(list((tmp_path / "clicks").glob("clicks-*.log"))) > 5
    for since, expected in ((0, 300), (250, 50)):
        again = CapCounter({})
        journal = ClickJournal(tmp_path / "clicks", again, FOR_EVER_US, segment_bytes=2000)
        found = await journal.open(since)
        await journal.close()
        assert [each.at_us for _, each in found.recent] == list(range(300 - expected, 300))
        assert {name: count.total for name, count in again.counts().items()} == {f"offer-{n}": 100 for n in range(3)}


async def test_one_turn_of_the_loop_shares_one_sync(tmp_path: Path) -> None:
    counter = CapCounter({})
    journal = ClickJournal(tmp_path / "clicks", counter, FOR_EVER_US)
    await journal.open(0)
    await write(journal, counter, [click(number) for number in range(500)])
    assert journal.syncs == 1
    await journal.close()
    with pytest.raises(ClicksUnwritable, match="closed"):
        journal.append(click(1), print)


async def test_old_files_go_when_a_new_one_begins(tmp_path: Path) -> None:
    counter = CapCounter({})
    journal = ClickJournal(tmp_path / "clicks", counter, keep_us=1000, segment_bytes=500)
    await journal.open(0)
    for number in range(100):
        await write(journal, counter, [click(number, at_us=number * 200)])
    await journal.close()
    again = CapCounter({})
    journal = ClickJournal(tmp_path / "clicks", again, 1000)
    found = await journal.open(0)
    await journal.close()
    kept = [each.at_us for _, each in found.recent]
    assert sum(count.total for count in again.counts().values()) == 100
    assert 5 <= len(kept) < 50, "what is young enough is there, and little more"
    assert kept == list(range(kept[0], 100 * 200, 200))


@pytest.mark.parametrize("torn", [b"\x07", b"\x40\x00garbage", bytes(5000) + b"x"])
async def test_what_a_crash_left_half_written_is_taken_off(tmp_path: Path, torn: bytes) -> None:
    counter = CapCounter({})
    journal = ClickJournal(tmp_path / "clicks", counter, FOR_EVER_US)
    await journal.open(0)
    await write(journal, counter, [click(1)])
    await journal.close()
    (file,) = (tmp_path / "clicks").glob("clicks-*.log")
    whole = file.read_bytes().rstrip(b"\0")
    file.write_bytes(whole + torn + bytes(100))
    journal = ClickJournal(tmp_path / "clicks", counter, FOR_EVER_US)
    found = await journal.open(0)
    assert (found.end, len(found.recent)) == (len(whole), 1)
    (place,) = await write(journal, counter, [click(2)])
    assert await journal.read(place) == click(2)
    await journal.close()
    assert [path.read_bytes() for path in (tmp_path / "clicks").glob("torn-*")] == [torn]


async def test_damage_before_the_end_is_told_and_nothing_is_served(tmp_path: Path) -> None:
    counter = CapCounter({})
    journal = ClickJournal(tmp_path / "clicks", counter, FOR_EVER_US, segment_bytes=200)
    await journal.open(0)
    for number in range(10):
        await write(journal, counter, [click(number)])
    await journal.close()
    first = min((tmp_path / "clicks").glob("clicks-*.log"))
    whole = first.read_bytes()
    for damaged in (whole[:-3], whole + b"x", bytes(20) + whole[20:]):
        first.write_bytes(damaged)
        with pytest.raises(ClicksDamaged, match="damaged at byte|the segment before it ends at"):
            await ClickJournal(tmp_path / "clicks", CapCounter({}), FOR_EVER_US).open(0)


async def test_while_the_disk_is_full_clicks_are_503_and_none_has_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_agency(tmp_path, CAPPED) as agency:
        await agency.visit(agent=f"{CHROME} first")
        full = True
        written = os.pwritev

        def pwritev(*arguments: object) -> int:
            if full:
                raise OSError(28, "No space left on device")
            return written(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(click_journal.os, "pwritev", pwritev)
        visits = await asyncio.gather(*(agency.visit(agent=f"{CHROME} {number}") for number in range(120)))
        assert {visit.status for visit in visits} == {503}
        assert agency.stream.describe()["clicks"]["capped"] == 1
        full = False
        visits = await asyncio.gather(*(agency.visit(agent=f"{CHROME} {number}") for number in range(120)))
        assert sum("shop.example" in visit.location for visit in visits) == 99
        ids = [visit.click_id for visit in visits]
        assert len(set(ids)) == 120
        for click_id in ids:
            assert click_id is not None
            assert await agency.stream._find_click(click_id) is not None


async def test_without_room_ahead_clicks_are_stored_one_behind_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> int:
        raise OSError(28, "No space left on device")

    counter = CapCounter({})
    journal = ClickJournal(tmp_path / "clicks", counter, FOR_EVER_US)
    await journal.open(0)
    monkeypatch.setattr(click_journal.os, "pwrite", no_room)
    first = await write(journal, counter, [click(1), click(2)])
    second = await write(journal, counter, [click(3)])
    monkeypatch.undo()
    third = await write(journal, counter, [click(4)])
    assert [await journal.read(place) for place in (*first, *second, *third)] == [click(n) for n in (1, 2, 3, 4)]
    await journal.close()
    journal = ClickJournal(tmp_path / "clicks", CapCounter({}), FOR_EVER_US)
    found = await journal.open(0)
    await journal.close()
    assert [each for _, each in found.recent] == [click(n) for n in (1, 2, 3, 4)]


async def test_caps_and_visitors_survive_a_restart(tmp_path: Path) -> None:
    chosen = settings({"kettles": offer(cap=Cap(total=2))})
    async with open_agency(tmp_path, chosen) as agency:
        first = await agency.click("Firefox 1")
    async with open_agency(tmp_path, chosen) as agency:
        assert await agency.click("Firefox 1") == first
        await agency.click("Firefox 2")
        assert (await agency.visit(agent="Firefox 3")).status == 410


@hypothesis_settings(max_examples=100)
@given(st.integers(0, MAX_PLACE), st.integers(0, 21), st.sampled_from("ABab01-_"))
def test_an_id_opens_to_its_place_and_a_changed_one_does_not(place: int, at: int, letter: str) -> None:
    ids = ClickIds(bytes(range(32)))
    sealed = ids.seal(place)
    assert len(sealed) == 22
    assert ids.open(sealed) == place
    changed = sealed[:at] + letter + sealed[at + 1 :]
    assert ids.open(changed) == (place if changed == sealed else None)
    assert ClickIds(bytes(32)).open(sealed) is None


@given(st.text(max_size=30))
def test_what_is_no_id_is_none(text: str) -> None:
    assert ClickIds(bytes(32)).open(text) is None


@given(st.binary(max_size=200))
def test_any_bytes_can_be_scanned(content: bytes) -> None:
    frame = frame_of(click(1))
    assert next(each for *_, each in clicks_in(frame + content)) == click(1)


def test_visitors_are_forgotten_after_their_hour_and_past_the_limit() -> None:
    visitors = Visitors(bytes(32), max_visitors=10)
    for number in range(30):
        visitors.remember(b"%d" % number, FirstClick(number, number, "offer"))
    assert len(visitors) <= 10
    assert visitors.first_click(b"29", 30) is not None
    assert visitors.first_click(b"29", 29 + HOUR_US) is None
    visitors.remember(b"29", FirstClick(HOUR_US * 2, 99, "offer"))
    for number in range(100, 120):
        visitors.remember(b"%d" % number, FirstClick(HOUR_US * 2, number, "offer"))
    assert len(visitors) <= 10
    assert visitors.pseudonym("127.0.0.1", b"agent", "a") != visitors.pseudonym("127.0.0.1", b"agent", "b")
