from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.api_services.products.slug import SLUG_PRODUCT, SlugRequest
from tests.streams.api_services.conftest import Call


@pytest.mark.parametrize(
    ("value", "slug"),
    [
        ("Hello, World!", "hello-world"),
        ("Ærøskøbing", "aeroskobing"),
        ("Smörgåsbord & Käse", "smorgasbord-kase"),
        ("Москва", "moskva"),
        ("北京", "beijing"),
        ("don't — stop", "dont-stop"),
        ("  --  ", ""),
    ],
)
def test_a_title_becomes_a_slug(call: Call, value: str, slug: str) -> None:
    assert call("slug", value=value).slug == slug


def test_a_long_title_is_cut_between_words(call: Call) -> None:
    answer = call("slug", value="alpha beta gamma", max_length=11)

    assert answer.slug == "alpha-beta"
    assert answer.truncated


def test_a_single_long_word_is_cut_inside(call: Call) -> None:
    assert call("slug", value="abcdefgh", max_length=3).slug == "abc"


def test_case_and_separator_can_be_chosen(call: Call) -> None:
    assert call("slug", value="One Two", separator="_", lowercase=False).slug == "One_Two"


@settings(deadline=None, max_examples=50)
@given(value=st.text(min_size=1, max_size=60), max_length=st.integers(1, 40))
def test_a_slug_is_plain_within_its_length_and_a_slug_of_itself(value: str, max_length: int) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    slug = SLUG_PRODUCT.run(SlugRequest(value=value, max_length=max_length), now).slug

    assert len(slug) <= max_length
    assert all(part.isascii() and part.isalnum() for part in slug.split("-")) or slug == ""
    if slug:
        assert SLUG_PRODUCT.run(SlugRequest(value=slug, max_length=max_length), now).slug == slug
