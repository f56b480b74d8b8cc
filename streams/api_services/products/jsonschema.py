"""JSON Schema validation that strangers' schemas cannot turn into an attack.

A schema is a program: `$ref` can double the work at every step or fetch addresses, a pattern can backtrack for
years. So references stay inside the document and may not recurse, their expansion is counted before anything
runs, and patterns are run by an engine that is linear in the text.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Final, NoReturn

import msgspec

from streams.api_services.product import Input, Output, Product, ProductError

_MAX_DEPTH: Final = 64
_MAX_NODES: Final = 3000
_MAX_ERRORS: Final = 50
_MAX_PAIRS: Final = 100_000
_MAX_COPIED_CHARS: Final = 20_000_000
_MAX_PATTERN_CHARS: Final = 20_000
_PATTERN_SIZE_BYTES: Final = 200_000
_REFUSED: Final = ("$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "id")


class JsonSchemaRequest(Input, frozen=True):
    """A document, and the schema that it should follow."""

    instance: Annotated[Any, msgspec.Meta(description="Any JSON value, up to 3,000 values, 64 deep.")]
    schema: Annotated[
        dict[str, Any],
        msgspec.Meta(
            max_length=200,
            description="JSON Schema, draft 4 to 2020-12 (the default); references to `#/…` only, not recursive.",
        ),
    ]
    formats: Annotated[bool, msgspec.Meta(description="Whether `format` is checked.")] = True


class SchemaViolation(Output, frozen=True):
    """One thing that is wrong: what, where in the document, and by which part of the schema (JSON Pointers)."""

    message: str
    instance_path: str
    schema_path: str


class JsonSchemaResponse(Output, frozen=True):
    """Whether the document follows the schema; at most 50 violations are listed."""

    valid: bool
    violations: tuple[SchemaViolation, ...]
    truncated: bool


class _Size(msgspec.Struct):
    """What a part of a schema or document amounts to, references written out."""

    nodes: int = 0
    patterns: int = 0


def _children(value: object) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _count(value: object, field: str, depth: int = 0) -> int:
    """Return the number of values in a JSON value."""
    if depth > _MAX_DEPTH:
        raise ProductError(f"is nested more than {_MAX_DEPTH} deep", field)
    count = 1 + sum(_count(child, field, depth + 1) for child in _children(value))
    if count > _MAX_NODES:
        raise ProductError(f"has more than {_MAX_NODES} values", field)
    return count


class _Expansion:
    """Counts a schema as large as it becomes when each reference is replaced by what it names."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        self._sizes: dict[str, _Size | None] = {}

    def of(self, value: object, depth: int = 0) -> _Size:
        if depth > 4 * _MAX_DEPTH:
            raise ProductError("is nested too deeply through its references", "schema")
        size = _Size(nodes=1)
        if isinstance(value, dict):
            for keyword in _REFUSED:
                # They move the ground under `#/…`, but not where they name the whole. As the name of a property
                # (`id`) the value is a schema.
                if isinstance(value.get(keyword), str | bool) and value is not self._schema:
                    raise ProductError(f"uses {keyword}, which is not supported here", "schema")
            if isinstance(reference := value.get("$ref"), str):
                self._add(size, self._target(reference, depth))
            size.patterns += isinstance(value.get("pattern"), str)
            if isinstance(named := value.get("patternProperties"), dict):
                size.patterns += len(named)
        for child in _children(value):
            self._add(size, self.of(child, depth + 1))
        return size

    def _add(self, size: _Size, part: _Size) -> None:
        size.nodes += part.nodes
        size.patterns += part.patterns
        if size.nodes > _MAX_PAIRS:
            raise ProductError("is too large when its references are written out", "schema")

    def _target(self, reference: str, depth: int) -> _Size:
        if reference in self._sizes:
            known = self._sizes[reference]
            if known is None:
                raise ProductError(f"refers to itself through {reference[:64]!r}", "schema")
            return known
        self._sizes[reference] = None
        size = self.of(self._resolve(reference), depth + 1)
        self._sizes[reference] = size
        return size

    def _resolve(self, reference: str) -> Any:
        if reference != "#" and not reference.startswith("#/"):
            raise ProductError(f"refers to {reference[:64]!r}; only #/… is followed", "schema")
        found: Any = self._schema
        for part in reference[2:].split("/") if len(reference) > 2 else ():
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and key.isascii() and key.isdigit() and int(key[:6]) < len(found):
                found = found[int(key[:6])]
            elif isinstance(found, dict) and key in found:
                found = found[key]
            else:
                raise ProductError(f"refers to {reference[:64]!r}, which does not exist", "schema")
        return found


def _within_bounds(request: JsonSchemaRequest) -> None:
    _count(request.schema, "schema")
    values = _count(request.instance, "instance")
    size = _Expansion(request.schema).of(request.schema)
    chars = len(msgspec.json.encode(request.instance))
    if (
        size.nodes * values > _MAX_PAIRS
        # Each violation may quote the part of the document that it is about.
        or size.nodes * chars > _MAX_COPIED_CHARS
        or size.patterns * chars > _MAX_PATTERN_CHARS
    ):
        raise ProductError("is too large for a schema of this size; send smaller parts", "instance")


def _retrieve(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is not fetched")


def _pointer(path: list[str | int]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)[:500]


def _run(request: JsonSchemaRequest, now: datetime) -> JsonSchemaResponse:
    import jsonschema_rs

    _within_bounds(request)
    try:
        validator = jsonschema_rs.validator_for(
            request.schema,
            pattern_options=jsonschema_rs.RegexOptions(size_limit=_PATTERN_SIZE_BYTES),
            validate_formats=request.formats,
            retriever=_retrieve,
        )
        errors = list(itertools.islice(validator.iter_errors(request.instance), _MAX_ERRORS + 1))
    except jsonschema_rs.ValidationError as error:
        where = _pointer(error.instance_path)
        raise ProductError(f"is not a valid schema at {where or '/'}: {error.message[:200]}", "schema") from None
    except ValueError as error:
        raise ProductError(f"cannot be used: {str(error)[:200]}", "schema") from None
    return JsonSchemaResponse(
        valid=not errors,
        violations=tuple(
            SchemaViolation(
                message=error.message[:300],
                instance_path=_pointer(error.instance_path),
                schema_path=_pointer(error.schema_path),
            )
            for error in errors[:_MAX_ERRORS]
        ),
        truncated=len(errors) > _MAX_ERRORS,
    )


JSONSCHEMA_PRODUCT = Product(
    name="jsonschema",
    title="JSON Schema validation",
    summary="Validate a JSON document, with every violation and its place.",
    description=(
        "Drafts 4, 6, 7, 2019-09 and 2020-12. Patterns run in linear time (no look-around, no back-references), "
        "references stay inside the schema and do not recurse, nothing is fetched."
    ),
    request=JsonSchemaRequest,
    response=JsonSchemaResponse,
    run=_run,
    example=JsonSchemaRequest(
        instance={"name": "Ada", "age": -1},
        schema={"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}},
    ),
    heavy=True,
)
