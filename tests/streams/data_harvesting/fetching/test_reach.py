from __future__ import annotations

from ipaddress import ip_address

import pytest

from streams.data_harvesting.fetching.policy import FetchPolicy
from streams.data_harvesting.fetching.reach import Reach


def allows(reach: Reach, address: str, port: int) -> bool:
    return reach.allows(ip_address(address), port)


def test_by_default_only_the_public_internet_is_in_reach_on_the_ports_of_the_web() -> None:
    reach = FetchPolicy().reach()
    assert allows(reach, "8.8.8.8", 443)
    assert not allows(reach, "8.8.8.8", 22)
    assert not allows(reach, "127.0.0.1", 80)


def test_an_address_is_in_reach_on_the_port_that_is_named_and_no_other() -> None:
    reach = Reach.of((80,), ("127.0.0.1:8901",))
    assert allows(reach, "127.0.0.1", 8901)
    assert not allows(reach, "127.0.0.1", 8902)
    assert not allows(reach, "127.0.0.2", 8901)
    assert not allows(reach, "8.8.8.8", 8901)


def test_localhost_is_both_loopback_addresses() -> None:
    reach = Reach.of((80,), ("localhost:8901",))
    assert allows(reach, "127.0.0.1", 8901)
    assert allows(reach, "::1", 8901)


def test_a_network_is_in_reach_on_every_port() -> None:
    reach = Reach.of((80,), ("10.1.0.0/16", "fd00::/64"))
    assert allows(reach, "10.1.2.3", 5000)
    assert not allows(reach, "10.2.0.1", 5000)
    assert allows(reach, "fd00::9", 1)


@pytest.mark.parametrize(
    "entry", ["127.0.0.1", "example.com:80", "127.0.0.1:0", "127.0.0.1:70000", "10.1.0.1/16", "", "[::1]"]
)
def test_what_is_no_address_with_a_port_is_refused_with_the_remedy(entry: str) -> None:
    with pytest.raises(ValueError, match=r"allow_private: .*'127\.0\.0\.1:8901'"):
        FetchPolicy(allow_private=(entry,))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ports", (0,)),
        ("product_token", "no spaces"),
        ("min_delay_s", -1.0),
        ("min_delay_s", float("nan")),
        ("concurrency_per_host", 0),
        ("max_body_bytes", 0),
        ("total_timeout_s", 0.0),
        ("max_redirects", 99),
    ],
)
def test_a_policy_that_makes_no_sense_names_its_field(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        FetchPolicy(**{field: value})  # type: ignore[arg-type]
