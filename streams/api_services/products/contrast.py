"""Contrast of two colours by the Web Content Accessibility Guidelines."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec

from streams.api_services.product import Input, Output, Product, ProductError

if TYPE_CHECKING:
    from coloraide import Color

ColourText: TypeAlias = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=64, description="A CSS colour: #663399, rgb(), hsl(), oklch(), a name."),
]


class ContrastRequest(Input, frozen=True):
    """Text and what it stands on."""

    foreground: ColourText
    background: ColourText = "white"


class ContrastResponse(Output, frozen=True):
    """The ratio, from 1 to 21, cut to two places, and the success criteria that it meets."""

    ratio: float
    foreground: str
    background: str
    aa: bool
    aa_large: bool
    aaa: bool
    aaa_large: bool
    non_text: bool


def _colour(text: str, field: str) -> Color:
    from coloraide import Color

    try:
        return Color(text).convert("srgb").fit()
    except (ValueError, OverflowError):
        raise ProductError("is not a CSS colour", field) from None


def _run(request: ContrastRequest, now: datetime) -> ContrastResponse:
    from coloraide import Color

    background = _colour(request.background, "background")
    if background.alpha(nans=False) < 1:
        raise ProductError("must be opaque: what lies under it is not known", "background")
    # What is translucent shows what it stands on.
    foreground = Color.layer([_colour(request.foreground, "foreground"), background], space="srgb")
    shown_foreground = foreground.to_string(hex=True, nans=False)
    shown_background = background.to_string(hex=True, nans=False)
    ratio = Color(shown_foreground).contrast(shown_background, method="wcag21")
    return ContrastResponse(
        # Cut, not rounded: 4.499 does not pass, and must not look as if it did.
        ratio=int(ratio * 100 + 1e-9) / 100,
        foreground=shown_foreground,
        background=shown_background,
        aa=ratio >= 4.5,
        aa_large=ratio >= 3,
        aaa=ratio >= 7,
        aaa_large=ratio >= 4.5,
        non_text=ratio >= 3,
    )


CONTRAST_PRODUCT = Product(
    name="contrast",
    title="Colour contrast",
    summary="Check the contrast of two colours by WCAG.",
    description=(
        "Reads CSS Color 4 colours, brings them into sRGB, blends what is translucent, and gives the contrast "
        "ratio of WCAG 2.2 with the criteria that it meets (1.4.3, 1.4.6, 1.4.11)."
    ),
    request=ContrastRequest,
    response=ContrastResponse,
    run=_run,
    example=ContrastRequest(foreground="rebeccapurple", background="#fff"),
)
