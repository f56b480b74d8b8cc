"""What the health section takes, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest

from config.fleet import Fleet
from config.health_monitoring import HealthMonitoring
from config.sections import section_named


def _faults(**health: Any) -> list[str]:
    _, faults = section_named("fleet").convert({"health": health, "streams": {}}, {})
    return [f"{fault.path}: {fault.expected}" for fault in faults]


def test_without_it_every_subject_is_looked_at_each_half_minute_and_nobody_outside_is_told() -> None:
    assert (Fleet().health.interval_s, Fleet().health.webhook_url) == (30.0, None)
    assert Fleet().health == HealthMonitoring()


@pytest.mark.parametrize(
    "url",
    ["https://alerts.example/hook?a=b", "http://127.0.0.1:9000/", "http://localhost/x", "http://[::1]:80/"],
)
def test_alerts_go_to_https_or_to_this_machine(url: str) -> None:
    assert _faults(webhook_url=url, webhook_secret="MY_SECRET") == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://alerts.example/", "plain http:// is for a receiver on this machine only"),
        ("http://10.0.0.1/", "plain http:// is for a receiver on this machine only"),
        ("https://user:word@alerts.example/", "without a name and password"),
        ("https://", "an address that begins with"),
        ("https:///path", "an address with a host"),
        ("https://alerts.example:port/", "cannot be read"),
        ("file:///etc/passwd", "an address that begins with"),
        ("https://alerts.example/ x", "an address that begins with"),
    ],
)
def test_other_addresses_are_refused_with_the_reason(url: str, expected: str) -> None:
    (fault,) = _faults(webhook_url=url)
    assert fault.startswith("$.health.webhook_url: ")
    assert expected in fault


def test_a_password_in_an_address_is_not_repeated() -> None:
    _, (fault,) = section_named("fleet").convert(
        {"health": {"webhook_url": "https://user:word@alerts.example/"}, "streams": {}}, {}
    )
    assert "word@" not in fault.found


def test_one_is_not_asked_again_while_it_is_still_being_asked() -> None:
    assert _faults(interval_s=2, timeout_s=3)[0].startswith("$.health.timeout_s: at most interval_s (2)")
