"""International standard book numbers, ISO 2108."""

from __future__ import annotations

from datetime import datetime

from streams.api_services.product import Input, Output, Product
from streams.api_services.products.identifier import IdentifierText, check, compact


class IsbnRequest(Input, frozen=True):
    """A number to check, with 10 or 13 digits."""

    value: IdentifierText


class IsbnResponse(Output, frozen=True):
    """Both forms, hyphenated where the range is assigned; `isbn10` is null for prefixes other than 978."""

    valid: bool
    value: str
    isbn13: str | None = None
    isbn10: str | None = None
    formatted: str | None = None
    group: str | None = None
    registrant: str | None = None
    publication: str | None = None
    reason: str | None = None


def _run(request: IsbnRequest, now: datetime) -> IsbnResponse:
    from stdnum import isbn

    value = compact(request.value)
    if len(value) not in {10, 13}:
        return IsbnResponse(valid=False, value=value, reason="an ISBN has 10 or 13 digits")
    outcome = check(value, isbn.validate)
    if outcome.reason is not None:
        return IsbnResponse(valid=False, value=value, reason=outcome.reason)
    isbn13 = isbn.to_isbn13(value)
    _, group, registrant, publication, _ = isbn.split(isbn13)
    return IsbnResponse(
        valid=True,
        value=value,
        isbn13=isbn13,
        isbn10=isbn.to_isbn10(isbn13) if isbn13.startswith("978") else None,
        formatted=isbn.format(isbn13),
        group=group or None,
        registrant=registrant or None,
        publication=publication or None,
    )


ISBN_PRODUCT = Product(
    name="isbn",
    title="ISBN check",
    summary="Check, convert and hyphenate a book number.",
    description=(
        "Checks an ISBN-10 or ISBN-13 by ISO 2108, converts between both, and hyphenates it by the ranges of "
        "the International ISBN Agency: group, registrant and publication."
    ),
    request=IsbnRequest,
    response=IsbnResponse,
    run=_run,
    example=IsbnRequest(value="9783161484100"),
)
