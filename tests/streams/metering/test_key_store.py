"""Keys on the disk: durable before they are shown, whole after a crash, never in clear text."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.metering import key_journal, key_store
from streams.metering.api_key import digest_of, new_api_key
from streams.metering.key_journal import KeyJournalDamaged, KeyJournalUnwritable
from streams.metering.key_store import KeyRefused, KeyStore, KeyTerms, NoSuchKey, TooManyKeys

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TERMS = KeyTerms(book="paper", plan="basic", label="shop", rate_per_s=10.0, burst=20, quota=500, credit=None, own=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.jsonl"


async def store_at(path: Path) -> KeyStore:
    store = KeyStore(path, lambda: NOW)
    await store.load()
    return store


async def test_a_new_key_is_found_by_its_digest_also_after_a_restart(path: Path) -> None:
    key, record = await (await store_at(path)).create(TERMS)
    store = await store_at(path)
    assert store.find(digest_of(key.encode())) == record
    assert store.find(digest_of(key.encode() + b"x")) is None
    assert record.id.startswith("key_")
    assert (record.plan, record.quota, record.created_at) == ("basic", 500, NOW)


async def test_the_journal_holds_the_digest_and_never_the_key(path: Path) -> None:
    key, record = await (await store_at(path)).create(TERMS)
    content = path.read_text()
    assert key not in content
    assert key[12:44] not in content
    assert record.digest in content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_revoked_key_is_out_of_force_also_after_a_restart(path: Path) -> None:
    store = await store_at(path)
    key, record = await store.create(TERMS)
    other, _ = await store.create(TERMS)
    await store.revoke(record.id)
    size = path.stat().st_size
    await store.revoke(record.id)
    assert path.stat().st_size == size
    for each in (store, await store_at(path)):
        assert each.find(digest_of(key.encode())) is None
        assert each.find(digest_of(other.encode())) is not None
        assert [revoked_at for _, revoked_at in each.all()] == [NOW, None]


async def test_revoking_an_unknown_key_is_refused_by_name(path: Path) -> None:
    with pytest.raises(NoSuchKey, match="key_unknown"):
        await (await store_at(path)).revoke("key_unknown")


async def test_a_key_is_revoked_by_itself_as_by_its_id(path: Path) -> None:
    store = await store_at(path)
    key, record = await store.create(TERMS)
    other, _ = await store.create(TERMS)
    revoked = await store.revoke(key)
    assert (revoked.id, revoked.revoked_at, len(store)) == (record.id, NOW, 1)
    assert await store.revoke(key) == await store.revoke(record.id) == revoked
    assert path.read_bytes().count(b"\n") == 3
    assert key not in path.read_text()
    again = await store_at(path)
    assert again.find(digest_of(key.encode())) is None
    assert again.find(digest_of(other.encode())) is not None
    assert await again.revoke(key) == revoked


async def test_a_key_that_is_not_here_is_refused_without_showing_it(path: Path) -> None:
    store = await store_at(path)
    key, record = await store.create(TERMS)
    for unknown in (new_api_key("paper"), new_api_key("live"), key[:-1], "ak_test_é"):
        with pytest.raises(NoSuchKey) as refused:
            await store.revoke(unknown)
        assert len(unknown) < 12 or unknown not in str(refused.value)
    assert store.find(bytes.fromhex(record.digest)) == record


async def test_more_keys_than_there_may_be_are_refused_until_one_is_revoked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_store, "MAX_KEYS", 2)
    store = await store_at(path)
    first, _ = await store.create(TERMS)
    await store.create(TERMS)
    with pytest.raises(TooManyKeys, match="2 keys in force"):
        await store.create(TERMS)
    await store.revoke(first)
    await store.create(TERMS)


@pytest.mark.parametrize("cut", [1, 40, 150])
async def test_a_torn_last_line_is_taken_off_and_the_next_key_starts_a_line(path: Path, cut: int) -> None:
    store = await store_at(path)
    first, _ = await store.create(TERMS)
    lost, _ = await store.create(TERMS)
    os.truncate(path, path.stat().st_size - cut)

    repaired = await store_at(path)
    assert repaired.find(digest_of(first.encode())) is not None
    assert repaired.find(digest_of(lost.encode())) is None
    assert path.read_bytes().count(b"\n") == 1
    assert path.read_bytes().endswith(b"\n")
    third, _ = await repaired.create(TERMS)
    assert (await store_at(path)).find(digest_of(third.encode())) is not None


async def test_a_damaged_line_is_named_with_its_file_and_number(path: Path) -> None:
    store = await store_at(path)
    await store.create(TERMS)
    await store.create(TERMS)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"event":"created","id":7}\n' + lines[1])
    with pytest.raises(KeyJournalDamaged, match=r"keys\.jsonl, line 2: .*backup"):
        await store_at(path)


async def test_a_link_in_the_journals_place_is_not_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"keys\.jsonl") as refused:
        await store_at(path)
    assert refused.value.errno == errno.ELOOP


async def test_when_the_disk_is_full_no_key_is_made_and_the_journal_stays_whole(path: Path) -> None:
    store = await store_at(path)
    kept, _ = await store.create(TERMS)
    before = path.read_bytes()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, hard))
    try:
        with pytest.raises(KeyJournalUnwritable, match="Nothing was changed"):
            await store.create(TERMS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert path.read_bytes() == before
    assert len(store.all()) == 1
    await store.create(TERMS)
    again = await store_at(path)
    assert len(again.all()) == 2
    assert again.find(digest_of(kept.encode())) is not None


async def test_the_journal_has_a_largest_size(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await store_at(path)
    await store.create(TERMS)
    monkeypatch.setattr(key_journal, "MAX_JOURNAL_BYTES", path.stat().st_size + 100)
    with pytest.raises(KeyJournalUnwritable, match="larger than"):
        await store.create(TERMS)


async def test_a_label_has_a_largest_length(path: Path) -> None:
    with pytest.raises(KeyRefused, match="200 characters"):
        await (await store_at(path)).create(msgspec.structs.replace(TERMS, label="x" * 201))


async def test_keys_made_at_the_same_time_are_all_there(path: Path) -> None:
    store = await store_at(path)
    made = await asyncio.gather(*(store.create(TERMS) for _ in range(10)))
    again = await store_at(path)
    assert all(again.find(digest_of(key.encode())) == record for key, record in made)


async def test_a_cancelled_caller_leaves_memory_and_file_agreeing(path: Path) -> None:
    store = await store_at(path)
    for delay in range(4):
        creating: asyncio.Task[Any] = asyncio.create_task(store.create(TERMS))
        for _ in range(delay):
            await asyncio.sleep(0)
        creating.cancel()
        with pytest.raises(asyncio.CancelledError):
            await creating
        assert [record for record, _ in (await store_at(path)).all()] == [record for record, _ in store.all()]
    assert store.all()
