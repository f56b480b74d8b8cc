"""Global trade item numbers (EAN, UPC), GS1 General Specifications."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from streams.api_services.product import Input, Output, Product
from streams.api_services.products.identifier import IdentifierText, check, compact

_KINDS: Final = {8: "GTIN-8", 12: "GTIN-12", 13: "GTIN-13", 14: "GTIN-14"}


class GtinRequest(Input, frozen=True):
    """A number to check, with 8, 12, 13 or 14 digits."""

    value: IdentifierText


class GtinResponse(Output, frozen=True):
    """The number, padded to 14 digits as databases keep it."""

    valid: bool
    value: str
    kind: str | None = None
    gtin14: str | None = None
    check_digit: str | None = None
    use: str | None = None
    reason: str | None = None


def _use(gtin13: str) -> str:
    """Tell what a GS1 prefix is reserved for; `trade item` where it is a company's."""
    prefix = int(gtin13[:3])
    if prefix in {977, 978, 979}:
        return "periodical" if prefix == 977 else "book or sheet music"
    if 980 <= prefix <= 984 or 990 <= prefix <= 999 or 50 <= prefix <= 59:
        return "coupon or refund receipt"
    if 20 <= prefix <= 29 or 40 <= prefix <= 49 or 200 <= prefix <= 299:
        return "restricted circulation"
    return "trade item"


def _run(request: GtinRequest, now: datetime) -> GtinResponse:
    from stdnum import ean

    value = compact(request.value)
    outcome = check(value, ean.validate)
    if outcome.reason is not None:
        return GtinResponse(valid=False, value=value, reason=outcome.reason)
    gtin14 = value.zfill(14)
    return GtinResponse(
        valid=True,
        value=value,
        kind=_KINDS[len(value)],
        gtin14=gtin14,
        check_digit=value[-1],
        # GTIN-8 have prefixes of their own that say nothing of their use.
        use=_use(gtin14[1:]) if len(value) > 8 else "trade item",
    )


GTIN_PRODUCT = Product(
    name="gtin",
    title="GTIN check",
    summary="Check an EAN, UPC or GTIN and bring it to 14 digits.",
    description=(
        "Checks the length and check digit of GTIN-8, UPC-A (GTIN-12), EAN-13 and GTIN-14 by the GS1 General "
        "Specifications, and tells trade items from in-store numbers, coupons, books and periodicals."
    ),
    request=GtinRequest,
    response=GtinResponse,
    run=_run,
    example=GtinRequest(value="4006381333931"),
)
