from __future__ import annotations

import msgspec
import pytest

from streams.api_services.parameters import Parameter, example, parameters
from streams.api_services.products import PRODUCTS


def test_parameters_come_in_the_order_of_the_request() -> None:
    assert [parameter.name for parameter in parameters(PRODUCTS["cron"])] == [
        "expression",
        "timezone",
        "after",
        "count",
    ]


def test_a_parameter_that_may_be_null_is_one_that_may_be_left_out() -> None:
    (after,) = (parameter for parameter in parameters(PRODUCTS["cron"]) if parameter.name == "after")

    assert after.schema == {"type": "string", "format": "date-time"}
    assert not after.required
    assert after.description


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string", "minLength": 1, "maxLength": 64}, "text, 1 to 64 characters"),
        ({"type": "string", "maxLength": 64}, "text, up to 64 characters"),
        ({"type": "string"}, "text"),
        ({"type": "string", "format": "date-time"}, "time, ISO 8601"),
        ({"type": "string", "format": "date"}, "date, ISO 8601"),
        ({"enum": ["a", "b"]}, "one of a, b"),
        ({"type": "integer", "minimum": 1, "maximum": 9}, "whole number, 1 to 9"),
        ({"type": "number"}, "number"),
        ({"type": "boolean"}, "true or false"),
        ({"type": "object"}, "JSON object"),
        ({"type": "array"}, "JSON array"),
        ({}, "any JSON value"),
    ],
)
def test_a_type_is_told_in_words(schema: dict[str, object], kind: str) -> None:
    assert Parameter(name="x", schema=schema, required=True, description="").kind == kind


@pytest.mark.parametrize("product", PRODUCTS.values(), ids=PRODUCTS.keys())
def test_an_example_leaves_out_what_is_at_its_default(product: object) -> None:
    shown = example(product)  # type: ignore[arg-type]

    assert None not in shown.values()
    assert msgspec.convert(shown, product.request) == product.example  # type: ignore[attr-defined]
