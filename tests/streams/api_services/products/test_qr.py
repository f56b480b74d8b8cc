from __future__ import annotations

import base64
import struct

import pytest

from streams.api_services.product import ProductError
from tests.streams.api_services.conftest import Call


# ISO/IEC 18004, table 7: bytes that a version holds at an error correction level.
@pytest.mark.parametrize(
    ("level", "held", "version"), [("L", 17, "1-L"), ("M", 14, "1-M"), ("Q", 11, "1-Q"), ("H", 7, "1-H")]
)
def test_the_smallest_version_that_holds_the_text_is_chosen(call: Call, level: str, held: int, version: str) -> None:
    assert call("qr", value="a" * held, error_correction=level).designator == version
    assert call("qr", value="a" * (held + 1), error_correction=level).designator.startswith("2-")


def test_spare_room_goes_to_error_correction(call: Call) -> None:
    assert call("qr", value="a", error_correction="L").designator == "1-H"


def test_a_png_has_the_size_that_is_told(call: Call) -> None:
    answer = call("qr", value="hello", format="png", scale=3, border=2)
    image = base64.b64decode(answer.png_base64, validate=True)

    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", image[16:24]) == (answer.width, answer.width) == (75, 75)
    assert answer.modules == 21
    assert answer.svg is None


def test_an_svg_has_a_light_ground_and_the_size_that_is_told(call: Call) -> None:
    answer = call("qr", value="hello", border=4, scale=4)

    assert answer.svg.startswith('<svg xmlns="http://www.w3.org/2000/svg" width="116" height="116"')
    assert 'fill="#fff"' in answer.svg
    assert answer.width == 116
    assert answer.png_base64 is None


def test_what_no_version_holds_is_the_customers_mistake(call: Call) -> None:
    with pytest.raises(ProductError, match="cannot be encoded") as caught:
        call("qr", value="漢€" * 500, error_correction="H")

    assert caught.value.field == "value"
