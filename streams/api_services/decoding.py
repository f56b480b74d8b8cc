"""From the wire to a product's request: parameters from the query or a form, or a JSON body."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec

from streams.api_services.product import MalformedBodyError, Product, ProductError

ReqT = TypeVar("ReqT", bound=msgspec.Struct)

MAX_DETAIL_CHARS: Final = 300
_PATH: Final = re.compile(r"^(?P<detail>.*) - at `\$(?P<path>.*)`$", re.DOTALL)
_UNKNOWN_FIELD: Final = re.compile(r"^Object contains unknown field `(?P<field>.*)`$", re.DOTALL)
_MISSING_FIELD: Final = re.compile(r"^Object missing required field `(?P<field>.*)`$", re.DOTALL)


def decode_request(
    product: Product[ReqT, Any],
    query: Sequence[tuple[str, str]] | None,
    body: bytes | Sequence[tuple[str, str]] | None,
) -> ReqT:
    """Return the request that a customer sent.

    Args:
        product: What is called.
        query: The decoded parameters of the query in their order. With a body it must be empty or None.
        body: A body of JSON, or the decoded parameters of a form; empty or None where there is no body.

    Raises:
        MalformedBodyError: The body is not JSON.
        ProductError: The request does not fit: unknown, repeated, missing or wrong fields, by name.
    """
    if not body:
        return _decode_parameters(product, query or ())
    if query:
        raise ProductError("send the parameters in the body or in the query, not in both", query[0][0])
    return _decode_body(product, body) if isinstance(body, bytes) else _decode_parameters(product, body)


def _decode_body(product: Product[ReqT, Any], body: bytes) -> ReqT:
    try:
        return msgspec.json.decode(body, type=product.request)
    except msgspec.ValidationError as error:
        raise _explained(product, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedBodyError(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise MalformedBodyError("the body is nested too deeply") from None


def _decode_parameters(product: Product[ReqT, Any], parameters: Sequence[tuple[str, str]]) -> ReqT:
    if not product.accepts_query:
        raise ProductError(f"{product.name} takes its parameters as a JSON body: send one with POST")
    values: dict[str, str] = {}
    known = product.request.__struct_encode_fields__
    for name, value in parameters:
        if name not in known:
            raise ProductError(_unknown(name, known), _short(name))
        if name in values:
            raise ProductError("is given more than once", name)
        values[name] = value
    try:
        return msgspec.convert(values, product.request, strict=False)
    except msgspec.ValidationError as error:
        raise _explained(product, str(error)) from None


def _explained(product: Product[Any, Any], message: str) -> ProductError:
    """Turn msgspec's message into one that names the field, and the nearest name for an unknown one."""
    found = _PATH.match(message)
    detail, path = (found["detail"], found["path"]) if found else (message, "")
    if not path:
        if unknown := _UNKNOWN_FIELD.match(detail):
            return ProductError(
                _unknown(unknown["field"], product.request.__struct_encode_fields__), _short(unknown["field"])
            )
        if missing := _MISSING_FIELD.match(detail):
            return ProductError("is required", missing["field"])
    return ProductError(_short(detail, MAX_DETAIL_CHARS), _short(path.lstrip(".")) or None)


def _unknown(name: str, known: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(name[:64], known, n=1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(known)}"
    return f"is not a parameter of this product; {hint}"


def _short(text: str, limit: int = 64) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
