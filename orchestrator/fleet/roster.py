"""The roster: what is wanted of every instance, in memory and on disk as one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from orchestrator.fleet.messages import NotFound, NotNow
from orchestrator.fleet.record import BrokenRecord, Desired, Record, load_records, save_records


class Roster:
    """Keeps the records of a fleet.

    It outlives the deployment manager's lives, because instances are made from it long after the manager that
    deployed them is gone.

    Args:
        directory: The directory of the instances' directories.

    Attributes:
        changing: Held by whoever reads records, decides, and stores: changes are made one after the other.
        broken: Ids whose files cannot be read; nobody may take them.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._records: dict[str, Record] = {}
        self.changing = asyncio.Lock()
        self.broken: frozenset[str] = frozenset()

    @property
    def records(self) -> Mapping[str, Record]:
        """All records by id, those of retired instances included; a view that follows changes."""
        return MappingProxyType(self._records)

    def active(self, instance: str) -> Record:
        """Return the record of an instance that is part of the fleet; raises `NotFound`."""
        record = self._records.get(instance)
        if record is None or not record.active:
            raise NotFound(f"there is no instance {instance!r}; `automate fleet list` shows all")
        return record

    def of_stream(self, stream: str) -> list[Record]:
        """Return the records of a stream's instances that are part of the fleet."""
        return [record for record in self._records.values() if record.stream == stream and record.active]

    def streams(self) -> set[str]:
        """Return the streams of which there are instances."""
        return {record.stream for record in self._records.values() if record.active}

    async def load(self) -> tuple[BrokenRecord, ...]:
        """Read what is on disk, and return what cannot be read."""
        async with self.changing:
            records, broken = await asyncio.to_thread(load_records, self._directory)
            self._records = {record.id: record for record in records}
            self.broken = frozenset(fault.file.parent.name for fault in broken)
        return tuple(broken)

    async def want(self, instance: str, desired: Desired) -> Record:
        """Store what is wanted of an instance, and return its record.

        Raises:
            NotFound: It is not part of the fleet, or not any more.
            NotNow: It cannot be stored.
        """
        async with self.changing:
            record = self.active(instance)
            if record.desired != desired:
                record = msgspec.structs.replace(record, desired=desired)
                await self.store((record,))
        return record

    async def store(self, records: Iterable[Record]) -> None:
        """Store records, durably; `changing` must be held. Raises `NotNow`, and then nothing is changed here."""
        records = tuple(records)
        try:
            await asyncio.to_thread(save_records, self._directory, records)
        except OSError as error:
            raise NotNow(
                f"what is wanted of {_named(records)} cannot be stored: "
                f"{error.strerror or error}; make room below {self._directory}, and ask again"
            ) from error
        self.suppose(records)

    def suppose(self, records: Iterable[Record]) -> None:
        """Go by these records for this run, and leave what is on disk as it is."""
        self._records.update((record.id, record) for record in records)


def _named(records: tuple[Record, ...]) -> str:
    first = ", ".join(record.id for record in records[:3])
    return first if len(records) <= 3 else f"{first} and {len(records) - 3} others"
