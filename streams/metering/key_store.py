"""An instance's keys in memory, always equal to its journal."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from actors import Refusal
from streams.booking import BookName
from streams.metering.api_key import digest_of, display_of, is_key, new_api_key
from streams.metering.key_journal import KeyEvent, KeyRecord, KeyRevoked, append_event, read_journal

MAX_KEYS: Final = 10_000
"""Keys in force that one instance keeps."""

MAX_LABEL_LENGTH: Final = 200


class KeyRefused(Refusal):
    """A key that cannot be made as asked."""

    rpc_code = -32602


class TooManyKeys(KeyRefused):
    """A key that could be made as asked, were there not so many already."""

    rpc_code = -32002

    def __init__(self) -> None:
        super().__init__(f"there are {MAX_KEYS} keys in force here already: revoke some first")


class NoSuchKey(Refusal):
    """There is no such key.

    Attributes:
        key_id: The id that was looked for; of a key, the beginning that people may see.
    """

    rpc_code = -32001

    def __init__(self, key_id: str) -> None:
        super().__init__(f"there is no key {key_id!r} here")
        self.key_id = key_id


class KeyTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a key is sold with; see `KeyRecord` for the meaning of each."""

    book: BookName
    plan: str
    label: str
    rate_per_s: float
    burst: int
    quota: int | None
    credit: int | None
    own: bool = False


class KeyStore:
    """The keys of one instance, in force or revoked.

    A change is durable before it takes effect here and before it is reported. A change that was begun is finished
    even if its caller is cancelled, so that memory and file never disagree.
    """

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        self._path = path
        self._now = now
        self._records: dict[str, KeyRecord] = {}
        self._revoked: dict[str, KeyRevoked] = {}
        self._by_digest: dict[bytes, KeyRecord] = {}
        self._writing = asyncio.Lock()

    async def load(self) -> None:
        """Read the journal.

        Raises:
            KeyJournalDamaged: It has a line that is no event.
            OSError: It cannot be read.
        """
        for event in await asyncio.to_thread(read_journal, self._path):
            self._apply(event)

    async def create(self, terms: KeyTerms) -> tuple[str, KeyRecord]:
        """Make a key; return it, the only time that it is seen, with its record.

        Raises:
            KeyRefused: There are too many keys (`TooManyKeys`), or the label is too long.
            KeyJournalUnwritable: It could not be stored; there is no such key.
        """
        if len(terms.label) > MAX_LABEL_LENGTH:
            raise KeyRefused(f"a label is at most {MAX_LABEL_LENGTH} characters")
        async with self._writing:
            if len(self) >= MAX_KEYS:
                raise TooManyKeys
            key = new_api_key(terms.book)
            record = KeyRecord(
                id=f"key_{secrets.token_hex(8)}",
                digest=digest_of(key.encode("ascii")).hex(),
                display=display_of(key),
                created_at=self._now(),
                **msgspec.structs.asdict(terms),
            )
            await self._write(record)
        return key, record

    async def revoke(self, key: str) -> KeyRevoked:
        """Put a key out of force for ever; doing it again changes nothing.

        Args:
            key: Its id, or the key itself.

        Raises:
            NoSuchKey: There is no such key.
            KeyJournalUnwritable: It could not be stored; the key is still in force.
        """
        async with self._writing:
            key_id = self._id_of(key)
            if key_id not in self._revoked:
                await self._write(KeyRevoked(id=key_id, revoked_at=self._now()))
            return self._revoked[key_id]

    def __len__(self) -> int:
        """Return how many keys are in force."""
        return len(self._records) - len(self._revoked)

    def find(self, digest: bytes) -> KeyRecord | None:
        """Return the record of the key in force that has this digest."""
        record = self._by_digest.get(digest)
        return None if record is None or record.id in self._revoked else record

    def all(self) -> list[tuple[KeyRecord, datetime | None]]:
        """Return every key's record with the time that it was revoked at, oldest first."""
        return [
            (record, revoked.revoked_at if (revoked := self._revoked.get(record.id)) else None)
            for record in self._records.values()
        ]

    def _id_of(self, key: str) -> str:
        if is_key(key):
            record = self._by_digest.get(digest_of(key.encode()))
            if record is None:
                raise NoSuchKey(display_of(key))
            return record.id
        if key not in self._records:
            raise NoSuchKey(key)
        return key

    async def _write(self, event: KeyEvent) -> None:
        writing = asyncio.ensure_future(asyncio.to_thread(append_event, self._path, event))
        cancelled: asyncio.CancelledError | None = None
        while not writing.done():
            try:
                await asyncio.wait((writing,))
            except asyncio.CancelledError as error:
                cancelled = error
        writing.result()
        self._apply(event)
        if cancelled is not None:
            raise cancelled

    def _apply(self, event: KeyEvent) -> None:
        if isinstance(event, KeyRecord):
            self._records[event.id] = event
            self._by_digest[bytes.fromhex(event.digest)] = event
        elif event.id in self._records:
            self._revoked[event.id] = event
