"""`fleet_config.json`, `health`: how the daemon looks after itself, and whom it tells."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

import msgspec

from config.errors import Fault

SecretName: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        max_length=128,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$(?!\n)",
        description="the name of a secret in .env: letters, digits and _",
    ),
]

Url: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        max_length=2048,
        pattern=r"^https?://[^\x00-\x20\x7f]+$(?!\n)",
        description="an address that begins with https:// (http:// on this machine), or null",
    ),
]


class HealthMonitoring(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How services and instances are looked at.

    Attributes:
        interval_s: How often each is looked at.
        timeout_s: How long one may take to answer before it counts as frozen. Below the 5 s after which the kernel
            restarts an instance whose handler does not end, so that it is seen before it is cured.
        not_ready_s: How long an instance may say that it is not ready before people are told.
        down_s: How long one may be down, being restarted, before people are told.
        remind_s: After how long people are told again of what is still not well.
        webhook_url: Where alerts are sent, by Standard Webhooks; null for nowhere.
        webhook_secret: The secret of `.env` that they are signed with, `whsec_…`.
    """

    interval_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 30.0
    timeout_s: Annotated[float, msgspec.Meta(ge=0.1, le=60)] = 3.0
    not_ready_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 120.0
    down_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 60.0
    remind_s: Annotated[float, msgspec.Meta(ge=60, le=2_592_000)] = 3600.0
    webhook_url: Url | None = None
    webhook_secret: SecretName = "HEALTH_WEBHOOK_SECRET"  # noqa: S105 - its name


def health_faults(health: HealthMonitoring, path: str) -> Iterator[Fault]:
    """Yield what is wrong between values that are right each by itself."""
    if health.timeout_s > health.interval_s:
        yield Fault(
            f"{path}.timeout_s",
            f"at most interval_s ({health.interval_s:g}): each is looked at once at a time",
            f"{health.timeout_s:g}",
        )
    if health.webhook_url is not None and (expected := _url_fault(health.webhook_url)) is not None:
        # The address itself is not repeated: some have a secret in them.
        yield Fault(f"{path}.webhook_url", expected, "another address")


def _url_fault(url: str) -> str | None:
    """Return what a webhook's address should be, if it is not."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "an address: its host or port cannot be read"
    if not host:
        return "an address with a host"
    if parts.username is not None or parts.password is not None:
        return "an address without a name and password in it: messages are signed instead"
    if parts.scheme == "http" and not _is_here(host):
        return "https://; plain http:// is for a receiver on this machine only"
    return None


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
