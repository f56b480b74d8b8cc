from __future__ import annotations

import pytest

from tests.streams.api_services.conftest import Call


@pytest.mark.parametrize(
    ("value", "normalized", "ascii_form"),
    [
        ("user.name+tag@Example.COM", "user.name+tag@example.com", "user.name+tag@example.com"),
        (" a@example.org ", "a@example.org", "a@example.org"),
        ("postmaster@bücher.example.com", "postmaster@bücher.example.com", "postmaster@xn--bcher-kva.example.com"),
        ("Jo\u0308rg@example.com", "J\u00f6rg@example.com", None),
    ],
)
def test_an_address_is_brought_to_its_normal_form(
    call: Call, value: str, normalized: str, ascii_form: str | None
) -> None:
    answer = call("email", value=value)

    assert answer.valid, answer.reason
    assert (answer.normalized, answer.ascii) == (normalized, ascii_form)
    assert answer.smtputf8 == (ascii_form is None)


# RFC 5321 4.5.3.1 (64 octets before the @), 5322 3.4.1 (dots), RFC 2606 (reserved names).
@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "@example.com",
        "a@",
        "a..b@example.com",
        ".a@example.com",
        "a b@example.com",
        "a@b@example.com",
        "a@-example.com",
        "a@localhost",
        "a@host.invalid",
        "x" * 65 + "@example.com",
        "a@[127.0.0.1]",
        "a@example.com\r\nBcc: all@example.com",
    ],
)
def test_an_invalid_address_is_an_answer_with_a_reason(call: Call, value: str) -> None:
    answer = call("email", value=value)

    assert not answer.valid
    assert answer.reason
    assert answer.normalized is None
