"""Versions are whole or not there, and never change."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from streams.data_harvesting.datasets.manifest import Changes, Manifest
from streams.data_harvesting.datasets.versions import MANIFEST_FILE, RECORDS_FILE, VersionDamaged, Versions


def manifest(version: int, lines: bytes) -> Manifest:
    return Manifest(
        name="prices",
        version=version,
        title="Prices",
        schema={},
        records=lines.count(b"\n"),
        withheld={},
        licences={},
        attribution="",
        sources={},
        sha256=sha256(lines).hexdigest(),
        size_bytes=len(lines),
        created_at=datetime(2026, 11, 25, tzinfo=UTC),
        changes=Changes(0, 0, 0),
    )


def opened(directory: Path) -> Versions:
    versions = Versions(directory)
    versions.load()
    return versions


def test_what_was_added_is_there_after_a_restart(tmp_path: Path) -> None:
    versions = opened(tmp_path / "v")
    first, second = manifest(1, b'{"a":1}\n'), manifest(2, b'{"a":2}\n')
    versions.add(first, b'{"a":1}\n')
    versions.add(second, b'{"a":2}\n')
    assert Versions(tmp_path / "v").load() == ([first, second], [])
    assert opened(tmp_path / "v").read(first) == b'{"a":1}\n'
    assert opened(tmp_path / "v").next_number() == 3
    assert (tmp_path / "v").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "v" / "000001" / RECORDS_FILE).stat().st_mode & 0o777 == 0o600


def test_what_a_kill_left_unfinished_is_no_version(tmp_path: Path) -> None:
    versions = opened(tmp_path)
    versions.add(manifest(1, b"x\n"), b"x\n")
    (tmp_path / ".new-000002").mkdir()
    (tmp_path / ".new-000002" / RECORDS_FILE).write_bytes(b"half")
    manifests, problems = Versions(tmp_path).load()
    assert [each.version for each in manifests] == [1]
    assert problems == []
    assert not (tmp_path / ".new-000002").exists()


def test_a_version_that_cannot_be_stored_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = opened(tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        versions.add(manifest(1, b"x\n"), b"x\n")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    versions.add(manifest(1, b"x\n"), b"x\n")


def test_a_version_is_not_written_over(tmp_path: Path) -> None:
    versions = opened(tmp_path)
    versions.add(manifest(1, b"x\n"), b"x\n")
    with pytest.raises(OSError, match="not empty"):
        versions.add(manifest(1, b"y\n"), b"y\n")
    assert versions.read(manifest(1, b"x\n")) == b"x\n"


def test_what_was_changed_behind_its_back_is_not_delivered(tmp_path: Path) -> None:
    versions = opened(tmp_path)
    for version in (1, 2, 3):
        versions.add(manifest(version, b"x\n" * 100), b"x\n" * 100)
    (tmp_path / "000001" / RECORDS_FILE).write_bytes(b"no gzip")
    content = (tmp_path / "000002" / RECORDS_FILE).read_bytes()
    (tmp_path / "000002" / RECORDS_FILE).write_bytes(content[:-9])
    for version in (1, 2):
        with pytest.raises(VersionDamaged):
            versions.read(manifest(version, b"x\n" * 100))
    with pytest.raises(VersionDamaged, match="not those"):
        versions.read(manifest(3, b"y\n" * 100))


def test_a_version_that_cannot_be_read_is_named_and_left(tmp_path: Path) -> None:
    versions = opened(tmp_path)
    versions.add(manifest(1, b"x\n"), b"x\n")
    versions.add(manifest(2, b"y\n"), b"y\n")
    (tmp_path / "000001" / MANIFEST_FILE).write_bytes(b"{}")
    manifests, problems = Versions(tmp_path).load()
    assert [each.version for each in manifests] == [2]
    assert "000001" in problems[0]
    assert (tmp_path / "000001").exists()


def test_what_is_dropped_is_gone(tmp_path: Path) -> None:
    versions = opened(tmp_path)
    versions.add(manifest(1, b"x\n"), b"x\n")
    versions.drop(1)
    versions.drop(1)
    assert versions.read(manifest(1, b"x\n")) is None
    assert list(tmp_path.iterdir()) == []
