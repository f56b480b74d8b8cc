"""What an instance serves on its port: its health, and to this machine how it stands, as JSON.

Importing this module costs some 10 MB, which an instance should pay when it starts, not before.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from streams.http_answer import JSON_TYPE, HttpAnswer, problem_answer
from streams.http_app import health_answer
from streams.http_host import HttpApp
from streams.stream import Health

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


class Standing:
    """One instance, as its page sees it.

    Args:
        id: The instance's id.
        log: Its logger.
        health: Tells whether it trades.
        standing: Returns what the page shows.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 - the field's word
        log: FilteringBoundLogger,
        health: Callable[[], Health],
        standing: Callable[[], dict[str, Any]],
    ) -> None:
        self.id = id
        self.log = log
        self.health = health
        self.standing = standing


@lru_cache(maxsize=1)
def page_app() -> HttpApp:
    """Return the application of all instances."""
    return HttpApp(_serve)


async def _serve(scope: Any, receive: Any, send: Any) -> None:
    served: Standing = scope["state"]["served"]
    path = scope["path"]
    if path not in ("/", "/healthz"):
        answer = problem_answer(404, "there is nothing at this path but / and /healthz", code="http_404")
    elif scope["method"] not in ("GET", "HEAD"):
        allow = [(b"allow", b"GET, HEAD")]
        answer = problem_answer(405, "this path only takes GET and HEAD", code="http_405", headers=allow)
    elif path == "/healthz":
        answer = health_answer(served.id, served.health())
    elif not _is_here(scope.get("client")):
        # Balances and trades are nobody's business, also where instances listen to the world for their customers.
        answer = problem_answer(403, "how a trader stands is told on its own machine only", code="http_403")
    else:
        answer = HttpAnswer(200, JSON_TYPE, msgspec.json.encode(served.standing()))
    await answer(scope, receive, send)


def _is_here(client: tuple[str, int] | None) -> bool:
    try:
        return client is not None and ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False
