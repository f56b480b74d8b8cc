"""A product's request, field by field, as documents for customers show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from streams.api_services.product import AnyProduct


class Parameter(msgspec.Struct, frozen=True):
    """One field of a request.

    Attributes:
        name: Its name in the query or the JSON body.
        schema: Its JSON Schema, without null: a parameter that is not given is left out.
        required: Whether it must be given.
        description: What it means.
        default: What holds where it is not given; None for no default.
    """

    name: str
    schema: dict[str, Any]
    required: bool
    description: str
    default: Any = None

    @property
    def kind(self) -> str:
        """The type in words: `text, 1 to 64 characters`."""
        schema = self.schema
        if "enum" in schema:
            return "one of " + ", ".join(str(value) for value in schema["enum"])
        match schema.get("type"), schema.get("format"):
            case "string", "date-time":
                return "time, ISO 8601"
            case "string", "date":
                return "date, ISO 8601"
            case "string", _:
                least, most = schema.get("minLength"), schema.get("maxLength")
                if most is None:
                    return "text"
                return f"text, {least} to {most} characters" if least else f"text, up to {most} characters"
            case "integer" | "number" as name, _:
                least, most = schema.get("minimum"), schema.get("maximum")
                whole = "whole number" if name == "integer" else "number"
                return f"{whole}, {least} to {most}" if least is not None and most is not None else whole
            case "boolean", _:
                return "true or false"
            case "object", _:
                return "JSON object"
            case "array", _:
                return "JSON array"
            case _:
                return "any JSON value"


def parameters(product: AnyProduct) -> list[Parameter]:
    """Return the fields of a product's request in their order."""
    (reference,), components = msgspec.json.schema_components([product.request])
    schema = components[reference["$ref"].rpartition("/")[2]]
    required = set(schema.get("required", ()))
    found = []
    for name, field in schema["properties"].items():
        described = _without_null(field)
        default = described.pop("default", None)
        found.append(
            Parameter(
                name=name,
                description=described.pop("description", ""),
                schema=described,
                required=name in required,
                default=default,
            )
        )
    return found


def example(product: AnyProduct) -> dict[str, Any]:
    """Return the product's example as JSON values, without what is left at its default."""
    values: dict[str, Any] = msgspec.to_builtins(product.example)
    defaults = {parameter.name: parameter.default for parameter in parameters(product) if not parameter.required}
    return {name: value for name, value in values.items() if name not in defaults or value != defaults[name]}


def _without_null(field: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema of its own, with the one alternative besides null in its place."""
    described = dict(field)
    branches = [branch for branch in described.pop("anyOf", ()) if branch != {"type": "null"}]
    if len(branches) == 1:
        described |= branches[0]
    elif branches:
        described["anyOf"] = branches
    return described
