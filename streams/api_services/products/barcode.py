"""Linear barcodes for trade and logistics, as SVG."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from streams.api_services.product import Input, Output, Product, ProductError

Symbology: TypeAlias = Literal["code128", "code39", "ean13", "ean8", "upca", "itf"]

_QUIET_ZONE: Final = 10
"""Light modules on either side: what Code 128 and ITF ask for; EAN asks for no more than 11 and 7."""

_DIGITS: Final[dict[str, int]] = {"ean13": 13, "ean8": 8, "upca": 12}
_CODE39: Final = re.compile(r"[0-9A-Z \-.$/+%]+")


class BarcodeRequest(Input, frozen=True):
    """What to encode, and how."""

    value: Annotated[str, msgspec.Meta(min_length=1, max_length=80, description="The digits or the text.")]
    symbology: Annotated[
        Symbology,
        msgspec.Meta(description="EAN and UPC take the digits with or without their check digit."),
    ] = "code128"
    height: Annotated[int, msgspec.Meta(ge=10, le=500, description="Height of the bars, user units.")] = 60
    scale: Annotated[int, msgspec.Meta(ge=1, le=10, description="Width of the narrowest bar, user units.")] = 2


class BarcodeResponse(Output, frozen=True):
    """The image, and the text that it encodes with check digit."""

    symbology: Symbology
    encoded: str
    modules: int
    width: int
    svg: str


def _checked(request: BarcodeRequest) -> str:
    """Return the text to encode, or tell why this symbology cannot hold it."""
    from stdnum import ean

    value = request.value
    if request.symbology in _DIGITS:
        digits = _DIGITS[request.symbology]
        if not (value.isascii() and value.isdigit()) or len(value) not in {digits, digits - 1}:
            raise ProductError(f"takes {digits} digits, or {digits - 1} without the check digit", "value")
        expected = ean.calc_check_digit(value[: digits - 1])
        if len(value) == digits and value[-1] != expected:
            raise ProductError(f"the check digit should be {expected}", "value")
        return value[: digits - 1] + expected
    if request.symbology == "itf" and (not (value.isascii() and value.isdigit()) or len(value) % 2):
        raise ProductError("takes an even number of digits", "value")
    if request.symbology == "code39" and not _CODE39.fullmatch(value):
        raise ProductError("takes digits, capitals, space and - . $ / + %", "value")
    if request.symbology == "code128" and not (value.isascii() and value.isprintable()):
        raise ProductError("takes printable ASCII", "value")
    return value


def _svg(pattern: str, scale: int, height: int) -> str:
    bars = "".join(
        f"M{(_QUIET_ZONE + bar.start()) * scale} 0h{len(bar[0]) * scale}v{height}h-{len(bar[0]) * scale}z"
        for bar in re.finditer("1+", pattern)
    )
    width = (len(pattern) + 2 * _QUIET_ZONE) * scale
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}"><path fill="#fff" d="M0 0h{width}v{height}h-{width}z"/>'
        f'<path d="{bars}"/></svg>'
    )


def _run(request: BarcodeRequest, now: datetime) -> BarcodeResponse:
    from barcode import EAN8, EAN13, ITF, UPCA, Code39, Code128  # type: ignore[import-untyped]

    value = _checked(request)
    match request.symbology:
        case "code128":
            symbol = Code128(value)
        case "code39":
            symbol = Code39(value, add_checksum=False)
        case "ean13":
            symbol = EAN13(value)
        case "ean8":
            symbol = EAN8(value)
        case "upca":
            symbol = UPCA(value)
        case _:
            symbol = ITF(value, narrow=1, wide=3)
    (pattern,) = symbol.build()
    return BarcodeResponse(
        symbology=request.symbology,
        encoded=value,
        modules=len(pattern),
        width=(len(pattern) + 2 * _QUIET_ZONE) * request.scale,
        svg=_svg(pattern, request.scale, request.height),
    )


BARCODE_PRODUCT = Product(
    name="barcode",
    title="Barcode",
    summary="Make a Code 128, Code 39, EAN, UPC or ITF barcode as SVG.",
    description=(
        "Draws the bars with their quiet zones as one SVG path. EAN and UPC check digits are completed, or "
        "checked where given. No text is printed under the bars."
    ),
    request=BarcodeRequest,
    response=BarcodeResponse,
    run=_run,
    example=BarcodeRequest(value="4006381333931", symbology="ean13"),
)
