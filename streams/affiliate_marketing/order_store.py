"""What an instance knows of orders: every postback with its proof, and every step that was or is to be booked.

One SQLite file with one connection, for one thread. What is committed is on the disk. A postback, what was
decided about it and the steps that follow from it are one transaction: after a crash there is either all of
that, and the steps are booked then, or nothing, and the network sends it again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec

from streams.affiliate_marketing.claim import Claim
from streams.affiliate_marketing.judgement import Attribution, Doubt
from streams.affiliate_marketing.standing import Standing
from streams.affiliate_marketing.steps import Step

Verdict: TypeAlias = Literal["accepted", "quarantined", "dismissed"]
EvidenceKind: TypeAlias = Literal["network.postback", "statement.line"]

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS postbacks (
    number INTEGER PRIMARY KEY,
    network TEXT NOT NULL,
    id TEXT NOT NULL,
    received_us INTEGER NOT NULL,
    digest BLOB NOT NULL,
    kind TEXT NOT NULL,
    proof BLOB NOT NULL,
    claim BLOB,
    order_id TEXT,
    verdict TEXT NOT NULL,
    doubt TEXT,
    detail TEXT NOT NULL,
    UNIQUE (network, id)
) STRICT;
CREATE INDEX IF NOT EXISTS postbacks_of_order ON postbacks (network, order_id) WHERE verdict = 'accepted';
CREATE INDEX IF NOT EXISTS postbacks_in_doubt ON postbacks (number) WHERE verdict = 'quarantined';
CREATE TABLE IF NOT EXISTS steps (
    network TEXT NOT NULL,
    order_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    step BLOB NOT NULL,
    postback INTEGER NOT NULL REFERENCES postbacks (number),
    expires_us INTEGER,
    receipt TEXT,
    rejection TEXT,
    PRIMARY KEY (network, order_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS steps_to_book ON steps (network, order_id) WHERE receipt IS NULL AND rejection IS NULL;
CREATE TABLE IF NOT EXISTS orders (
    network TEXT NOT NULL,
    order_id TEXT NOT NULL,
    state TEXT NOT NULL,
    currency TEXT NOT NULL,
    standing BLOB NOT NULL,
    attribution BLOB NOT NULL,
    ordered_us INTEGER NOT NULL,
    PRIMARY KEY (network, order_id)
) STRICT, WITHOUT ROWID;
"""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_encode: Final = msgspec.json.Encoder().encode
_decode_claim: Final = msgspec.json.Decoder(Claim).decode
_decode_step: Final = msgspec.json.Decoder(Step).decode
_decode_standing: Final = msgspec.json.Decoder(Standing).decode
_decode_attribution: Final = msgspec.json.Decoder(Attribution).decode


class Postback(msgspec.Struct, frozen=True):
    """Something that a network said, as it is kept.

    Attributes:
        network: Who said it.
        id: What names it for ever: the id of the webhook, or a digest.
        received_at: When it came, UTC.
        digest: SHA-256 of its body.
        kind: The kind of evidence that it is.
        proof: It, as it came.
        claim: What it says; None where that makes no sense.
        verdict: What was decided.
        doubt: Why it is in quarantine.
        detail: For people.
        number: Its row; 0 before it is kept.
    """

    network: str
    id: str
    received_at: datetime
    digest: bytes
    kind: EvidenceKind
    proof: bytes
    claim: Claim | None
    verdict: Verdict
    doubt: Doubt | None = None
    detail: str = ""
    number: int = 0


class Order(msgspec.Struct, frozen=True):
    """An order, as its accepted postbacks have it."""

    network: str
    order_id: str
    currency: str
    standing: Standing
    attribution: Attribution
    ordered_at: datetime


class StepToBook(msgspec.Struct, frozen=True):
    """A step of an order.

    Attributes:
        number: Its number within the order.
        step: What it does.
        postback: The number of the postback that it follows from.
        expires_at: When its pending line expires.
        receipt: The transaction's id, once it is booked.
        rejection: Why it can never be booked.
    """

    number: int
    step: Step
    postback: int
    expires_at: datetime | None
    receipt: str | None
    rejection: str | None


