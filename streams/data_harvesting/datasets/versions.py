"""The versions of one dataset: a directory each, made whole or not at all, and never changed.

All of it blocks and belongs in a thread; one call at a time.

    versions/000001/manifest.json
    versions/000001/records.jsonl.gz
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from config.saving import sync_directory
from streams.data_harvesting.datasets.manifest import Manifest

MANIFEST_FILE: Final = "manifest.json"
RECORDS_FILE: Final = "records.jsonl.gz"

_NUMBERED: Final = re.compile(r"\d{6,9}")
_UNFINISHED: Final = ".new"
_LEVEL: Final = 6


# Made at import, by one thread: msgspec crashes the process where two threads meet a type for the first time at once.
_MANIFEST: Final = msgspec.json.Decoder(Manifest)


class VersionDamaged(Exception):
    """A version whose files are not what its manifest says."""

    def __init__(self, directory: Path, reason: str) -> None:
        super().__init__(f"{directory}: {reason}")
        self.directory = directory


class Versions:
    """The versions of one dataset."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def load(self) -> tuple[list[Manifest], list[str]]:
        """Return the manifests, oldest first, and what is wrong with versions that cannot be read.

        What a crash left unfinished is removed; what cannot be read is left where it is.

        Raises:
            OSError: The directory cannot be made or read.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        manifests: list[Manifest] = []
        problems: list[str] = []
        for place in sorted(self._directory.iterdir()):
            if place.name.startswith(_UNFINISHED):
                shutil.rmtree(place)
            elif _NUMBERED.fullmatch(place.name):
                try:
                    manifest = _MANIFEST.decode((place / MANIFEST_FILE).read_bytes())
                    if manifest.version != int(place.name):
                        raise VersionDamaged(place, f"its manifest is that of version {manifest.version}")
                    manifests.append(manifest)
                except (OSError, msgspec.MsgspecError, VersionDamaged) as error:
                    problems.append(f"{place}: {error}")
        manifests.sort(key=lambda manifest: manifest.version)
        return manifests, problems

    def next_number(self) -> int:
        """Return the number of the next version; one that was ever given is not given again."""
        numbers = [int(place.name) for place in self._directory.iterdir() if _NUMBERED.fullmatch(place.name)]
        return max(numbers, default=0) + 1

    def add(self, manifest: Manifest, lines: bytes) -> None:
        """Make a version; it is on the disk when this returns.

        Raises:
            OSError: It could not be stored, and nothing of it is there.
        """
        unfinished = self._directory / f"{_UNFINISHED}-{manifest.version:06d}"
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            unfinished.mkdir(mode=0o700)
            _write(unfinished / RECORDS_FILE, gzip.compress(lines, _LEVEL, mtime=0))
            _write(unfinished / MANIFEST_FILE, msgspec.json.format(msgspec.json.encode(manifest)))
            sync_directory(unfinished)
            unfinished.rename(self._place(manifest.version))
            sync_directory(self._directory)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise

    def read(self, manifest: Manifest) -> bytes | None:
        """Return a version's lines; None where it is not kept any more.

        Raises:
            VersionDamaged: They are not those that were stored.
            OSError: They cannot be read.
        """
        place = self._place(manifest.version)
        try:
            with gzip.open(place / RECORDS_FILE) as file:
                lines = file.read(manifest.size_bytes + 1)
        except FileNotFoundError:
            return None
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise VersionDamaged(place, str(error)) from error
        if sha256(lines).hexdigest() != manifest.sha256:
            raise VersionDamaged(place, "its records are not those that were stored")
        return lines

    def drop(self, version: int) -> None:
        """Remove a version, at once as others see it; nothing happens where there is none."""
        removed = self._directory / f"{_UNFINISHED}-removed-{version:06d}"
        try:
            self._place(version).rename(removed)
        except FileNotFoundError:
            return
        shutil.rmtree(removed, ignore_errors=True)

    def _place(self, version: int) -> Path:
        return self._directory / f"{version:06d}"


def _write(file: Path, data: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(descriptor)
