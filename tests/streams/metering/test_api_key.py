"""Keys that scanners can find and nobody can guess."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.booking import BookName
from streams.metering.api_key import KEY_LENGTH, digest_of, display_of, is_well_formed, new_api_key


@pytest.mark.parametrize(("book", "prefix"), [("paper", "ak_test_"), ("live", "ak_live_")])
def test_a_key_tells_its_book_and_carries_32_random_characters_and_a_checksum(book: BookName, prefix: str) -> None:
    key = new_api_key(book)
    assert re.fullmatch(prefix + r"[0-9A-Za-z]{38}", key)
    assert len(key) == KEY_LENGTH
    assert is_well_formed(key)


def test_no_two_keys_are_the_same() -> None:
    assert len({new_api_key("paper") for _ in range(200)}) == 200


@settings(max_examples=200)
@given(st.integers(8, KEY_LENGTH - 1), st.characters(codec="ascii"))
def test_a_key_with_one_character_changed_is_not_well_formed(position: int, character: str) -> None:
    key = new_api_key("paper")
    changed = key[:position] + character + key[position + 1 :]
    assert is_well_formed(changed) == (changed == key)


@settings(max_examples=100)
@given(st.text(max_size=60))
def test_other_text_is_not_well_formed(text: str) -> None:
    assert not is_well_formed(text)
    assert not is_well_formed("ak_test_" + text[:38].ljust(38, "é"))


def test_what_is_kept_of_a_key_is_its_sha_256_and_a_few_characters() -> None:
    key = new_api_key("live")
    assert digest_of(key.encode()) == hashlib.sha256(key.encode()).digest()
    shown = display_of(key)
    assert shown.startswith("ak_live_")
    assert len(shown.rstrip("…")) == 12