class OrderStore:
    """The file, open. Every method blocks; all of them belong in one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection

    def open(self) -> None:
        """Open the file; it is made where it is missing.

        Raises:
            sqlite3.Error: It is damaged, or cannot be opened.
        """
        self._path.touch(mode=0o600)
        self._db = sqlite3.connect(self._path, isolation_level=None)
        self._db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def atomically(self, change: Callable[[], Any]) -> Any:
        """Make all changes of a function one: all of them are on the disk when this returns, or none.

        Raises:
            sqlite3.Error: None of them was made.
        """
        self._db.execute("BEGIN IMMEDIATE")
        try:
            result = change()
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        return result

    def find(self, network: str, postback_id: str) -> Postback | None:
        """Return a postback by its id."""
        return self._one(f"{_POSTBACK} WHERE network = ? AND id = ?", network, postback_id)

    def get(self, number: int) -> Postback | None:
        """Return a postback by its number."""
        return self._one(f"{_POSTBACK} WHERE number = ?", number)

    def keep(self, postback: Postback) -> int:
        """Keep a postback and return its number."""
        claim = postback.claim
        row = self._db.execute(
            "INSERT INTO postbacks (network, id, received_us, digest, kind, proof, claim, order_id, verdict, doubt, "
            "detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                postback.network,
                postback.id,
                _us(postback.received_at),
                postback.digest,
                postback.kind,
                postback.proof,
                None if claim is None else _encode(claim),
                None if claim is None else claim.order_id,
                postback.verdict,
                postback.doubt,
                postback.detail,
            ),
        )
        assert row.lastrowid is not None
        return row.lastrowid

    def judge(self, number: int, verdict: Verdict, doubt: Doubt | None, detail: str) -> None:
        """Decide about a postback anew."""
        self._db.execute(
            "UPDATE postbacks SET verdict = ?, doubt = ?, detail = ? WHERE number = ?", (verdict, doubt, detail, number)
        )

    def quarantine(self, limit: int) -> list[Postback]:
        """Return what is in quarantine, oldest first."""
        rows = self._db.execute(f"{_POSTBACK} WHERE verdict = 'quarantined' ORDER BY number LIMIT ?", (limit,))
        return [_postback(row) for row in rows]

    def claims(self, network: str, order_id: str) -> list[Claim]:
        """Return what was said of an order and accepted."""
        rows = self._db.execute(
            "SELECT claim FROM postbacks WHERE network = ? AND order_id = ? AND verdict = 'accepted'",
            (network, order_id),
        )
        return [_decode_claim(claim) for (claim,) in rows]

    def steps(self, network: str, order_id: str) -> list[StepToBook]:
        """Return all steps of an order, in order."""
        rows = self._db.execute(
            "SELECT number, step, postback, expires_us, receipt, rejection FROM steps "
            "WHERE network = ? AND order_id = ? ORDER BY number",
            (network, order_id),
        )
        return [
            StepToBook(number, _decode_step(step), postback, _instant(expires_us), receipt, rejection)
            for number, step, postback, expires_us, receipt, rejection in rows
        ]

    def plan(
        self, network: str, order_id: str, steps: dict[int, Step], postback: int, expires_at: datetime | None
    ) -> None:
        """Note steps that are to be booked."""
        self._db.executemany(
            "INSERT INTO steps (network, order_id, number, step, postback, expires_us) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (network, order_id, number, _encode(step), postback, _us(expires_at) if step.kind == "expect" else None)
                for number, step in steps.items()
            ],
        )

    def booked(self, network: str, order_id: str, number: int, receipt: str) -> None:
        """Note that a step is booked."""
        self._db.execute(
            "UPDATE steps SET receipt = ? WHERE network = ? AND order_id = ? AND number = ?",
            (receipt, network, order_id, number),
        )

    def rejected(self, network: str, order_id: str, number: int, reason: str) -> None:
        """Note that a step, and those after it, can never be booked."""
        self._db.execute(
            "UPDATE steps SET rejection = ? WHERE network = ? AND order_id = ? AND number >= ? AND receipt IS NULL",
            (reason, network, order_id, number),
        )

    def expire(self, network: str, order_id: str, number: int, at: datetime) -> None:
        """Note that the pending line of a step has expired."""
        self._db.execute(
            "UPDATE steps SET expires_us = ? WHERE network = ? AND order_id = ? AND number = ?",
            (_us(at), network, order_id, number),
        )

    def unbooked(self) -> list[tuple[str, str]]:
        """Return the orders that have steps to book."""
        return self._db.execute(
            "SELECT DISTINCT network, order_id FROM steps WHERE receipt IS NULL AND rejection IS NULL"
        ).fetchall()

    def order(self, network: str, order_id: str) -> Order | None:
        """Return an order."""
        row = self._db.execute(f"{_ORDER} WHERE network = ? AND order_id = ?", (network, order_id)).fetchone()
        return None if row is None else _order(row)

    def orders(self, network: str | None, limit: int) -> list[Order]:
        """Return orders, the latest first; of one network, if it is named."""
        where, values = ("", ()) if network is None else ("WHERE network = ?", (network,))
        rows: Sequence[Any] = self._db.execute(
            f"{_ORDER} {where} ORDER BY ordered_us DESC LIMIT ?", (*values, limit)
        ).fetchall()
        return [_order(row) for row in rows]

    def set_order(self, order: Order) -> None:
        """Keep how an order stands."""
        self._db.execute(
            "INSERT OR REPLACE INTO orders (network, order_id, state, currency, standing, attribution, ordered_us) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                order.network,
                order.order_id,
                order.standing.state,
                order.currency,
                _encode(order.standing),
                _encode(order.attribution),
                _us(order.ordered_at),
            ),
        )

    def in_quarantine(self) -> int:
        """Return how many postbacks are in quarantine."""
        count: int = self._db.execute("SELECT count(*) FROM postbacks WHERE verdict = 'quarantined'").fetchone()[0]
        return count

    def counts(self) -> dict[str, int]:
        """Return how many orders stand how, and how much is in quarantine."""
        by_state = dict(self._db.execute("SELECT state, count(*) FROM orders GROUP BY state ORDER BY state"))
        return {**by_state, "quarantined": self.in_quarantine()}

    def _one(self, query: str, *values: object) -> Postback | None:
        row = self._db.execute(query, values).fetchone()
        return None if row is None else _postback(row)


_POSTBACK: Final = (
    "SELECT network, id, received_us, digest, kind, proof, claim, verdict, doubt, detail, number FROM postbacks"
)
_ORDER: Final = "SELECT network, order_id, currency, standing, attribution, ordered_us FROM orders"


def _postback(row: tuple[Any, ...]) -> Postback:
    network, postback_id, received_us, digest, kind, proof, claim, verdict, doubt, detail, number = row
    said = None if claim is None else _decode_claim(claim)
    received_at = _EPOCH + timedelta(microseconds=received_us)
    return Postback(network, postback_id, received_at, digest, kind, proof, said, verdict, doubt, detail, number)


def _order(row: tuple[Any, ...]) -> Order:
    network, order_id, currency, standing, attribution, ordered_us = row
    return Order(
        network,
        order_id,
        currency,
        _decode_standing(standing),
        _decode_attribution(attribution),
        _EPOCH + timedelta(microseconds=ordered_us),
    )


def _us(instant: datetime | None) -> int | None:
    return None if instant is None else (instant - _EPOCH) // timedelta(microseconds=1)


def _instant(us: int | None) -> datetime | None:
    return None if us is None else _EPOCH + timedelta(microseconds=us)
