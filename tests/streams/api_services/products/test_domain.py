from __future__ import annotations

import pytest

from tests.streams.api_services.conftest import Call


# publicsuffix.org's test_psl.txt.
@pytest.mark.parametrize(
    ("value", "registrable"),
    [
        ("com", None),
        ("example.com", "example.com"),
        ("WwW.Example.COM", "example.com"),
        ("a.b.example.uk.com", "example.uk.com"),
        ("test.ac.jp", "test.ac.jp"),
        ("c.kobe.jp", None),
        ("a.b.c.kobe.jp", "b.c.kobe.jp"),
        ("www.city.kobe.jp", "city.kobe.jp"),
        ("test.ck", None),
        ("www.www.ck", "www.ck"),
        ("a.b.test.k12.ak.us", "test.k12.ak.us"),
        ("食狮.公司.cn", "xn--85x722f.xn--55qx5d.cn"),
        ("b.example.example", "example.example"),
    ],
)
def test_the_registrable_domain_is_found(call: Call, value: str, registrable: str | None) -> None:
    answer = call("domain", value=value)

    assert answer.valid, answer.reason
    assert answer.registrable == registrable


def test_a_suffix_of_a_company_is_told_apart(call: Call) -> None:
    assert call("domain", value="user.github.io").private_suffix
    assert not call("domain", value="bbc.co.uk").private_suffix


def test_an_unlisted_suffix_is_told(call: Call) -> None:
    assert not call("domain", value="host.notlisted").suffix_known


# UTS 46 without the transitional mappings: sharp s stays itself.
@pytest.mark.parametrize(
    ("value", "ascii_form", "unicode_form"),
    [
        ("faß.de", "xn--fa-hia.de", "faß.de"),
        ("Bücher.example", "xn--bcher-kva.example", "bücher.example"),
        ("xn--bcher-kva.example.", "xn--bcher-kva.example", "bücher.example"),
    ],
)
def test_both_spellings_are_given(call: Call, value: str, ascii_form: str, unicode_form: str) -> None:
    answer = call("domain", value=value)

    assert (answer.ascii, answer.unicode) == (ascii_form, unicode_form)


@pytest.mark.parametrize(
    "value",
    ["-a.com", "a..com", "a_b.com", "http://a.com", "a" * 64 + ".com", "127.0.0.1", "xn--a.com", "a.com/x", "."],
)
def test_what_is_no_host_name_is_an_answer_with_a_reason(call: Call, value: str) -> None:
    answer = call("domain", value=value)

    assert not answer.valid
    assert answer.reason
