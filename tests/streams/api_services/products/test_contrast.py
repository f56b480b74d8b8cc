from __future__ import annotations

import pytest

from streams.api_services.product import ProductError
from tests.streams.api_services.conftest import Call


# WCAG 2.2: black on white is 21:1; the greys around 4.5:1 are the field's known border cases.
@pytest.mark.parametrize(
    ("foreground", "background", "ratio"),
    [
        ("black", "white", 21.0),
        ("white", "white", 1.0),
        ("#767676", "#fff", 4.54),
        ("#777", "#fff", 4.47),
        ("#949494", "white", 3.03),
        ("red", "white", 3.99),
    ],
)
def test_the_ratio_is_that_of_the_guidelines(call: Call, foreground: str, background: str, ratio: float) -> None:
    assert call("contrast", foreground=foreground, background=background).ratio == ratio


def test_the_order_does_not_matter(call: Call) -> None:
    forth = call("contrast", foreground="#123456", background="#fedcba")
    back = call("contrast", foreground="#fedcba", background="#123456")

    assert forth.ratio == back.ratio


def test_criteria_follow_from_the_ratio(call: Call) -> None:
    passing, failing = call("contrast", foreground="#767676"), call("contrast", foreground="#777777")

    assert passing.aa
    assert not failing.aa
    assert failing.aa_large
    assert passing.aaa_large
    assert not passing.aaa
    assert failing.non_text


def test_what_is_translucent_shows_what_it_stands_on(call: Call) -> None:
    answer = call("contrast", foreground="rgb(0 0 0 / 50%)", background="white")

    assert answer.foreground == "#808080"


def test_other_colour_spaces_are_brought_into_srgb(call: Call) -> None:
    assert call("contrast", foreground="hsl(270 50% 40%)").foreground == "#663399"
    assert call("contrast", foreground="color(display-p3 1 0 0)").foreground.startswith("#ff")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"foreground": "bleu"}, "foreground"),
        ({"foreground": "red", "background": "#12345"}, "background"),
        ({"foreground": "red", "background": "transparent"}, "background"),
        ({"foreground": "rgb(1e308 1e308 1e308)"}, "foreground"),
    ],
)
def test_what_is_no_colour_is_the_customers_mistake(call: Call, fields: dict[str, str], field: str) -> None:
    with pytest.raises(ProductError) as caught:
        call("contrast", **fields)

    assert caught.value.field == field
