"""One dataset at work: what is known now, and its versions, without blocking the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from streams.data_harvesting.datasets.current import Absorbed, Current
from streams.data_harvesting.datasets.manifest import Changes, Manifest
from streams.data_harvesting.datasets.rendering import Rendering, changes_between, digests_in, render
from streams.data_harvesting.datasets.versions import VersionDamaged, Versions
from streams.data_harvesting.recipe import Recipe
from streams.data_harvesting.record import PROVENANCE, Record

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

R = TypeVar("R")

CURRENT_FILE: Final = "current.sqlite3"
VERSIONS_DIRECTORY: Final = "versions"

_KEPT_LINES_BYTES: Final = 256 * 1024


class Dataset:
    """One dataset of one instance. Everything that touches the disk is done in a thread, one at a time.

    Args:
        name: Its name.
        recipe: What it is made by.
        directory: Where it is kept.
        now: The time, aware UTC.
        log: The instance's logger.
        keep_versions: How many versions are kept.
        max_version_bytes: Largest version.
    """

    def __init__(
        self,
        name: str,
        recipe: Recipe,
        directory: Path,
        now: Callable[[], datetime],
        log: FilteringBoundLogger,
        *,
        keep_versions: int,
        max_version_bytes: int,
    ) -> None:
        self.name = name
        self.recipe = recipe
        self._directory = directory
        self._now = now
        self._log = log
        self._keep_versions = keep_versions
        self._max_version_bytes = max_version_bytes
        self._current = Current(directory / CURRENT_FILE)
        self._versions = Versions(directory / VERSIONS_DIRECTORY)
        self._manifests: tuple[Manifest, ...] = ()
        self._newest_lines: tuple[int, bytes] | None = None
        self._turn = asyncio.Lock()

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """The versions that there are, oldest first."""
        return self._manifests

    @property
    def newest(self) -> Manifest | None:
        """The newest version; None where none was made yet."""
        return self._manifests[-1] if self._manifests else None

    def find(self, version: str) -> Manifest | None:
        """Return a version by its number, or the newest as `latest`; None where there is none."""
        if version == "latest":
            return self.newest
        return next((each for each in self._manifests if str(each.version) == version), None)

    async def open(self) -> None:
        """Read what there is.

        Raises:
            CurrentDamaged: The current state is not what this program wrote.
            OSError: It cannot be read or made.
        """
        manifests, problems = await self._in_thread(self._load)
        for problem in problems:
            self._log.error("dataset.version_unreadable", dataset=self.name, reason=problem)
        self._manifests = tuple(manifests)

    async def close(self) -> None:
        """Close the files."""
        await self._in_thread(self._current.close)

    async def absorb(
        self, records: Sequence[Record], dropped_from: str = "", still_there: Collection[str] = ()
    ) -> Absorbed:
        """Take the records of one page or feed; see `Current.absorb`."""
        return await self._in_thread(lambda: self._current.absorb(records, dropped_from, still_there))

    async def publish(self) -> Manifest | None:
        """Make a version of what is known now, unless it would be the same as the one before; return it.

        Raises:
            OSError: It cannot be stored; nothing has changed.
            sqlite3.Error: The current state cannot be read.
        """
        manifest = await self._in_thread(self._publish)
        if manifest is not None:
            kept = (*self._manifests, manifest)
            self._manifests = kept[-self._keep_versions :]
            for surplus in kept[: -self._keep_versions]:
                await self._in_thread(partial(self._versions.drop, surplus.version))
        return manifest

    async def lines(self, manifest: Manifest) -> bytes | None:
        """Return a version's lines; None where it is not kept any more.

        Raises:
            VersionDamaged: They are not those that were stored.
            OSError: They cannot be read.
        """
        if self._newest_lines is not None and self._newest_lines[0] == manifest.version:
            return self._newest_lines[1]
        lines = await asyncio.to_thread(self._versions.read, manifest)
        if lines is not None and len(lines) <= _KEPT_LINES_BYTES and manifest is self.newest:
            self._newest_lines = (manifest.version, lines)
        return lines

    async def counts(self) -> dict[str, int]:
        """Return how many records are known, by the reason why they are not sold; empty for those that are."""
        return await self._in_thread(self._current.counts)

    async def _in_thread(self, work: Callable[[], R]) -> R:
        """Run blocking work while nothing else of this dataset runs, to its end even if its caller is cancelled."""
        async with self._turn:
            working = asyncio.ensure_future(asyncio.to_thread(work))
            cancelled: asyncio.CancelledError | None = None
            while not working.done():
                try:
                    await asyncio.wait((working,))
                except asyncio.CancelledError as error:
                    cancelled = error
            if cancelled is not None:
                working.exception()
                raise cancelled
            return working.result()

    def _load(self) -> tuple[list[Manifest], list[str]]:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._current.open()
        return self._versions.load()

    def _publish(self) -> Manifest | None:
        self._current.trim(self.recipe.max_records)
        revision, published = self._current.revision()
        if revision == published:
            return None
        rendering = render(self._current.records(), self._max_version_bytes)
        newest = self.newest
        manifest = None
        if newest is None or newest.sha256 != rendering.sha256:
            manifest = self._manifest(rendering, self._changes(newest, rendering))
            self._versions.add(manifest, rendering.lines)
        # A kill between the two makes the same lines again, which are then found to be no news.
        self._current.mark_published(revision)
        return manifest

    def _changes(self, before: Manifest | None, rendering: Rendering) -> Changes:
        lines: bytes | None = b""
        if before is not None:
            try:
                lines = self._versions.read(before)
            except (VersionDamaged, OSError) as error:
                self._log.error("dataset.version_unreadable", dataset=self.name, reason=str(error))
        return changes_between(digests_in(lines or b"", self.recipe.key), rendering.digests)

    def _manifest(self, rendering: Rendering, changes: Changes) -> Manifest:
        return Manifest(
            name=self.name,
            version=self._versions.next_number(),
            title=self.recipe.title,
            schema={**self.recipe.json_schema(), "x-provenance": PROVENANCE},
            records=len(rendering.digests),
            withheld=rendering.withheld,
            licences=rendering.licences,
            attribution=self.recipe.licence.attribution,
            sources=rendering.sources,
            sha256=rendering.sha256,
            size_bytes=len(rendering.lines),
            created_at=self._now(),
            changes=changes,
        )
