from __future__ import annotations

import re

import pytest

from streams.api_services.product import ProductError
from tests.streams.api_services.conftest import Call

# GS1 General Specifications, figure 5.2.1.2.1-1: number set A; C is its complement, B is C reversed.
SET_A = [
    "0001101",
    "0011001",
    "0010011",
    "0111101",
    "0100011",
    "0110001",
    "0101111",
    "0111011",
    "0110111",
    "0001011",
]
SET_C = [pattern.translate(str.maketrans("01", "10")) for pattern in SET_A]
SET_B = [pattern[::-1] for pattern in SET_C]
PARITY = ["AAAAAA", "AABABB", "AABBAB", "AABBBA", "ABAABB", "ABBAAB", "ABBBAA", "ABABAB", "ABABBA", "ABBABA"]
QUIET = 10


def modules(svg: str, scale: int) -> str:
    """Read the bars back from the picture."""
    width = int(re.search(r'width="(\d+)"', svg)[1]) // scale
    row = ["0"] * width
    for start, length in re.findall(r"M(\d+) 0h(\d+)v", svg.partition('<path d="')[2]):
        for at in range(int(start) // scale, (int(start) + int(length)) // scale):
            row[at] = "1"
    return "".join(row)


def decoded_ean13(row: str) -> str:
    assert row[:3] == "101"
    assert row[45:50] == "01010"
    assert row[92:] == "101"
    left, parity = "", ""
    for at in range(3, 45, 7):
        pattern = row[at : at + 7]
        parity += "A" if pattern in SET_A else "B"
        left += str((SET_A if pattern in SET_A else SET_B).index(pattern))
    right = "".join(str(SET_C.index(row[at : at + 7])) for at in range(50, 92, 7))
    return f"{PARITY.index(parity)}{left}{right}"


@pytest.mark.parametrize("value", ["4006381333931", "9783161484100", "5901234123457"])
@pytest.mark.parametrize("scale", [1, 3])
def test_an_ean13_can_be_read_back_from_the_picture(call: Call, value: str, scale: int) -> None:
    answer = call("barcode", value=value, symbology="ean13", scale=scale)
    row = modules(answer.svg, scale)

    assert row[:QUIET] == row[-QUIET:] == "0" * QUIET
    assert decoded_ean13(row[QUIET:-QUIET]) == value
    assert answer.modules == 95
    assert answer.width == (95 + 2 * QUIET) * scale


def test_a_upca_is_an_ean13_with_a_leading_zero(call: Call) -> None:
    answer = call("barcode", value="03600029145", symbology="upca", scale=1)

    assert answer.encoded == "036000291452"
    assert decoded_ean13(modules(answer.svg, 1)[QUIET:-QUIET]) == "0036000291452"


def test_code128_has_the_length_and_stop_pattern_of_its_standard(call: Call) -> None:
    # ISO/IEC 15417: 11 modules for start, each character and the check, 13 for the stop.
    answer = call("barcode", value="PJJ123C", symbology="code128", scale=1)
    row = modules(answer.svg, 1)[QUIET:-QUIET]

    assert len(row) == 11 * (1 + 7 + 1) + 13
    assert row.startswith("11010010000")  # start B
    assert row.endswith("1100011101011")


@pytest.mark.parametrize(
    ("symbology", "value", "reason"),
    [
        ("ean13", "4006381333932", "should be 1"),
        ("ean13", "12345", "13 digits"),
        ("ean8", "7351353٧", "8 digits"),
        ("itf", "123", "even number"),
        ("code39", "lower", "capitals"),
        ("code128", "é", "printable ASCII"),
        ("code128", "a\nb", "printable ASCII"),
    ],
)
def test_what_a_symbology_cannot_hold_is_the_customers_mistake(
    call: Call, symbology: str, value: str, reason: str
) -> None:
    with pytest.raises(ProductError, match=reason) as caught:
        call("barcode", value=value, symbology=symbology)

    assert caught.value.field == "value"
