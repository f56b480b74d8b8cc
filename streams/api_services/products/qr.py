"""QR codes, ISO/IEC 18004."""

from __future__ import annotations

import base64
import io
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from streams.api_services.product import Input, Output, Product, ProductError


class QrRequest(Input, frozen=True):
    """What to encode, and how."""

    value: Annotated[str, msgspec.Meta(min_length=1, max_length=1000, description="The text or address to encode.")]
    error_correction: Annotated[
        Literal["L", "M", "Q", "H"],
        msgspec.Meta(description="How much damage is survived: 7, 15, 25 or 30 %, at least."),
    ] = "M"
    format: Annotated[Literal["svg", "png"], msgspec.Meta(description="The kind of image.")] = "svg"
    scale: Annotated[int, msgspec.Meta(ge=1, le=20, description="Pixels a module (PNG) or user units (SVG).")] = 4
    border: Annotated[int, msgspec.Meta(ge=0, le=16, description="Modules of quiet zone; the standard asks for 4.")] = 4


class QrResponse(Output, frozen=True):
    """The image: `svg` as text, or `png_base64`. `designator` is version and error correction, `1-M`."""

    designator: str
    modules: int
    width: int
    svg: str | None = None
    png_base64: str | None = None


def _run(request: QrRequest, now: datetime) -> QrResponse:
    import segno

    try:
        code = segno.make_qr(request.value, error=request.error_correction)
    except (segno.DataOverflowError, ValueError) as error:
        raise ProductError(f"cannot be encoded: {error}", "value") from None
    image = io.BytesIO()
    size = {"scale": request.scale, "border": request.border}
    if request.format == "svg":
        code.save(image, kind="svg", light="#fff", xmldecl=False, nl=False, **size)
    else:
        code.save(image, kind="png", **size)
    return QrResponse(
        designator=code.designator,
        modules=int(code.symbol_size(border=0)[0]),
        width=int(code.symbol_size(scale=request.scale, border=request.border)[0]),
        svg=image.getvalue().decode() if request.format == "svg" else None,
        png_base64=base64.b64encode(image.getvalue()).decode() if request.format == "png" else None,
    )


QR_PRODUCT = Product(
    name="qr",
    title="QR code",
    summary="Make a QR code as SVG or PNG.",
    description=(
        "Encodes a text as a QR code by ISO/IEC 18004 in the smallest version that holds it, with the best "
        "error correction that this version has room for, not below the one asked for."
    ),
    request=QrRequest,
    response=QrResponse,
    run=_run,
    example=QrRequest(value="https://example.com/"),
    heavy=True,
)
