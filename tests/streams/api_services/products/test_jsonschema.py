from __future__ import annotations

from typing import Any

import pytest

from streams.api_services.product import ProductError
from tests.streams.api_services.conftest import Call


# From the examples of json-schema.org and the official test suite (2020-12 unless said).
@pytest.mark.parametrize(
    ("schema", "instance", "valid"),
    [
        ({"type": "integer"}, 1.0, True),
        ({"type": "integer"}, "1", False),
        ({"minimum": 1.1}, 0.6, False),
        ({"multipleOf": 0.01}, 0.0075, False),
        ({"required": ["a"]}, {"b": 1}, False),
        ({"enum": [6, "foo", [], True]}, [], True),
        ({"const": False}, 0, False),
        ({"uniqueItems": True}, [1, True], True),
        ({"uniqueItems": True}, [1.0, 1.00, 1], False),
        ({"prefixItems": [{"type": "integer"}], "items": False}, [1, 2], False),
        ({"oneOf": [{"type": "integer"}, {"minimum": 2}]}, 3, False),
        ({"if": {"minimum": 0}, "then": {"multipleOf": 2}}, 3, False),
        ({"additionalProperties": False, "properties": {"a": {}}}, {"a": 1, "b": 2}, False),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "string"}}}, 1, False),
        ({"pattern": "^a*$"}, "aaa", True),
        ({"format": "date"}, "2026-02-30", False),
        ({"format": "ipv4"}, "127.0.0.256", False),
        ({"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 3, "exclusiveMinimum": True}, 3, False),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "exclusiveMinimum": 3}, 3, False),
        ({"$id": "https://example.com/s", "$ref": "#/$defs/n", "$defs": {"n": {"type": "null"}}}, None, True),
    ],
)
def test_the_vocabulary_is_understood(call: Call, schema: dict[str, Any], instance: Any, valid: bool) -> None:
    answer = call("jsonschema", schema=schema, instance=instance)

    assert answer.valid == valid
    assert bool(answer.violations) != valid


def test_every_violation_is_named_with_its_places(call: Call) -> None:
    schema = {"items": {"properties": {"a/b": {"type": "integer"}}, "required": ["id"]}}

    answer = call("jsonschema", schema=schema, instance=[{"id": 1}, {"a/b": "x"}])

    assert {(each.instance_path, each.schema_path) for each in answer.violations} == {
        ("/1/a~1b", "/items/properties/a~1b/type"),
        ("/1", "/items/required"),
    }


def test_violations_are_listed_up_to_fifty(call: Call) -> None:
    answer = call("jsonschema", schema={"items": {"type": "string"}}, instance=[1] * 60)

    assert len(answer.violations) == 50
    assert answer.truncated


def test_formats_can_be_left_out(call: Call) -> None:
    assert call("jsonschema", schema={"format": "date"}, instance="x", formats=False).valid


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "nope"}, "not a valid schema at /type"),
        ({"pattern": "("}, "not a valid schema at /pattern"),
        ({"pattern": "(a)\\1"}, "not a valid schema at /pattern"),
        ({"$ref": "#"}, "refers to itself"),
        ({"properties": {"a": {"$ref": "#"}}}, "refers to itself"),
        ({"$ref": "#/$defs/none"}, "does not exist"),
        ({"$ref": "http://127.0.0.1:1/schema"}, "only #/… is followed"),
        ({"$ref": "file:///etc/passwd"}, "only #/… is followed"),
        ({"$schema": "http://127.0.0.1:1/meta"}, "meta-schema"),
        ({"items": {"$id": "http://127.0.0.1:1/", "$ref": "#/x"}}, r"uses \$id"),
        ({"$dynamicRef": "#node"}, r"uses \$dynamicRef"),
    ],
)
def test_a_schema_that_cannot_be_used_is_the_customers_mistake(call: Call, schema: dict[str, Any], reason: str) -> None:
    if "$dynamicRef" in schema:
        schema = {"items": schema}
    with pytest.raises(ProductError, match=reason) as caught:
        call("jsonschema", schema=schema, instance={"a": {"a": 1}})

    assert caught.value.field == "schema"


def test_references_that_double_at_every_step_are_refused_before_they_run(call: Call) -> None:
    doubled: dict[str, Any] = {
        f"d{step}": {"allOf": [{"$ref": f"#/$defs/d{step + 1}"}, {"$ref": f"#/$defs/d{step + 1}"}]}
        for step in range(30)
    }
    schema = {"$ref": "#/$defs/d0", "$defs": doubled | {"d30": {"type": "string"}}}

    with pytest.raises(ProductError, match="written out"):
        call("jsonschema", schema=schema, instance=1)


def test_a_deep_document_is_refused(call: Call) -> None:
    document: Any = 1
    for _ in range(100):
        document = [document]

    with pytest.raises(ProductError, match="64 deep"):
        call("jsonschema", schema={}, instance=document)


def test_too_much_work_is_refused(call: Call) -> None:
    with pytest.raises(ProductError, match="too large for a schema of this size"):
        call("jsonschema", schema={"anyOf": [{"const": number} for number in range(200)]}, instance=[0] * 2500)
