from __future__ import annotations

from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.data_harvesting.fetching.addresses import address_of, is_disguised, is_public, unwrapped

NOT_PUBLIC = [
    *("127.0.0.1", "127.255.255.255", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
    *("100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fec0::1", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "2001::1", "100::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::8.8.8.8", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1"),
    *("64:ff9b:1::8.8.8.8", "2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::", "3fff::1", "5f00::1"),
    *("2606:4700::5efe:127.0.0.1", "2606:4700::200:5efe:10.0.0.1"),
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_is_not_the_public_internet_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
def test_the_public_internet_is_public_through_a_translator_too(address: str) -> None:
    assert is_public(ip_address(address))


@given(st.ip_addresses(v=4))
def test_an_address_is_as_public_as_the_one_that_it_holds(inner: IPv4Address) -> None:
    for form in (f"::ffff:{inner}", f"64:ff9b::{inner}"):
        assert unwrapped(ip_address(form)) == inner
        assert is_public(ip_address(form)) == is_public(inner)
    if not is_public(inner):
        assert not is_public(ip_address(f"2002:{int(inner) >> 16:x}:{int(inner) & 0xFFFF:x}::1"))


@pytest.mark.parametrize(
    "host",
    [
        *("127.1", "127.0.1", "2130706433", "017700000001", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.01"),
        *("127.0.0.1.", "1", "0", "0x", "256.256.256.256", "::ffff:127.0.0.1", "::ffff:7f00:1", "::127.0.0.1"),
        *("64:ff9b::7f00:1", "2002:7f00:1::", "fe80::1%eth0", "example.123", "a.0x1f"),
    ],
)
def test_an_address_in_other_clothes_is_known(host: str) -> None:
    assert is_disguised(host)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "8.8.8.8", "::1", "2606:4700::1111", "example.com", "1e100.net", "0x.org"]
)
def test_what_says_what_it_is_is_not_disguised(host: str) -> None:
    assert not is_disguised(host)


def test_a_name_is_no_address() -> None:
    assert address_of("example.com") is None
    assert address_of("127.0.0.1") == IPv4Address("127.0.0.1")
