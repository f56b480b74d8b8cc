"""The whole story of a cent: what happened, the proof of it, what it moved, and what came before and after."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final, Literal, TypeAlias

import msgspec

from orchestrator.money import chain
from orchestrator.money.preparation import decode_meters
from orchestrator.money.queries import entries_at
from orchestrator.money.report import Entry
from streams.booking import Correction, Posting, Resolution

MAX_STORIES: Final = 20
"""Transactions with the same proof that are told of."""

MAX_RELATED: Final = 200
MAX_SHOWN_BYTES: Final = 64 * 1024

Form: TypeAlias = Literal["json", "msgpack", "text", "binary"]

_BOOKS: Final = ("paper", "live")
_BY_ID: Final = "SELECT sequence FROM transactions WHERE id = ?"
_BY_EVIDENCE: Final = f"SELECT sequence FROM transactions WHERE evidence_external_id = ? LIMIT {MAX_STORIES + 1}"  # noqa: S608
_RAW: Final = """
    SELECT book, stream, instance, key, kind, state, occurred_at, booked_at, memo, corrects, entry.reason,
           evidence_kind, evidence_external_id, evidence_digest, meters, body_digest, hash, artefact, expires_at,
           (SELECT id FROM transactions AS target WHERE target.sequence = steps.target), outcome, steps.reason
    FROM transactions AS entry JOIN origins ON origins.id = origin
    LEFT JOIN evidence USING (sequence) LEFT JOIN expiries USING (sequence) LEFT JOIN steps USING (sequence)
    WHERE sequence = ?
"""
_LEGS: Final = (
    "SELECT name, asset, units FROM postings JOIN accounts ON accounts.id = account WHERE sequence = ? ORDER BY n"
)
_LINK: Final = "SELECT sequence, id, hash FROM transactions WHERE sequence = ?"
_LAST: Final = "SELECT max(sequence) FROM transactions"
_RELATED: Final = """
    SELECT target FROM steps WHERE sequence = ?1
    UNION SELECT sequence FROM steps WHERE target = ?1
    UNION SELECT wrong.sequence FROM transactions AS entry JOIN transactions AS wrong ON wrong.id = entry.corrects
        WHERE entry.sequence = ?1
    UNION SELECT sequence FROM transactions WHERE corrects = (SELECT id FROM transactions WHERE sequence = ?1)
