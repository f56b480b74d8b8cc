"""A JSON value against a struct: every fault with its path, not only the first one.

msgspec stops at the first fault and does not know which key was meant, so the tree is walked here; msgspec
has the last word all the same, in `config.store`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any, TypeAlias

import msgspec
from msgspec import inspect

from config.errors import MAX_FAULTS, Fault, child_path, nearest, quoted

KnownKeys: TypeAlias = Mapping[str, Collection[str]]
"""Maps whose keys are free by their type but known to the caller, by JSON path."""


def find_faults(value: object, kind: Any, known_keys: KnownKeys) -> list[Fault]:
    """Return what keeps a JSON value from being of a type; the first `MAX_FAULTS` of it.

    Args:
        value: What was parsed.
        kind: A struct, or another type that msgspec can inspect.
        known_keys: Where a map may only hold certain keys.
    """
    return list(islice(_walk(value, inspect.type_info(kind), "$", known_keys), MAX_FAULTS))


def _walk(value: object, kind: inspect.Type, path: str, known_keys: KnownKeys) -> Iterator[Fault]:
    match kind:
        case inspect.Metadata() | inspect.UnionType():
            if not (isinstance(kind, inspect.UnionType) and value is None):
                for fault in _walk(value, _inner(kind), path, known_keys):
                    # The outer type knows better what may stand here: null too, or what the text means.
                    yield msgspec.structs.replace(fault, expected=describe(kind)) if fault.path == path else fault
        case inspect.StructType() if isinstance(value, dict):
            yield from _walk_struct(value, kind, path, known_keys)
        case inspect.DictType() if isinstance(value, dict):
            known = known_keys.get(path)
            for key, member in value.items():
                if known is not None and key not in known:
                    yield _unknown_key(path, key, known)
                yield from _walk(member, kind.value_type, child_path(path, key), known_keys)
        case inspect.VarTupleType() if isinstance(value, list):
            for index, element in enumerate(value):
                yield from _walk(element, kind.item_type, child_path(path, index), known_keys)
        case _:
            if not _fits(value, kind):
                choices = [choice for choice in _choices(kind) if isinstance(choice, str)]
                near = nearest(value, choices) if choices and isinstance(value, str) else None
                yield Fault(path, describe(kind), _described(value), near)


def _walk_struct(
    value: dict[str, object], kind: inspect.StructType, path: str, known_keys: KnownKeys
) -> Iterator[Fault]:
    fields = {field.encode_name: field for field in kind.fields}
    for key, member in value.items():
        if key in fields:
            yield from _walk(member, fields[key].type, child_path(path, key), known_keys)
        else:
            yield _unknown_key(path, key, fields)
    for name, field in fields.items():
        if field.required and name not in value:
            yield Fault(child_path(path, name), describe(field.type), "no such key")


def _unknown_key(path: str, key: str, known: Collection[str]) -> Fault:
    names = ", ".join(known) or "none at all"
    return Fault(child_path(path, key), f"a known key ({names})", f"the unknown key {quoted(key)}", nearest(key, known))


def _fits(value: object, kind: inspect.Type) -> bool:
    match kind:
        case inspect.AnyType():
            return True
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.LiteralType():
            return isinstance(value, str) and value in kind.values
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool) and _within(value, kind)
        case inspect.FloatType():
            return isinstance(value, int | float) and not isinstance(value, bool) and _within(value, kind)
        case inspect.StrType():
            return (
                isinstance(value, str)
                and (kind.min_length or 0) <= len(value)
                and (kind.max_length is None or len(value) <= kind.max_length)
                and (kind.pattern is None or re.search(kind.pattern, value) is not None)
            )
        case _:
            return False


def _within(value: float, kind: inspect.IntType | inspect.FloatType) -> bool:
    return (
        (kind.ge is None or value >= kind.ge)
        and (kind.gt is None or value > kind.gt)
        and (kind.le is None or value <= kind.le)
        and (kind.lt is None or value < kind.lt)
    )


def describe(kind: inspect.Type) -> str:
    """Return what a type accepts, in words."""
    match kind:
        case inspect.Metadata():
            description = (kind.extra_json_schema or {}).get("description")
            return str(description) if description else describe(kind.type)
        case inspect.StructType() | inspect.DictType():
            return "an object"
        case inspect.VarTupleType():
            return "a list"
        case inspect.UnionType():
            return f"{describe(_inner(kind))}, or null"
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType():
            return "one of " + ", ".join(quoted(choice) for choice in kind.values)
        case inspect.IntType():
            return "an integer" + _range(kind)
        case inspect.FloatType():
            return "a number" + _range(kind)
        case inspect.StrType():
            most = "" if kind.max_length is None else f" of at most {kind.max_length} characters"
            pattern = "" if kind.pattern is None else f" that matches {kind.pattern}"
            return f"text{most}{pattern}"
        case _:
            return "a JSON value"


def _range(kind: inspect.IntType | inspect.FloatType) -> str:
    bounds = [
        f"{word} {bound}"
        for word, bound in (
            ("at least", kind.ge),
            ("more than", kind.gt),
            ("at most", kind.le),
            ("less than", kind.lt),
        )
        if bound is not None
    ]
    return f" of {' and '.join(bounds)}" if bounds else ""


def _inner(kind: inspect.UnionType | inspect.Metadata) -> inspect.Type:
    if isinstance(kind, inspect.Metadata):
        return kind.type
    (inner,) = (member for member in kind.types if not isinstance(member, inspect.NoneType))
    return inner


def _choices(kind: inspect.Type) -> tuple[object, ...]:
    return tuple(kind.values) if isinstance(kind, inspect.LiteralType) else ()


def _described(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return quoted(value)
        case str():
            return f"the text {quoted(value)}"
        case int() | float():
            return f"the number {quoted(value)}"
        case list():
            return f"the list {quoted(value)}"
        case _:
            return f"the object {quoted(value)}"
