from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.api_services.decoding import decode_request
from streams.api_services.product import MalformedBodyError, ProductError
from streams.api_services.products import PRODUCTS
from streams.api_services.products.cron import CRON_PRODUCT, CronRequest
from streams.api_services.products.distance import DISTANCE_PRODUCT
from streams.api_services.products.iban import IBAN_PRODUCT, IbanRequest
from streams.api_services.products.jsonschema import JSONSCHEMA_PRODUCT
from streams.api_services.products.similarity import SIMILARITY_PRODUCT

names = st.sampled_from(["value", "a", "b", "country", "count", "x"])


def test_a_query_is_converted_to_the_types_of_the_request() -> None:
    request = decode_request(
        CRON_PRODUCT, [("expression", "* * * * *"), ("count", "3"), ("after", "2026-01-01T00:00:00Z")], None
    )

    assert request == CronRequest(expression="* * * * *", count=3, after=datetime(2026, 1, 1, tzinfo=UTC))
    assert decode_request(SIMILARITY_PRODUCT, [("a", "1"), ("b", "2"), ("ignore_case", "false")], None).a == "1"


def test_a_text_that_looks_like_a_number_stays_a_text() -> None:
    assert decode_request(IBAN_PRODUCT, [("value", "0123")], None).value == "0123"


def test_a_body_is_strict() -> None:
    assert decode_request(IBAN_PRODUCT, None, b'{"value":"DE"}') == IbanRequest("DE")
    assert decode_request(IBAN_PRODUCT, [], b'{"value":"DE"}') == IbanRequest("DE")
    with pytest.raises(ProductError, match="Expected `int`") as caught:
        decode_request(CRON_PRODUCT, None, b'{"expression":"* * * * *","count":"3"}')
    assert caught.value.field == "count"


@pytest.mark.parametrize(
    ("query", "field", "detail"),
    [
        ([], "value", "required"),
        ([("vaule", "x")], "vaule", "did you mean 'value'"),
        ([("value", "x"), ("zzz", "x")], "zzz", "known are value"),
        ([("value", "x"), ("value", "y")], "value", "more than once"),
        ([("value", "")], "value", "length >= 1"),
        ([("value", "x" * 65)], "value", "length <= 64"),
    ],
)
def test_a_query_that_does_not_fit_is_explained(query: list[tuple[str, str]], field: str, detail: str) -> None:
    with pytest.raises(ProductError, match=detail) as caught:
        decode_request(IBAN_PRODUCT, query, None)

    assert caught.value.field == field


@pytest.mark.parametrize(
    ("body", "field", "detail"),
    [
        (b"{}", "value", "required"),
        (b'{"vaule":"x"}', "vaule", "did you mean 'value'"),
        (b'{"value":1}', "value", "Expected `str`"),
        (b"[]", None, "Expected `object`"),
        (b"null", None, "Expected `object`"),
    ],
)
def test_a_body_that_does_not_fit_is_explained(body: bytes, field: str | None, detail: str) -> None:
    with pytest.raises(ProductError, match=detail) as caught:
        decode_request(IBAN_PRODUCT, None, body)

    assert caught.value.field == field
    assert not isinstance(caught.value, MalformedBodyError)


@pytest.mark.parametrize(
    "body", [b" ", b"{", b'{"value":"\xff"}', b'{"value":"\\ud800"}', b"value=x", b'{"value":"x"} x']
)
def test_a_body_that_is_not_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedBodyError, match="not JSON"):
        decode_request(IBAN_PRODUCT, None, body)


def test_a_body_nested_without_end_is_malformed() -> None:
    body = b'{"schema":{},"instance":' + b"[" * 100_000 + b"]" * 100_000 + b"}"

    with pytest.raises(MalformedBodyError, match="nested too deeply"):
        decode_request(JSONSCHEMA_PRODUCT, None, body)


@pytest.mark.parametrize("body", [b'{"value":"x"}', [("value", "x")]])
def test_parameters_stand_in_one_place_only(body: bytes | list[tuple[str, str]]) -> None:
    with pytest.raises(ProductError, match="not in both"):
        decode_request(IBAN_PRODUCT, [("value", "x")], body)


def test_without_a_body_the_query_has_the_parameters() -> None:
    assert decode_request(IBAN_PRODUCT, [("value", "x")], b"") == IbanRequest("x")
    assert decode_request(IBAN_PRODUCT, [("value", "x")], []) == IbanRequest("x")


def test_a_form_is_converted_like_a_query() -> None:
    form = [("expression", "* * * * *"), ("count", "3")]

    assert decode_request(CRON_PRODUCT, [], form) == decode_request(CRON_PRODUCT, form, None)
    with pytest.raises(ProductError, match="did you mean 'value'"):
        decode_request(IBAN_PRODUCT, None, [("vaule", "x")])


def test_a_product_without_query_asks_for_a_body() -> None:
    with pytest.raises(ProductError, match="POST"):
        decode_request(JSONSCHEMA_PRODUCT, [], None)


@pytest.mark.parametrize("text", ["nan", "inf", "1e400", "91", "-90.0001", "x", ""])
def test_numbers_out_of_bounds_are_refused(text: str) -> None:
    query = [("from_latitude", text), ("from_longitude", "0"), ("to_latitude", "0"), ("to_longitude", "0")]

    with pytest.raises(ProductError) as caught:
        decode_request(DISTANCE_PRODUCT, query, None)

    assert caught.value.field == "from_latitude"


def test_a_refusal_shows_no_more_than_a_hint_of_the_input() -> None:
    with pytest.raises(ProductError) as caught:
        decode_request(IBAN_PRODUCT, [("x" * 10_000, "y")], None)

    assert len(str(caught.value)) < 300


@settings(deadline=None)
@given(product=st.sampled_from(list(PRODUCTS.values())), body=st.binary(max_size=60))
def test_any_bytes_are_decoded_or_refused(product: object, body: bytes) -> None:
    try:
        request = decode_request(product, None, body)  # type: ignore[arg-type]
    except ProductError:
        return
    assert isinstance(request, product.request)  # type: ignore[attr-defined]


@settings(deadline=None)
@given(
    product=st.sampled_from(list(PRODUCTS.values())),
    query=st.lists(st.tuples(names, st.text(max_size=9)), max_size=4),
)
def test_any_query_is_decoded_or_refused(product: object, query: list[tuple[str, str]]) -> None:
    try:
        request = decode_request(product, query, None)  # type: ignore[arg-type]
    except ProductError:
        return
    assert isinstance(request, product.request)  # type: ignore[attr-defined]
