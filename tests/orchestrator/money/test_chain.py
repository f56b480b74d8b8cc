from __future__ import annotations

import json
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.money import chain
from streams.booking import Correction, MeterIncrement, Posting, Resolution

text = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Zl", "Zp")), max_size=20)


def canonical(array: object) -> bytes:
    return json.dumps(array, separators=(",", ":"), ensure_ascii=False).encode()


@given(text, text)
def test_an_id_can_be_computed_from_book_and_key_by_a_stranger(book: str, key: str) -> None:
    digest = sha256(book.encode() + b"\0" + key.encode()).hexdigest()
    assert chain.id_text(chain.transaction_id(book, key)) == f"tx_{digest[:32]}"


@given(text, text, text, st.integers(-(2**63), 2**63 - 1))
def test_digests_can_be_computed_with_any_json_encoder(key: str, external_id: str, reason: str, units: int) -> None:
    corrected = f"tx_{'0' * 32}"
    body = chain.body_digest(
        "paper",
        key,
        "api.call",
        "s",
        "i",
        (Posting("a", "USD", units), Posting("b", "USD", -units)),
        ("api.response", external_id, "ab" * 32),
        Correction(corrected, reason),
    )
    assert (
        body
        == sha256(
            canonical(
                [
                    *("paper", key, "api.call", "s", "i"),
                    [["a", "USD", units], ["b", "USD", -units]],
                    ["api.response", external_id, "ab" * 32],
                    [corrected, reason],
                ]
            )
        ).digest()
    )
    assert (
        chain.next_hash(chain.GENESIS, body, 1, 2, 3, "posted", key, (MeterIncrement(reason, units),))
        == sha256(bytes(32) + body + canonical([1, 2, 3, "posted", key, [[reason, units]]])).digest()
    )


def test_an_id_is_read_back_from_its_text() -> None:
    transaction = chain.transaction_id("paper", "k")
    assert chain.parse_id(chain.id_text(transaction)) == transaction


def test_other_text_is_no_id() -> None:
    for text in ("", "tx_", "tx_" + "0" * 31, "tx_" + "0" * 33, "tx_" + "G" * 32, "tx_" + " 0" * 16, "0" * 35):
        assert chain.parse_id(text) is None


@given(text, st.none() | st.integers(0, 2**62))
def test_digests_of_pending_bookings_and_of_steps_can_be_computed_by_a_stranger(
    reason: str, expires_at_us: int | None
) -> None:
    plain = ("paper", "k", "kind", "s", "i", (), ("e", "x", "ab" * 32), None)
    array = [*plain[:5], [], ["e", "x", "ab" * 32], None]
    pending = chain.body_digest(*plain, "pending", expires_at_us)
    assert pending == sha256(canonical([*array, "pending", expires_at_us, None])).digest()
    target = f"tx_{'0' * 32}"
    step = chain.body_digest(*plain, "posted", None, Resolution(target, "voided", reason))
    assert step == sha256(canonical([*array, "posted", None, [target, "voided", reason]])).digest()
    assert chain.body_digest(*plain) == sha256(canonical(array)).digest()  # as before there were states
