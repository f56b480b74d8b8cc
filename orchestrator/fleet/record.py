"""What is kept of an instance across restarts of the daemon: `instances/<id>/settings.json`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from config.fleet import Isolation
from config.saving import write_all_atomically

Desired: TypeAlias = Literal["running", "paused", "stopped", "retired"]
"""What a person wants of an instance. `stopped` by hand stays so. `retired` was scaled away: it is not part of
the fleet, but its number, port, keys and logs are kept for when the stream grows again."""

SETTINGS_FILE = "settings.json"


class Record(msgspec.Struct, frozen=True):
    """One instance's file.

    Attributes:
        id: `api_services-007`.
        stream: Its stream.
        number: Its number within the stream, from 1; picks its settings in the stream's blueprint.
        port: The port it listens on, from its first deployment on.
        isolation: Where it runs.
        desired: What is wanted of it.
        settings: The stream's settings; validated at each start.
    """

    id: str
    stream: str
    number: Annotated[int, msgspec.Meta(ge=1)]
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)]
    isolation: Isolation = "actor"
    desired: Desired = "running"
    settings: dict[str, Any] = {}

    @property
    def active(self) -> bool:
        """Whether it is part of the fleet."""
        return self.desired != "retired"


# Made at import: two threads that meet a type of msgspec's for the first time at once crash the process.
_DECODER: Final = msgspec.json.Decoder(Record)
_ENCODER: Final = msgspec.json.Encoder()


class BrokenRecord(ValueError):
    """A record's file that cannot be read as one."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file}: {reason}; mend it, or move {file.parent} away to have the instance made anew")
        self.file = file


def instance_id(stream: str, number: int) -> str:
    """Return the id of a stream's instance."""
    return f"{stream}-{number:03d}"


def save_records(directory: Path, records: Iterable[Record]) -> None:
    """Write records durably into their instances' directories below `directory`, made 0700 if need be. Blocks."""
    files: dict[Path, bytes] = {}
    for record in records:
        home = directory / record.id
        home.mkdir(mode=0o700, exist_ok=True)
        files[home / SETTINGS_FILE] = msgspec.json.format(_ENCODER.encode(record), indent=2) + b"\n"
    write_all_atomically(files)


def load_records(directory: Path) -> tuple[list[Record], list[BrokenRecord]]:
    """Read all records below a directory, in order of their ports. Blocks."""
    records: list[Record] = []
    broken: list[BrokenRecord] = []
    for file in sorted(directory.glob(f"*/{SETTINGS_FILE}")):
        try:
            record = _DECODER.decode(file.read_bytes())
        except (OSError, msgspec.DecodeError) as error:
            broken.append(BrokenRecord(file, str(error)))
            continue
        if record.id != file.parent.name:
            broken.append(BrokenRecord(file, f"it says it is {record.id!r}"))
        elif record.id != instance_id(record.stream, record.number):
            broken.append(BrokenRecord(file, f"it says it is number {record.number} of {record.stream!r}"))
        else:
            records.append(record)
    records.sort(key=lambda record: record.port)
    return records, broken
