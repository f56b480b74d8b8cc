"""What holds for every product."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import inspect

from streams.api_services.product import AnyProduct, ProductError
from streams.api_services.products import PRODUCTS
from streams.stream import Limits

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STUMBLING_BLOCKS = set("\x00\n\t '\"<>&%\\/#+-.,:;@()[]{}*?|L19azß٣漢\u0301\u202e\U0001f600")

every_product = pytest.mark.parametrize("product", PRODUCTS.values(), ids=PRODUCTS.keys())


def texts(kind: inspect.StrType, example: object) -> st.SearchStrategy[str]:
    if kind.pattern is not None:
        return st.from_regex(kind.pattern, fullmatch=True)
    least, most = kind.min_length or 0, min(kind.max_length or 200, 200)
    # Near misses find more than noise: the example's own characters, and what parsers stumble over.
    alphabet = sorted(set(str(example)) | set("\x00\n\t '\"<>&%\\/#+-.,:;@()[]{}*?|L19azß٣漢\u0301\u202e\U0001f600"))
    return st.one_of(st.text(alphabet=alphabet, min_size=least, max_size=most), st.text(min_size=least, max_size=most))


def values(kind: inspect.Type, example: object) -> st.SearchStrategy[Any]:
    """Return a strategy for everything that a type admits."""
    match kind:
        case inspect.Metadata(type=inner):
            return values(inner, example)
        case inspect.UnionType(types=types):
            return st.one_of([values(each, example) for each in types])
        case inspect.StrType():
            return texts(kind, example)
        case inspect.IntType(ge=least, le=most):
            return st.integers(least, most)
        case inspect.FloatType(ge=least, le=most):
            return st.floats(least, most)
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.LiteralType(values=options):
            return st.sampled_from(options)
        case inspect.DateTimeType(tz=True):
            return st.datetimes(timezones=st.just(UTC))
        case inspect.DateTimeType():
            return st.datetimes(timezones=st.sampled_from([None, UTC]))
        case inspect.DateType():
            return st.dates(min_value=date(1, 1, 1))
        case inspect.AnyType():
            return documents()
        case inspect.DictType():
            return st.dictionaries(schema_words, documents(), max_size=5)
        case _:
            raise AssertionError(f"the strategies do not know {kind}")


schema_words = st.sampled_from(
    ["type", "properties", "items", "$ref", "$defs", "pattern", "enum", "allOf", "minLength", "format", "$id", "x"]
)


def documents() -> st.SearchStrategy[Any]:
    words = st.sampled_from(["object", "string", "#", "#/$defs/x", "(a+)+$", "http://127.0.0.1:1/", "date-time"])
    numbers = st.one_of(st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False))
    names = st.one_of(schema_words, st.text(max_size=8))
    return st.recursive(
        st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=20), words),
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=4)),
        max_leaves=12,
    )


def requests(product: AnyProduct) -> st.SearchStrategy[Any]:
    fields = inspect.type_info(product.request).fields  # type: ignore[attr-defined]
    strategies = {}
    for field in fields:
        example = getattr(product.example, field.name)
        strategies[field.name] = st.one_of(st.just(example), values(field.type, example))
    return st.builds(product.request, **strategies)


@every_product
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_any_request_is_answered_or_refused_by_name(product: AnyProduct, data: st.DataObject) -> None:
    request = data.draw(requests(product))
    try:
        answer = product.run(request, NOW)
    except ProductError as error:
        refusal = error
    else:
        encoded = msgspec.json.encode(answer)
        assert len(encoded) <= Limits().max_response_bytes
        assert msgspec.json.decode(encoded, type=product.response) == answer
        return
    assert refusal.detail
    assert refusal.field is None or refusal.field in product.request.__struct_fields__
    assert len(str(refusal)) < 1000


@every_product
def test_the_example_is_answered_the_same_every_time(product: AnyProduct) -> None:
    product.prepare()

    assert product.run(product.example, NOW) == product.run(product.example, NOW)


@every_product
def test_the_example_survives_the_wire(product: AnyProduct) -> None:
    wire = msgspec.json.encode(product.example)

    assert msgspec.json.decode(wire, type=product.request) == product.example


@every_product
def test_every_parameter_is_described_and_every_text_is_bounded(product: AnyProduct) -> None:
    (reference,), components = msgspec.json.schema_components([product.request])
    schema = components[reference["$ref"].rpartition("/")[2]]

    for name, field in schema["properties"].items():
        for branch in field.get("anyOf", [field]):
            described = branch.get("description") or field.get("description")
            assert described or branch == {"type": "null"}, f"{product.name}.{name} has no description"
            if branch.get("type") == "string" and "enum" not in branch and "format" not in branch:
                assert "maxLength" in branch or name == "at", f"{product.name}.{name} has no upper bound"


def test_names_are_paths_and_titles_and_types_are_unique() -> None:
    products = list(PRODUCTS.values())

    assert len(products) >= 12
    assert all(name == product.name and name.isalnum() and name.islower() for name, product in PRODUCTS.items())
    assert len({product.title for product in products}) == len(products)
    assert len({kind for product in products for kind in (product.request, product.response)}) == 2 * len(products)