"""
_STRUCTURED: Final = ("json", "msgpack")
_COLLECTIONS: Final = frozenset(bytes([code]) for code in (*range(0x80, 0xA0), *range(0xDC, 0xE0)))
"""What MessagePack begins with where it is a map or a list."""
_UNFIT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Proof(msgspec.Struct, frozen=True):
    """The evidence of a transaction, as it is stored.

    Attributes:
        kind: For example `api.response`.
        external_id: Its name in the world it comes from.
        digest: The artefact's SHA-256 as it was booked, hexadecimal.
        intact: Whether the artefact still has that digest.
        size_bytes: How large the artefact is.
        form: What it is.
        shown: The artefact: text as it is, JSON on one line, MessagePack as such JSON (bytes in it as text or in
            hexadecimal), anything else as its bytes in hexadecimal.
        cut: Whether only its beginning is shown.
    """

    kind: str
    external_id: str
    digest: str
    intact: bool
    size_bytes: int
    form: Form
    shown: str
    cut: bool


class Link(msgspec.Struct, frozen=True):
    """A neighbour in the chain."""

    sequence: int
    id: str
    hash: str


class Place(msgspec.Struct, frozen=True):
    """Where a transaction stands in the chain.

    Attributes:
        previous: The one before; None before the first.
        following: The one after; None after the last.
        last: How many there are.
        body_holds: Whether its digest is that of what it says.
        hash_holds: Whether its hash follows from it and from the hash before.
    """

    previous: Link | None
    following: Link | None
    last: int
    body_holds: bool
    hash_holds: bool


class Story(msgspec.Struct, frozen=True):
    """Everything about one transaction.

    Attributes:
        entry: The transaction.
        meters: The counters that moved in the same commit, by name.
        proof: Its evidence.
        place: Where it stands in the chain.
        before: Those it takes a step with or corrects, and so on back to the first, in the chain's order.
        after: Those that take a step with it or correct it, and so on.
    """

    entry: Entry
    meters: dict[str, int]
    proof: Proof
    place: Place
    before: tuple[Entry, ...]
    after: tuple[Entry, ...]


class Stories(msgspec.Struct, frozen=True):
    """What was found under a name.

    Attributes:
        items: The transactions, in the chain's order.
        more: Whether there are others with the same proof.
    """

    items: tuple[Story, ...]
    more: bool = False


def read_stories(connection: sqlite3.Connection, name: str) -> Stories:
    """Tell of the transaction of that id or idempotency key, or of those whose evidence is called so in the world.

    Looking for evidence reads through all transactions: seconds where there are millions.

    Raises:
        sqlite3.Error: The ledger cannot be read.
    """
    parsed = chain.parse_id(name)
    ids = [parsed] if parsed is not None else [chain.transaction_id(book, name) for book in _BOOKS]
    found = [row[0] for id_ in ids for row in connection.execute(_BY_ID, (id_,))]
    if not found and parsed is None:
        found = [sequence for (sequence,) in connection.execute(_BY_EVIDENCE, (name,))]
    items = tuple(_story(connection, entry) for entry in entries_at(connection, found[:MAX_STORIES]))
    return Stories(items, len(found) > MAX_STORIES)


def _story(connection: sqlite3.Connection, entry: Entry) -> Story:
    row = connection.execute(_RAW, (entry.sequence,)).fetchone()
    (*_, evidence_kind, external_id, digest, meters, _, _, artefact) = row[:18]
    related = _related(connection, entry.sequence)
    return Story(
        entry,
        {increment.meter: increment.amount for increment in decode_meters(meters)},
        _proof(evidence_kind, external_id, digest, artefact or b""),
        _place(connection, entry.sequence, row),
        tuple(other for other in related if other.sequence < entry.sequence),
        tuple(other for other in related if other.sequence > entry.sequence),
    )


def _related(connection: sqlite3.Connection, sequence: int) -> list[Entry]:
    known, unseen = {sequence}, [sequence]
    while unseen and len(known) <= MAX_RELATED:
        for (other,) in connection.execute(_RELATED, (unseen.pop(),)):
            if other not in known:
                known.add(other)
                unseen.append(other)
    return entries_at(connection, sorted(known - {sequence}))


def _proof(kind: str, external_id: str, digest: bytes, artefact: bytes) -> Proof:
    intact = sha256(artefact).digest() == digest
    form, shown, cut = _shown(artefact)
    return Proof(kind, external_id, digest.hex(), intact, len(artefact), form, shown, cut)


def _shown(artefact: bytes) -> tuple[Form, str, bool]:
    cut = len(artefact) > MAX_SHOWN_BYTES
    if not cut:
        try:
            msgspec.json.decode(artefact)
            return "json", msgspec.json.format(artefact, indent=-1).decode(), False
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    beginning = artefact[:MAX_SHOWN_BYTES]
    # The cut may go through a character: what is left of it is dropped.
    text = beginning.decode(errors="ignore") if cut else beginning.decode(errors="replace")
    if not cut and artefact[:1] in _COLLECTIONS and (told := _told(artefact)) is not None:
        return "msgpack", told, False
    if _UNFIT.search(text) or "\ufffd" in text or len(text.encode()) < len(beginning) - 3:
        return "binary", beginning[: MAX_SHOWN_BYTES // 2].hex(), len(artefact) > MAX_SHOWN_BYTES // 2
    return "text", text, cut


def _told(artefact: bytes) -> str | None:
    """Return MessagePack as JSON; None where it is none."""
    try:
        return msgspec.json.encode(_readable(msgspec.msgpack.decode(artefact))).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, TypeError):
        return None


def _readable(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(_readable(key)): _readable(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_readable(member) for member in value]
    if isinstance(value, bytes):
        form, shown, _ = _shown(value)
        return msgspec.Raw(shown.encode()) if form in _STRUCTURED else shown
    if isinstance(value, msgspec.msgpack.Ext):
        return {"type": value.code, "data": bytes(value.data).hex()}
    return value


def _place(connection: sqlite3.Connection, sequence: int, row: tuple[Any, ...]) -> Place:
    (book, stream, instance, key, kind, state, occurred_at, booked_at, memo, corrects, reason) = row[:11]
    (evidence_kind, external_id, digest, meters, body_digest, this_hash, _, expires_at, target, outcome, why) = row[11:]
    previous, following = (_link(connection, place) for place in (sequence - 1, sequence + 1))
    postings = [Posting(*leg) for leg in connection.execute(_LEGS, (sequence,))]
    body = chain.body_digest(
        book,
        key,
        kind,
        stream,
        instance,
        postings,
        (evidence_kind, external_id, digest.hex()),
        Correction(chain.id_text(corrects), reason) if corrects is not None else None,
        state,
        expires_at,
        Resolution(chain.id_text(target), outcome, why) if target is not None else None,
    )
    before = bytes.fromhex(previous.hash) if previous is not None else chain.GENESIS
    increments = decode_meters(meters)
    expected = chain.next_hash(before, body_digest, sequence, occurred_at, booked_at, state, memo, increments)
    (last,) = connection.execute(_LAST).fetchone()
    return Place(previous, following, last, body == body_digest, expected == this_hash)


def _link(connection: sqlite3.Connection, sequence: int) -> Link | None:
    rows: Iterable[tuple[int, bytes, bytes]] = connection.execute(_LINK, (sequence,))
    return next((Link(place, chain.id_text(id_), its_hash.hex()) for place, id_, its_hash in rows), None)
