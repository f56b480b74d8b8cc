from __future__ import annotations

import pytest

from tests.streams.api_services.conftest import Call

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1"
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"


@pytest.mark.parametrize(
    ("value", "browser", "version", "system"),
    [
        (CHROME, "Chrome", "126.0.0", "Windows"),
        (SAFARI, "Mobile Safari", "17.5", "iOS"),
        (FIREFOX, "Firefox", "127.0", "Linux"),
    ],
)
def test_browsers_and_systems_are_recognised(call: Call, value: str, browser: str, version: str, system: str) -> None:
    answer = call("useragent", value=value)

    assert (answer.browser, answer.browser_version, answer.system) == (browser, version, system)
    assert not answer.bot


def test_a_device_has_brand_and_model(call: Call) -> None:
    answer = call("useragent", value=SAFARI)

    assert (answer.brand, answer.model) == ("Apple", "iPhone")


def test_a_crawler_is_a_bot(call: Call) -> None:
    assert call("useragent", value="Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)").bot


def test_what_is_not_known_is_null(call: Call) -> None:
    answer = call("useragent", value="x")

    assert answer.browser is None
    assert answer.device is None
