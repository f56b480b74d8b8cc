"""A crash or a full disk at the worst moment: real ones, in a process of their own."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config import saving
from config.paths import Paths
from config.saving import BACKUPS_KEPT, back_up, create_exclusively, write_all_atomically, write_atomically
from config.store import ConfigStore

ROOT = Path(__file__).parents[2]

DIES_BEFORE_THE_RENAME = """
import os, signal, sys
from config.fleet import multipliers_of
from config.paths import resolve_home
from config.store import ConfigStore

os.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL)
ConfigStore(resolve_home(sys.argv[1], {}), multipliers_of(["api_services"])).set_section("fleet", {"seed": 2})
"""

MAY_WRITE_AT_MOST = """
import resource, sys
from config.errors import SaveError
from config.fleet import multipliers_of
from config.paths import resolve_home
from config.store import ConfigStore

store = ConfigStore(resolve_home(sys.argv[1], {}), multipliers_of(["api_services"]))
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    store.set_section("fleet", {"streams": {"api_services": {"settings": {"note": "x" * 5000}}}})
except SaveError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=30
    )


def test_a_crash_between_writing_and_renaming_leaves_the_old_file(paths: Paths, store: ConfigStore) -> None:
    store.load()
    file = paths.config / "fleet_config.json"
    before = (file.read_bytes(), file.stat().st_mtime_ns)
    died = run(DIES_BEFORE_THE_RENAME, str(paths.home))
    assert died.returncode == -signal.SIGKILL
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    (left_over,) = paths.config.glob(".*.tmp")
    assert json.loads(left_over.read_text())["seed"] == 2
    assert store.load().fleet.seed == 1


def test_what_a_crash_left_is_removed_by_a_later_save(paths: Paths, store: ConfigStore) -> None:
    store.load()
    old, young = (paths.config / f".fleet_config.json.{name}.tmp" for name in ("old", "young"))
    for left_over in (old, young):
        left_over.write_bytes(b"{")
    an_hour_ago = time.time() - 3600
    os.utime(old, (an_hour_ago, an_hour_ago))
    store.set_section("fleet", {"seed": 2})
    assert (old.exists(), young.exists()) == (False, True)


# 64 bytes: not even the backup fits. 2048 bytes: the backup does, the new file does not.
@pytest.mark.parametrize("limit_bytes", [64, 2048])
def test_a_full_disk_leaves_the_old_file_and_says_so(paths: Paths, store: ConfigStore, limit_bytes: int) -> None:
    settings = store.load()
    file = paths.config / "fleet_config.json"
    before = (file.read_bytes(), file.stat().st_mtime_ns)
    failed = run(MAY_WRITE_AT_MOST, str(paths.home), str(limit_bytes))
    assert failed.returncode == 74, failed.stderr
    assert str(file) in failed.stdout
    assert "File too large; its former version stands" in failed.stdout
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert list(paths.config.glob(".*.tmp")) == []
    assert all(backup.read_bytes() == before[0] for backup in paths.backups.iterdir())
    assert store.load() == settings


def test_a_file_is_replaced_whole_and_for_the_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"old")
    file.chmod(0o644)
    write_atomically(file, b"new")
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_is_durable_before_it_gets_its_name_and_the_name_before_the_call_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    sync, rename = os.fsync, os.replace

    def record_sync(descriptor: int) -> None:
        steps.append("sync " + ("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"))
        sync(descriptor)

    def record_rename(source: Path, target: Path) -> None:
        steps.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(os, "replace", record_rename)
    write_atomically(tmp_path / "a.json", b"new")
    assert steps == ["sync file", "rename", "sync directory"]


def test_the_newest_backups_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    directory = tmp_path / "backups"
    directory.mkdir()
    (directory / "b.20200101T000000.000000Z.json").write_bytes(b"of another file")
    for n in range(BACKUPS_KEPT + 5):
        file.write_text(str(n))
        back_up(file, directory)
    kept = sorted(directory.glob("a.*.json"))
    assert [int(copy.read_text()) for copy in kept] == list(range(5, BACKUPS_KEPT + 5))
    assert len(list(directory.glob("b.*.json"))) == 1


def test_a_backup_made_after_the_clock_was_set_back_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"now")
    for n in range(BACKUPS_KEPT):
        (tmp_path / f"a.29990101T00000{n}.000000Z.json").write_bytes(b"future")
    copy = back_up(file, tmp_path)
    assert copy is not None
    assert copy.read_bytes() == b"now"
    assert len(list(tmp_path.glob("a.2*.json"))) == BACKUPS_KEPT


def test_there_is_no_backup_of_what_is_not_there(tmp_path: Path) -> None:
    assert back_up(tmp_path / "absent.json", tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_an_exclusive_file_is_never_replaced(tmp_path: Path) -> None:
    file = tmp_path / "token"
    create_exclusively(file, b"first")
    with pytest.raises(FileExistsError):
        create_exclusively(file, b"second")
    assert file.read_bytes() == b"first"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def names(directory: Path, count: int) -> list[Path]:
    homes = [directory / f"instance-{number}" for number in range(count)]
    for home in homes:
        home.mkdir()
    return [home / "a.json" for home in homes]


@pytest.mark.parametrize("count", [2, 100])
def test_many_files_are_replaced_each_whole_and_for_the_owner_alone(tmp_path: Path, count: int) -> None:
    files = names(tmp_path, count)
    for file in files[::2]:
        file.write_bytes(b"old")
    write_all_atomically({file: file.parent.name.encode() for file in files})
    for file in files:
        assert file.read_bytes() == file.parent.name.encode()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert list(file.parent.iterdir()) == [file]


def test_many_files_are_durable_before_they_get_their_names_and_the_names_before_the_call_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    rename = os.replace

    def record_sync(_: int) -> int:
        steps.append("sync")
        return 0

    def record_rename(source: Path, target: Path) -> None:
        steps.append("rename")
        rename(source, target)

    monkeypatch.setattr(saving, "_syncfs", record_sync)
    monkeypatch.setattr(os, "replace", record_rename)
    write_all_atomically(dict.fromkeys(names(tmp_path, 50), b"new"))
    assert steps == ["sync", *["rename"] * 50, "sync"]


def test_many_files_that_cannot_be_synced_leave_the_old_ones_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = names(tmp_path, 50)
    for file in files:
        file.write_bytes(b"old")
    monkeypatch.setattr(saving, "_syncfs", lambda _: -1)
    with pytest.raises(OSError, match=str(tmp_path)):
        write_all_atomically(dict.fromkeys(files, b"new"))
    assert [file.read_bytes() for file in files] == [b"old"] * 50
    assert all(list(file.parent.iterdir()) == [file] for file in files)
