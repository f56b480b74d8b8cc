from __future__ import annotations

import enum
import pathlib
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from string import ascii_letters, digits
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.logs.line import MAX_LINE_BYTES, compose
from orchestrator.logs.redaction import REDACTED, is_sensitive, redact, redact_field, redact_text


@pytest.mark.parametrize(
    "name",
    [
        "authorization", "Authorization", "Proxy-Authorization", "token", "access_token", "accessToken",
        "secret", "client_secret", "webhookSecret", "password", "PASSWORD", "key", "api_key", "apiKey",
        "X-API-Key", "private_key", "keys", "cookie", "Set-Cookie", "credentials", "passphrase",
    ],
)  # fmt: skip
def test_names_of_secrets_are_known_however_they_are_written(name: str) -> None:
    assert is_sensitive(name)
    assert redact_field(name, "open sesame") == REDACTED


@pytest.mark.parametrize(
    "name",
    ["keyboard", "monkey", "tokenizer", "key_id", "token_count", "secret_name", "token_type", "port", "",
     "idempotency_key", "public_key", "secretary", "token_file"],
)  # fmt: skip
def test_names_that_only_look_like_one_are_left_alone(name: str) -> None:
    assert not is_sensitive(name)


def test_nothing_numbers_and_flags_are_no_secrets() -> None:
    assert redact_field("token", None) is None
    assert redact_field("password", True) is True
    assert redact_field("tokens", 12) == 12
    assert redact_field("password", 1234) == REDACTED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("key ak_test_9fA-x_1 refused", f"key ak_test_{REDACTED} refused"),
        ("ak_live_0123456789", f"ak_live_{REDACTED}"),
        ("Authorization: Bearer abc.def-ghi", f"Authorization: Bearer {REDACTED}"),
        ("bearer abc", f"bearer {REDACTED}"),
        ("Authorization: Basic dXNlcjpwYXNz", f"Authorization: Basic {REDACTED}"),
        ("GET /x?token=abc&b=1", f"GET /x?token={REDACTED}&b=1"),
        ("https://user:pa55@example.test/", f"https://user:{REDACTED}@example.test/"),
        ('{"client_secret": "abc", "a": 1}', f'{{"client_secret": "{REDACTED}", "a": 1}}'),
        ("Settings(password='a b', port=1)", f"Settings(password={REDACTED}, port=1)"),
        ("whsec_MfKQ9r8GKYqrTwjU", f"whsec_{REDACTED}"),
        ("ghp_0123456789abcdefghij", f"ghp_{REDACTED}"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", REDACTED),
        ("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\nrest", f"{REDACTED}\nrest"),
        ("instance.ready", "instance.ready"),
        ("the token is missing", "the token is missing"),
        ("http://127.0.0.1:7800/v1/iban", "http://127.0.0.1:7800/v1/iban"),
    ],
)
def test_text_that_looks_like_a_secret_is_taken_out(text: str, expected: str) -> None:
    assert redact_text(text) == expected


def test_headers_in_pairs_are_read_like_named_values() -> None:
    assert redact([("Authorization", "abc"), (b"cookie", b"abc"), ("accept", "abc")]) == [
        ["Authorization", REDACTED],
        ["cookie", REDACTED],
        ["accept", "abc"],
    ]


class Colour(enum.Enum):
    RED = "red"


class Name(str):
    """A text of a type of its own."""


class Masked(str):
    def __repr__(self) -> str:
        return "***"


class Account(msgspec.Struct):
    user: str
    password: str


@dataclass
class Login:
    user: str
    password: str


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Colour.RED, "red"),
        (Name("x"), "x"),
        (Masked("sesame"), "***"),
        (b"abc", "<3 bytes>"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (pathlib.PurePosixPath("/a"), "/a"),
        (Decimal("0.10"), "0.10"),
        (ValueError("a"), "ValueError: a"),
        (2**70, str(2**70)),
        (float("inf"), "inf"),
        ((1, [2.5, None]), [1, [2.5, None]]),
        (Account("me", "sesame"), {"user": "me", "password": REDACTED}),
        (Login("me", "sesame"), f"Login(user='me', password={REDACTED})"),
        ({1: {"token": "a"}}, {"1": {"token": REDACTED}}),
    ],
)
def test_values_become_plain(value: object, expected: object) -> None:
    assert redact(value) == expected


def test_what_is_long_wide_or_deep_is_cut() -> None:
    assert len(redact("x" * 100_000)) < 9000
    assert len(redact(list(range(1000)))) == 65
    assert redact(list(range(1000)))[-1] == "… 936 more"
    nested: Any = "end"
    for _ in range(50):
        nested = [nested]
    assert str(redact(nested)).count("[") == 10
    wide: Any = "leaf"
    for _ in range(9):
        wide = [wide] * 64
    assert len(msgspec.json.encode(redact(wide))) < 1_000_000


plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=20) | st.datetimes(),
    lambda children: (
        st.lists(children, max_size=5) | st.dictionaries(st.text(max_size=10) | st.integers(), children, max_size=5)
    ),
    max_leaves=20,
)


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.text(max_size=20), plain_values, max_size=6))
def test_any_event_becomes_one_line_of_json(event: dict[str, Any]) -> None:
    line = compose("info", "x", event)
    assert line.encoded.count(b"\n") == 1
    assert len(line.encoded) <= MAX_LINE_BYTES
    assert msgspec.json.decode(line.encoded)["level"] == "info"
    assert "unloggable" not in line.fields


@settings(max_examples=100, deadline=None)
@given(
    st.text(alphabet=ascii_letters + digits, min_size=16, max_size=40),
    st.text(max_size=20),
    st.sampled_from(["ak_test_{}", "ak_live_{}", "Authorization: Bearer {}", "https://u:{}@h/", "?api_key={}&x=1"]),
)
def test_no_secret_survives_whatever_stands_around_it(secret: str, around: str, shape: str) -> None:
    text = f"{around} {shape.format(secret)} {around}"
    line = compose("info", "x", {"event": text, "field": {"deep": [text]}, "exc_info": ValueError(text)})
    if secret not in around:
        assert secret.encode() not in line.encoded
