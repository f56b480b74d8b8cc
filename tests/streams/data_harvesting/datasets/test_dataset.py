"""A dataset at work: versions appear when something that is sold has changed, and only then."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from streams.data_harvesting.datasets.current import Current
from streams.data_harvesting.datasets.dataset import Dataset
from streams.data_harvesting.datasets.manifest import Changes
from tests.streams.data_harvesting.datasets.records import PAGE, RECIPE, WITHHELD, record

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@asynccontextmanager
async def opened(directory: Path, keep: int = 20) -> AsyncIterator[Dataset]:
    dataset = Dataset(
        "prices", RECIPE, directory, lambda: NOW, structlog.get_logger(), keep_versions=keep, max_version_bytes=100_000
    )
    await dataset.open()
    try:
        yield dataset
    finally:
        await dataset.close()


async def test_a_version_says_what_it_is(tmp_path: Path) -> None:
    async with opened(tmp_path) as dataset:
        assert await dataset.publish() is None  # nothing is known yet
        await dataset.absorb([record("a"), record("b", terms=WITHHELD)])
        manifest = await dataset.publish()
        assert manifest is not None
        assert (manifest.version, manifest.records, manifest.sellable) == (1, 1, True)
        assert manifest.withheld == {"unknown_licence": 1}
        assert manifest.created_at == NOW
        assert set(manifest.schema) >= {"properties", "required", "x-key", "x-provenance"}
        lines = await dataset.lines(manifest)
        assert lines is not None
        assert len(lines) == manifest.size_bytes


async def test_a_version_is_made_when_something_that_is_sold_has_changed_and_only_then(tmp_path: Path) -> None:
    async with opened(tmp_path) as dataset:
        await dataset.absorb([record("a"), record("b")])
        assert await dataset.publish() is not None
        assert await dataset.publish() is None
        await dataset.absorb([record("a", at=9)])
        assert await dataset.publish() is None
        await dataset.absorb([record("x", terms=WITHHELD)])
        assert await dataset.publish() is None
        await dataset.absorb([record("a", "2.00"), record("c")], PAGE)
        manifest = await dataset.publish()
        assert manifest is not None
        assert manifest.changes == Changes(added=1, changed=1, removed=1)
        assert [each.version for each in dataset.manifests] == [1, 2]


async def test_what_changed_before_a_kill_is_published_after_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as dataset:
        await dataset.absorb([record("a")])
    async with opened(tmp_path) as dataset:
        assert await dataset.publish() is not None


async def test_a_kill_between_a_version_and_its_mark_makes_no_second_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as dataset:
        await dataset.absorb([record("a")])

        def killed(current: Current, revision: int) -> None:
            raise sqlite3.OperationalError("killed here")

        with monkeypatch.context() as patch:
            patch.setattr(Current, "mark_published", killed)
            with pytest.raises(sqlite3.OperationalError):
                await dataset.publish()
    async with opened(tmp_path) as dataset:
        assert [each.version for each in dataset.manifests] == [1]
        assert await dataset.publish() is None
        assert [each.version for each in dataset.manifests] == [1]


async def test_nothing_that_may_be_sold_makes_a_version_that_is_not_for_sale(tmp_path: Path) -> None:
    async with opened(tmp_path) as dataset:
        await dataset.absorb([record("a", terms=WITHHELD)])
        manifest = await dataset.publish()
        assert manifest is not None
        assert (manifest.records, manifest.sellable) == (0, False)


async def test_old_versions_are_kept_up_to_a_number(tmp_path: Path) -> None:
    async with opened(tmp_path, keep=2) as dataset:
        first = None
        for number in range(4):
            await dataset.absorb([record("a", f"{number}.00")])
            made = await dataset.publish()
            first = first or made
        assert [each.version for each in dataset.manifests] == [3, 4]
        assert dataset.find("2") is None
        assert dataset.find("latest") is dataset.find("4")
        assert first is not None
        assert await dataset.lines(first) is None
    async with opened(tmp_path, keep=2) as dataset:
        assert [each.version for each in dataset.manifests] == [3, 4]


async def test_one_who_is_cancelled_leaves_no_half_a_thing(tmp_path: Path) -> None:
    async with opened(tmp_path) as dataset:
        absorbing = asyncio.ensure_future(dataset.absorb([record(str(number)) for number in range(200)]))
        await asyncio.sleep(0)
        absorbing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await absorbing
        assert (await dataset.counts()).get("", 0) in (0, 200)
