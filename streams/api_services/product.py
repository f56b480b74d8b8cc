"""What is sold: a product is a pure function with typed input and output, and the words that explain it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, Generic, TypeVar

import msgspec

ReqT = TypeVar("ReqT", bound=msgspec.Struct)
RespT = TypeVar("RespT", bound=msgspec.Struct)

MAX_TEXT_BYTES: Final = 160 * 1024
"""Largest text in an answer, as JSON; leaves room for the other fields within an instance's response limit."""

MAX_QUERY_TEXT_CHARS: Final = 4096
"""Longest text that is offered as a query parameter; products with longer input take a JSON body only."""


class ProductError(Exception):
    """The customer's input cannot be worked on; the caller answers 422. Never raised for an honest "invalid".

    Attributes:
        detail: What is wrong and what would be right, for the customer; at most a hint of the input.
        field: The field of the request that it is about; None where it is about the whole.
    """

    def __init__(self, detail: str, field: str | None = None) -> None:
        super().__init__(f"{field}: {detail}" if field else detail)
        self.detail = detail
        self.field = field


class MalformedBodyError(ProductError):
    """The body is not JSON at all; the caller answers 400."""


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of every product's request: unknown fields are errors, so that a typing slip is never charged."""


class Output(msgspec.Struct, frozen=True):
    """Base of every product's answer."""


@dataclass(frozen=True)
class Product(Generic[ReqT, RespT]):
    """Something that a customer calls and pays for.

    `run` is synchronous, deterministic in its arguments and bounded in time and size for every request that
    its type admits. It raises nothing but `ProductError`.

    Attributes:
        name: The last part of its path, `/v1/<name>`.
        title: A heading for people.
        summary: One line.
        description: What is checked or made, by which standard, and what is not.
        request: The struct that a request is decoded to.
        response: The struct of the answer.
        run: Makes the answer; its second argument is the time of the call, aware UTC.
        example: A request that works.
        heavy: Whether it may take more than about 5 ms, so that the caller runs it in a thread.
        load: Reads what its example does not touch but another request may; None where there is no such thing.
            Once it has run, a product that is not heavy reads no file.
    """

    name: str
    title: str
    summary: str
    description: str
    request: type[ReqT]
    response: type[RespT]
    run: Callable[[ReqT, datetime], RespT]
    example: ReqT
    heavy: bool = False
    load: Callable[[], object] | None = None

    def prepare(self) -> None:
        """Import and warm all that the product needs, by running its example once. May take 0.5 s.

        Libraries are loaded on first use only, so that an idle instance stays small. Call it in a thread
        before the first `run` on an event loop.
        """
        self.run(self.example, datetime.now(UTC))
        if self.load is not None:
            self.load()

    @cached_property
    def accepts_query(self) -> bool:
        """Whether a request fits into query parameters: flat, and without long texts."""
        return all(_fits_query(field.type) for field in msgspec.inspect.type_info(self.request).fields)  # type: ignore[attr-defined]


def _fits_query(kind: msgspec.inspect.Type) -> bool:
    match kind:
        case msgspec.inspect.Metadata(type=inner):
            return _fits_query(inner)
        case msgspec.inspect.UnionType(types=types):
            return all(_fits_query(each) for each in types)
        case msgspec.inspect.StrType(max_length=max_length):
            return max_length is not None and max_length <= MAX_QUERY_TEXT_CHARS
        case (
            msgspec.inspect.IntType()
            | msgspec.inspect.FloatType()
            | msgspec.inspect.BoolType()
            | msgspec.inspect.NoneType()
            | msgspec.inspect.LiteralType()
            | msgspec.inspect.DateTimeType()
            | msgspec.inspect.DateType()
        ):
            return True
        case _:
            return False


AnyProduct = Product[Any, Any]


def within_answer(text: str, field: str) -> str:
    """Return the text.

    Raises:
        ProductError: As JSON it is longer than `MAX_TEXT_BYTES`.
    """
    # Six bytes a character is the most that JSON makes of one; short texts need no look.
    if len(text) * 6 > MAX_TEXT_BYTES and len(msgspec.json.encode(text)) > MAX_TEXT_BYTES:
        raise ProductError(f"the result would be larger than {MAX_TEXT_BYTES // 1024} KiB; send less", field)
    return text
