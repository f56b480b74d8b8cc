"""What the paper world's visitors call themselves."""

from __future__ import annotations

import random
from typing import Final

_SYSTEMS: Final = (
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X 10_15_7",
    "X11; Linux x86_64",
    "Linux; Android 10; K",
)
CRAWLERS: Final = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "python-requests/2.32.3",
)
FEED_READER: Final = "NetNewsWire (RSS Reader; https://netnewswire.com/)"


def browser(rng: random.Random) -> str:
    """Return the User-Agent of someone's browser; there are some 400 of them."""
    system = rng.choice(_SYSTEMS)
    version = rng.randint(90, 140)
    if rng.random() < 0.4 and "Android" not in system:
        return f"Mozilla/5.0 ({system}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"
    mobile = " Mobile" if "Android" in system else ""
    return f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0{mobile} Safari/537.36"
