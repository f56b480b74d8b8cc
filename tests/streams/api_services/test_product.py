from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.api_services.product import MAX_TEXT_BYTES, Input, Output, Product, ProductError, within_answer

Short = Annotated[str, msgspec.Meta(max_length=100)]
Long = Annotated[str, msgspec.Meta(max_length=100_000)]


class Answer(Output, frozen=True):
    said: str


def product_of(field: Any, example: Any) -> Product[Any, Answer]:
    request = msgspec.defstruct("Asked", [("value", field)], bases=(Input,), frozen=True)

    def run(request: Any, now: datetime) -> Answer:
        return Answer(said=f"{request.value} at {now:%Z}")

    return Product("echo", "Echo", "Says it.", "Says it again.", request, Answer, run, request(example))


@pytest.mark.parametrize(
    ("field", "example", "accepts"),
    [
        (Short, "a", True),
        (Short | None, None, True),
        (int, 1, True),
        (Literal["a", "b"], "a", True),
        (datetime, None, True),
        (Long, "a", False),
        (str, "a", False),
        (list[int], [], False),
        (dict[str, Any], {}, False),
        (Any, 1, False),
    ],
)
def test_flat_and_short_requests_are_offered_as_queries(field: Any, example: Any, accepts: bool) -> None:
    assert product_of(field, example).accepts_query == accepts


def test_preparing_runs_the_example() -> None:
    seen: list[Any] = []

    def run(request: Any, now: datetime) -> Answer:
        seen.append((request, now.tzinfo))
        return Answer(said="")

    product = product_of(int, 7)
    Product(product.name, "", "", "", product.request, Answer, run, product.example).prepare()

    ((request, zone),) = seen
    assert request == product.example
    assert zone is not None


def test_an_error_names_its_field() -> None:
    assert str(ProductError("is wrong", "value")) == "value: is wrong"
    assert str(ProductError("is wrong")) == "is wrong"


@settings(deadline=None)
@given(st.text(max_size=200), st.integers(1, 2000))
def test_a_text_passes_exactly_when_it_fits_as_json(part: str, times: int) -> None:
    text = part * times
    fits = len(msgspec.json.encode(text)) <= MAX_TEXT_BYTES

    if fits:
        assert within_answer(text, "x") is text
    else:
        with pytest.raises(ProductError, match="larger than 160 KiB"):
            within_answer(text, "x")


@pytest.mark.parametrize("character", ["a", "\x00", '"', "é", "漢", "😀"])
def test_the_longest_text_of_each_kind_of_character_passes(character: str) -> None:
    each = len(msgspec.json.encode(character)) - 2
    longest = character * ((MAX_TEXT_BYTES - 2) // each)

    assert within_answer(longest, "x") is longest
    with pytest.raises(ProductError):
        within_answer(longest + character, "x")
