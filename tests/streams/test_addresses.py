"""Where something that listens on this machine is found."""

from __future__ import annotations

import pytest

from streams.addresses import address_of


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:7801"),
        ("0.0.0.0", "http://127.0.0.1:7801"),
        ("::", "http://[::1]:7801"),
        ("fe80::1", "http://[fe80::1]:7801"),
        ("localhost", "http://localhost:7801"),
    ],
)
def test_it_finds_an_instance_wherever_it_listens(host: str, url: str) -> None:
    assert address_of(host, 7801) == url
