from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.money import story
from orchestrator.money.schema import open_reader
from orchestrator.money.store import Store
from orchestrator.money.story import Link, Stories, Story, read_stories
from streams.booking import Correction, Evidence, Receipt
from tests.orchestrator.money.bookings import (
    api_call,
    book,
    commission,
    earned,
    ledger_with,
    paid,
    step,
    taken_back,
    write,
)


def only(stories: Stories) -> Story:
    (found,) = stories.items
    assert not stories.more
    return found


@pytest.fixture
def told(store: Store) -> dict[str, Receipt]:
    """A commission from its promise to its payout and beyond, between calls that have nothing to do with it."""
    book(store, api_call(1))
    pending = book(store, commission())
    posted = book(store, step(pending, "posted", *earned(900)))
    book(store, api_call(2))
    settled = book(store, step(posted, "settled", *paid(900, fee=20)))
    reversed_ = book(store, step(posted, "reversed", *taken_back(100)))
    wrong = book(store, api_call(3))
    right = book(store, api_call(4, corrects=Correction(wrong.id, "charged twice")))
    return {
        "pending": pending,
        "posted": posted,
        "settled": settled,
        "reversed": reversed_,
        "wrong": wrong,
        "right": right,
    }


def test_a_transaction_is_told_with_its_proof_and_what_moved(
    reading: sqlite3.Connection, told: dict[str, Receipt]
) -> None:
    found = only(read_stories(reading, told["wrong"].id))
    assert found.entry.id == told["wrong"].id
    assert found.meters == {"calls:ak_1:2026-01": 1}
    artefact = b'{"valid": true, "call": 3}'
    assert (found.proof.kind, found.proof.external_id, found.proof.form) == ("api.response", "req-3", "json")
    assert json.loads(found.proof.shown) == {"valid": True, "call": 3}
    assert (found.proof.digest, found.proof.intact, found.proof.size_bytes) == (
        hashlib.sha256(artefact).hexdigest(),
        True,
        len(artefact),
    )


@pytest.mark.parametrize("which", ["pending", "posted", "settled", "reversed"])
def test_the_story_is_whole_whichever_of_its_transactions_is_asked_for(
    reading: sqlite3.Connection, told: dict[str, Receipt], which: str
) -> None:
    found = only(read_stories(reading, told[which].id))
    chapters = [*found.before, found.entry, *found.after]
    assert [chapter.id for chapter in chapters] == [
        told[name].id for name in ("pending", "posted", "settled", "reversed")
    ]


def test_corrections_are_told_from_both_sides(reading: sqlite3.Connection, told: dict[str, Receipt]) -> None:
    wrong, right = (only(read_stories(reading, told[name].id)) for name in ("wrong", "right"))
    assert [entry.id for entry in wrong.after] == [told["right"].id]
    assert [entry.id for entry in right.before] == [told["wrong"].id]


def test_neighbours_in_the_chain_are_told_and_the_hash_recomputed(
    reading: sqlite3.Connection, told: dict[str, Receipt]
) -> None:
    place = only(read_stories(reading, told["posted"].id)).place
    assert place.previous is not None
    assert place.following is not None
    assert (place.previous.sequence, place.previous.id) == (2, told["pending"].id)
    assert (place.following.sequence, place.last) == (4, 8)
    assert (place.body_holds, place.hash_holds) == (True, True)
    first = only(read_stories(reading, "req-1")).place
    assert (first.previous, first.hash_holds) == (None, True)
    last = only(read_stories(reading, told["right"].id)).place
    assert last.following is None
    assert isinstance(last.previous, Link)


def test_every_transaction_of_a_ledger_holds(reading: sqlite3.Connection, told: dict[str, Receipt]) -> None:
    ids = [row[0] for row in reading.execute("SELECT 'tx_' || lower(hex(id)) FROM transactions")]
    assert len(ids) == 8
    for id_ in ids:
        place = only(read_stories(reading, id_)).place
        assert (place.body_holds, place.hash_holds) == (True, True)


