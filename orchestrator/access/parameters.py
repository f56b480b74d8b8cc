"""From what a peer sent to a method's parameters; or to an error that says what is wrong, and where."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any, Final, TypeVar

import msgspec
from msgspec import inspect

from orchestrator.access.jsonrpc import INVALID_PARAMS, Params, RpcError

P = TypeVar("P", bound=msgspec.Struct)

_WHERE: Final = re.compile(r" - at `(?:key in )?(\$[^`]*)`$")
_UNKNOWN_FIELD: Final = re.compile(r"unknown field `([^`]*)`")
_MISSING_FIELD: Final = re.compile(r"missing required field `([^`]*)`")
_INVALID_CHOICE: Final = re.compile(r"^Invalid enum value (.*)$")
_STEP: Final = re.compile(r"\.([^.\[]+)|\[([^\]]*)\]")
_LONGEST_NAME: Final = 64


def convert_params(params: Params, struct: type[P], *, strict: bool = True) -> P:
    """Return parameters, given by name or by position (in the order of the fields), as their struct.

    Args:
        params: What was sent.
        struct: What it should be.
        strict: Whether types are JSON's own; without it a text may say a number, a truth value or null.

    Raises:
        RpcError: -32602, with the path, what is expected there, and the nearest known name where one is near.
    """
    named: dict[str, Any]
    if params is None:
        named = {}
    elif isinstance(params, list):
        fields = struct.__struct_encode_fields__
        if len(params) > len(fields):
            expected = f"at most {len(fields)} by position: {', '.join(fields)}" if fields else "no parameters"
            raise RpcError(INVALID_PARAMS, data={"path": f"$[{len(fields)}]", "expected": expected})
        named = dict(zip(fields, params, strict=False))
    else:
        named = params
    try:
        return msgspec.convert(named, struct, strict=strict)
    except msgspec.ValidationError as error:
        raise RpcError(INVALID_PARAMS, data=_explain(str(error), struct, named)) from None
    except RecursionError:
        raise RpcError(INVALID_PARAMS, data={"path": "$", "expected": "values nested less deeply"}) from None


def _explain(message: str, struct: type[msgspec.Struct], params: dict[str, Any]) -> dict[str, Any]:
    found = _WHERE.search(message)
    path = found[1] if found else "$"
    told = message[: found.start()] if found else message
    expected_type = _type_at(inspect.type_info(struct), path)
    if unknown := _UNKNOWN_FIELD.search(told):
        known = _field_names(expected_type)
        expected = f"one of {', '.join(known)}" if known else "no parameters"
        return _found(f"{path}.{unknown[1]}", expected, unknown[1], known)
    if missing := _MISSING_FIELD.search(told):
        return _found(f"{path}.{missing[1]}", "a value: it is required", "", [])
    choices = _choices(expected_type)
    if choices and (given := _INVALID_CHOICE.match(told)):
        return _found(path, f"one of {', '.join(choices)}", given[1].strip("'\""), choices)
    return _found(path, told.removeprefix("Expected "), "", [])


def _found(path: str, expected: str, given: str, known: list[str]) -> dict[str, Any]:
    data: dict[str, Any] = {"path": path, "expected": expected}
    if given and len(given) <= _LONGEST_NAME and (near := get_close_matches(given, known, n=1, cutoff=0.6)):
        data["nearest"] = near[0]
    return data


def _type_at(root: inspect.Type, path: str) -> inspect.Type | None:
    """Return the type that stands at a path such as `$.settings.rates[0]`; None where it cannot be told."""
    here: inspect.Type | None = root
    for name, index in _STEP.findall(path):
        here = next((inner for each in _alternatives(here) if (inner := _step(each, name, index))), None)
    return here


def _step(here: inspect.Type, name: str, index: str) -> inspect.Type | None:
    if isinstance(here, inspect.StructType) and name:
        return next((field.type for field in here.fields if field.encode_name == name), None)
    if isinstance(here, inspect.DictType) and index == "...":
        return here.value_type
    if isinstance(here, (inspect.ListType, inspect.VarTupleType, inspect.SetType, inspect.FrozenSetType)) and index:
        return here.item_type
    return None


def _alternatives(here: inspect.Type | None) -> tuple[inspect.Type, ...]:
    if here is None:
        return ()
    return here.types if isinstance(here, inspect.UnionType) else (here,)


def _field_names(here: inspect.Type | None) -> list[str]:
    return [
        field.encode_name
        for each in _alternatives(here)
        if isinstance(each, inspect.StructType)
        for field in each.fields
    ]


def _choices(here: inspect.Type | None) -> list[str]:
    found: list[str] = []
    for each in _alternatives(here):
        if isinstance(each, inspect.LiteralType):
            found += map(str, each.values)
        elif isinstance(each, inspect.EnumType):
            found += [str(member.value) for member in each.cls]
    return found
