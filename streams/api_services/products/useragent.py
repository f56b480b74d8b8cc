"""User-Agent headers: browser, system and device."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from streams.api_services.product import Input, Output, Product


class UserAgentRequest(Input, frozen=True):
    """A header to read."""

    value: Annotated[
        str, msgspec.Meta(min_length=1, max_length=1024, description="The User-Agent header as it was received.")
    ]


class UserAgentResponse(Output, frozen=True):
    """What the header claims; null where it says nothing that is known. A header can lie."""

    browser: str | None
    browser_version: str | None
    system: str | None
    system_version: str | None
    device: str | None
    brand: str | None
    model: str | None
    bot: bool


def _version(*parts: str | None) -> str | None:
    present = []
    for part in parts:
        if part is None:
            break
        present.append(part)
    return ".".join(present) or None


def _run(request: UserAgentRequest, now: datetime) -> UserAgentResponse:
    from ua_parser import parse

    result = parse(request.value)
    browser, system, device = result.user_agent, result.os, result.device
    return UserAgentResponse(
        browser=browser.family if browser else None,
        browser_version=_version(browser.major, browser.minor, browser.patch) if browser else None,
        system=system.family if system else None,
        system_version=_version(system.major, system.minor, system.patch) if system else None,
        device=device.family if device else None,
        brand=device.brand if device else None,
        model=device.model if device else None,
        bot=device is not None and device.family == "Spider",
    )


USERAGENT_PRODUCT = Product(
    name="useragent",
    title="User-Agent parser",
    summary="Read browser, system and device from a User-Agent header.",
    description=(
        "Recognises thousands of browsers, systems, devices and crawlers by the uap-core rules, with regular "
        "expressions that run in linear time."
    ),
    request=UserAgentRequest,
    response=UserAgentResponse,
    run=_run,
    example=UserAgentRequest(
        value=(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/17.5 Mobile/15E148 Safari/604.1"
        )
    ),
)
