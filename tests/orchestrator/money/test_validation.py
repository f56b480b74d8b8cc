from __future__ import annotations

from typing import Any

import pytest

from orchestrator.money import validation
from orchestrator.money.preparation import prepare
from orchestrator.money.validation import account_kind
from streams.booking import BookingRejected, Correction, Evidence, MeterIncrement, Posting, Resolution
from streams.money import MAX_UNITS
from tests.orchestrator.money.bookings import NOON, api_call

ID = "tx_" + "0" * 32


def legs(*units: int, asset: str = "USD", account: str = "asset:cash") -> tuple[Posting, ...]:
    return tuple(Posting(account, asset, amount) for amount in units)


def evidence(kind: str = "api.response", external_id: str = "r", artefact: Any = b"x") -> Evidence:
    return Evidence(kind, external_id, artefact)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"book": "third"}, "no book 'third'"),
        ({"book": ["paper"]}, "malformed"),
        ({"key": ""}, "key must be text of 1 to 512"),
        ({"key": "k" * 513}, "key must be text of 1 to 512"),
        ({"key": 7}, "key must be text"),
        ({"key": "a\0b"}, r"contains the character '\\x00'"),
        ({"key": "a\ud800"}, "contains the character"),
        ({"kind": "api call"}, "kind 'api call' is not a name"),
        ({"stream": ""}, "stream '' is not a name"),
        ({"instance": "../../etc"}, "is not a name"),
        ({"instance": ".."}, "is not a name"),
        ({"instance": "a/b"}, "is not a name"),
        ({"instance": "i" * 129}, "is not a name"),
        ({"postings": ()}, "2 to 256 postings, not 0"),
        ({"postings": legs(0)}, "2 to 256 postings, not 1"),
        ({"postings": legs(*([0] * 257))}, "2 to 256 postings, not 257"),
        ({"postings": None}, "malformed"),
        ({"postings": legs(1, 1)}, "USD sum to 2 units"),
        ({"postings": legs(1, asset="USD") + legs(-1, asset="EUR")}, "USD sum to 1 units"),
        ({"postings": legs(1, -1, asset="XXX")}, "no asset 'XXX' is declared"),
        ({"postings": legs(1, -1, account="cash")}, "account 'cash' is not one of asset, cost"),
        ({"postings": legs(1, -1, account="money:cash")}, "is not one of asset, cost"),
        ({"postings": legs(1, -1, account="asset:")}, "is not one of asset, cost"),
        ({"postings": legs(1, -1, account="asset:a b")}, "is not one of asset, cost"),
        ({"postings": legs(1, -1, account="asset:" + "a" * 128)}, "is not one of asset, cost"),
        ({"postings": (Posting(5, "USD", 1), *legs(-1))}, "account 5 is not text"),  # type: ignore[arg-type]
        ({"postings": (Posting("asset:a", "USD", 0.5), *legs(-1))}, "0.5 .* whole number"),  # type: ignore[arg-type]
        ({"postings": legs(True, -1)}, "True .* is not a whole number"),
        ({"postings": legs(MAX_UNITS + 1, -MAX_UNITS - 1)}, "beyond what a ledger row holds"),
        ({"occurred_at": NOON.replace(tzinfo=None)}, "not an aware datetime"),
        ({"occurred_at": NOON.replace(year=1970)}, "not in the years"),
        ({"occurred_at": NOON.isoformat()}, "malformed"),
        ({"evidence": evidence(kind="")}, "kind of the evidence"),
        ({"evidence": evidence(external_id="a\tb")}, "external id of the evidence contains"),
        ({"evidence": evidence(external_id="")}, "external id of the evidence must be"),
        ({"evidence": evidence(artefact=b"")}, "no artefact"),
        ({"evidence": evidence(artefact="text")}, "no artefact"),
        ({"evidence": evidence(artefact=b"x" * (256 * 1024 + 1))}, "262145 bytes, at most 262144"),
        ({"evidence": None}, "malformed"),
        ({"memo": "line\nline"}, "memo contains"),
        ({"memo": "m" * 513}, "memo must be text"),
        ({"meters": tuple(MeterIncrement(f"m{n}", 1) for n in range(65))}, "at most 64 meters, not 65"),
        ({"meters": (MeterIncrement("", 1),)}, "name of a meter"),
        ({"meters": (MeterIncrement("m", 1.0),)}, "meter m cannot move by 1.0"),  # type: ignore[arg-type]
        ({"meters": (MeterIncrement("m", MAX_UNITS + 1),)}, "meter m cannot move"),
        ({"corrects": Correction("tx_1", "r")}, "'tx_1' is not the id"),
        ({"corrects": Correction("tx_" + "0" * 32, "")}, "reason of the correction"),
        ({"state": "settled"}, "no state 'settled' to book in, only pending and posted"),
        ({"state": ["posted"]}, "malformed"),
        ({"expires_at": NOON}, "only what is pending expires"),
        ({"state": "pending", "expires_at": NOON.replace(tzinfo=None)}, "expires_at .* is not an aware datetime"),
        ({"state": "pending", "expires_at": NOON.replace(year=9999)}, "expires_at .* is not in the years"),
        ({"state": "pending", "expires_at": 5}, "malformed"),
        ({"state": "pending", "corrects": Correction(ID, "r")}, "a correction is posted at once"),
        ({"state": "pending", "resolves": Resolution(ID, "posted")}, "a step .* is not pending itself"),
        ({"resolves": Resolution("tx_1", "posted")}, "'tx_1' is not the id of a transaction"),
        ({"resolves": Resolution(5, "posted")}, "malformed"),  # type: ignore[arg-type]
        ({"resolves": Resolution(ID, "paid")}, "cannot be 'paid', only expired, posted"),  # type: ignore[arg-type]
        ({"resolves": Resolution(ID, "posted", "a\nb")}, "reason of the step contains"),
        ({"resolves": Resolution(ID, "posted"), "corrects": Correction(ID, "r")}, "corrects another .* not both"),
        ({"resolves": Resolution(ID, "voided")}, "nothing moves where a transaction is voided"),
        ({"resolves": Resolution(ID, "expired"), "postings": legs(0, 0)}, "where a transaction is expired"),
        ({"resolves": Resolution(ID, "settled"), "postings": ()}, "2 to 256 postings, not 0"),
        ({"postings": legs(5, account="income:internal:s:i") + legs(-5)}, "between instances .* do not sum to zero"),
        ({"postings": legs(5, -5, account="cost:internal:a") + legs(-7, account="asset:internal:due") + legs(7)}, "do"),
    ],
)
def test_what_can_never_be_booked_is_rejected_with_its_reason(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(BookingRejected, match=reason):
        prepare(api_call(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "k" * 512, "memo": "m" * 512},
        {"memo": "12 €, Größe\u00a0XL, 東京 🎉"},
        {"kind": "a" * 128},
        {"postings": legs(*([0] * 256))},
        {"postings": legs(MAX_UNITS, -MAX_UNITS)},
        {"postings": legs(5, -5) + legs(-7, 7, asset="BTC")},
        {"postings": legs(1, -1, account="liability:customer:ak_test_1@example.org+a")},
        {"evidence": evidence(artefact=b"\0" * validation.MAX_ARTEFACT_BYTES)},
        {"meters": ()},
        {"meters": (MeterIncrement("calls: a key's, 2026", -1),)},
        {"occurred_at": NOON.replace(year=1971)},
        {"state": "pending"},
        {"state": "pending", "expires_at": NOON},
        {"resolves": Resolution(ID, "voided"), "postings": ()},
        {"resolves": Resolution(ID, "reversed", "r" * 512)},
        {"postings": legs(5, account="cost:internal:s:i") + legs(-5, account="asset:internal:due:a:b")},
    ],
)
def test_what_is_at_the_limits_is_accepted(changes: dict[str, Any]) -> None:
    assert prepare(api_call(**changes)).booking == api_call(**changes)


def test_an_account_has_the_kind_its_name_begins_with() -> None:
    assert account_kind("income:api_services:api_services-001") == "income"
    assert account_kind("cost:fees") == "cost"