def test_a_proof_or_a_body_that_was_changed_is_told_so(path: Path) -> None:
    ledger_with(path, api_call(1), api_call(2))
    with closing(sqlite3.connect(path)) as connection:
        for name, _ in connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE evidence SET artefact = x'00' WHERE sequence = 1")
        connection.execute("UPDATE transactions SET memo = 'changed' WHERE sequence = 1")
        connection.execute("UPDATE transactions SET kind = 'other' WHERE sequence = 2")
        connection.commit()
    with closing(open_reader(path)) as connection:
        first, second = (only(read_stories(connection, f"req-{n}")) for n in (1, 2))
    assert (first.proof.intact, first.place.body_holds, first.place.hash_holds) == (False, True, False)
    assert (second.proof.intact, second.place.body_holds, second.place.hash_holds) == (True, False, True)


def test_it_is_found_by_the_proofs_own_name_or_the_idempotency_key(
    reading: sqlite3.Connection, told: dict[str, Receipt]
) -> None:
    assert only(read_stories(reading, "pb-1")).entry.id == told["pending"].id
    assert only(read_stories(reading, "commission:1")).entry.id == told["pending"].id


def test_all_that_have_the_same_proof_are_told_up_to_a_number(store: Store, reading: sqlite3.Connection) -> None:
    evidence = Evidence("statement.line", "line-7", b"x")
    write(store, *(api_call(n, evidence=evidence) for n in range(story.MAX_STORIES + 1)))
    found = read_stories(reading, "line-7")
    assert [each.entry.sequence for each in found.items] == list(range(1, story.MAX_STORIES + 1))
    assert found.more


@pytest.mark.parametrize("name", ["tx_" + "0" * 32, "tx_short", "nothing", ""])
def test_nothing_is_found_under_another_name(reading: sqlite3.Connection, told: dict[str, Receipt], name: str) -> None:
    assert read_stories(reading, name) == Stories(())


@pytest.mark.parametrize(
    ("artefact", "form", "shown"),
    [
        (b'{"a":\n 1.10}', "json", '{"a":1.10}'),
        (b"GET /c/x HTTP/1.1\r\nHost: a\r\n", "text", "GET /c/x HTTP/1.1\r\nHost: a\r\n"),
        ("Größe".encode(), "text", "Größe"),
        (b"\x00\x01\xff", "binary", "0001ff"),
        (
            msgspec.msgpack.encode({"path": "/v1/x", "body": b'{"a": 1}', "digest": b"\x00\xff", 7: [b"GET"]}),
            "msgpack",
            '{"path":"/v1/x","body":{"a":1},"digest":"00ff","7":["GET"]}',
        ),
        (b"\x93\x01\x02", "binary", "930102"),
        (b"\x1b[2J", "binary", "1b5b324a"),
        ("Größe".encode("latin-1"), "binary", "Größe".encode("latin-1").hex()),
    ],
)
def test_an_artefact_is_shown_as_what_it_is(artefact: bytes, form: str, shown: str) -> None:
    assert story._shown(artefact) == (form, shown, False)


def test_of_a_large_artefact_the_beginning_is_shown() -> None:
    form, shown, cut = story._shown("ä".encode() * story.MAX_SHOWN_BYTES + b"b")
    assert (form, cut, len(shown)) == ("text", True, story.MAX_SHOWN_BYTES // 2)
    form, shown, cut = story._shown(bytes(story.MAX_SHOWN_BYTES))
    assert (form, cut, len(shown)) == ("binary", True, story.MAX_SHOWN_BYTES)


@given(st.binary(max_size=200))
def test_any_artefact_can_be_shown(artefact: bytes) -> None:
    form, shown, _ = story._shown(artefact)
    if form == "text":
        assert shown.encode() == artefact
    elif form == "binary":
        assert bytes.fromhex(shown) == artefact


def test_a_story_that_goes_on_and_on_is_cut(
    store: Store, reading: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "MAX_RELATED", 5)
    wrong = book(store, api_call(0))
    for n in range(1, 20):
        wrong = book(store, api_call(n, corrects=Correction(wrong.id, "wrong again")))
    assert len(only(read_stories(reading, "req-0")).after) <= 6
