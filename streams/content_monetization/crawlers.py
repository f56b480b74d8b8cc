"""Which User-Agent headers are no person's browser.

The crawlers are uap-core's, the list that ua-parser brings. Of its 1,270 patterns only the seven that find crawlers
are compiled: all of them cost some 30 MB and a quarter of a second.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

# HTTP libraries and automated browsers, which uap-core takes for browsers or for nothing; and what crawlers write of
# themselves behind the first hundred characters, where uap-core does not look. No browser has an address in its name.
_TOOLS: Final = re.compile(
    r"https?:|bot\b|crawl|spider|slurp|aggregator|@|library|"
    r"aiohttp|apache-httpclient|axios|curl|electron|feed|go-http-client|guzzle|headless|htmlunit|http\.rb|httpie|httpx|"
    r"lighthouse|libwww|mechanize|monitor|node-fetch|okhttp|phantomjs|playwright|postman|preview|puppeteer|python|"
    r"reader|rss|ruby|scan|selenium|slimerjs|undici|uptime|urllib|validator|webdriver|wget",
    re.IGNORECASE,
)
_BROWSER: Final = re.compile(r"(?:Mozilla|Opera)/\d.*(?:Gecko|WebKit|MSIE|Trident|Presto|KHTML)")
_MAX_CHARS: Final = 512
_KEPT: Final = 2048

OWN_AGENT: Final = "automate-everything"
"""What the daemon's own HTTP client calls itself."""


def is_bot(user_agent: str) -> bool:
    """Return whether a header is a crawler's, a tool's, or none that browsers send.

    What cannot be told counts as a bot: a reader who is not billed is a smaller harm than a bot who is.
    """
    # Not remembered: whoever sends long names would fill the memory with them.
    return len(user_agent) > _MAX_CHARS or _is_known_as_bot(user_agent)


@lru_cache(maxsize=_KEPT)
def _is_known_as_bot(user_agent: str) -> bool:
    if _BROWSER.match(user_agent) is None or _TOOLS.search(user_agent):
        return True
    return any(pattern.search(user_agent) for pattern in crawler_patterns())


@lru_cache(maxsize=1)
def crawler_patterns() -> tuple[re.Pattern[str], ...]:
    """Return the patterns that find crawlers. Slow the first time; for a thread."""
    from ua_parser import load_lazy_builtins

    _, _, devices = load_lazy_builtins()
    return tuple(device.pattern for device in devices if device.brand == "Spider")  # type: ignore[attr-defined]
