"""When the world of a directory began: all that moves in it is counted from there, also after a restart."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from config.saving import create_exclusively


class _Beginning(msgspec.Struct, frozen=True):
    began_at: datetime


def open_world(directory: Path, now: datetime) -> int:
    """Return when the world of a directory began, Unix milliseconds: now, where it is new. Blocks.

    Raises:
        OSError: The directory cannot be written.
        msgspec.MsgspecError: The file in it is not what was written.
    """
    file = directory / "world.json"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    began_at = now.astimezone(UTC)
    try:
        create_exclusively(file, msgspec.json.encode(_Beginning(began_at)))
    except FileExistsError:
        began_at = msgspec.json.decode(file.read_bytes(), type=_Beginning).began_at
    return int(began_at.timestamp() * 1000)
