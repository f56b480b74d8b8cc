"""The HTTP application of all instances of the process. No framework: four routes, one of them hot."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, Protocol

from streams.affiliate_marketing import postbacks, redirector
from streams.affiliate_marketing.postbacks import PostbackDesk
from streams.affiliate_marketing.redirector import Redirector
from streams.http_answer import JSON_TYPE, HttpAnswer, problem_answer
from streams.http_app import Served, health_answer
from streams.http_cycle import HttpCycle
from streams.http_host import HttpApp

_READ: Final = ("GET", "HEAD")
_NOTHING_HERE: Final = problem_answer(
    404, "there is nothing at this path; /links.json says which links there are", code="http_404"
)
_READ_ONLY: Final = problem_answer(405, "this path is for reading", code="http_405", headers=[(b"allow", b"GET, HEAD")])
_LINKS_CACHEABLE_S: Final = 60


class Agency(Served, Protocol):
    """One instance, as the application sees it: `scope["state"]["served"]` of every request.

    Attributes:
        redirector: Its links.
        postbacks: Where networks report to it.
    """

    @property
    def redirector(self) -> Redirector: ...  # noqa: D102

    @property
    def postbacks(self) -> PostbackDesk: ...  # noqa: D102

    def links(self) -> bytes:
        """Return the public links, JSON."""
        ...


async def serve(scope: Any, receive: Any, send: Any) -> None:
    """Answer a request; an ASGI application."""
    agency: Agency = scope["state"]["served"]
    path: str = scope["path"]
    if path.startswith(redirector.PREFIX):
        await agency.redirector.serve(scope, receive, send)
        return
    try:
        if path.startswith(postbacks.PREFIX):
            await agency.postbacks.serve(scope, receive, send)
            return
        if path not in ("/links.json", "/healthz"):
            answer = _NOTHING_HERE
        elif scope["method"] not in _READ:
            answer = _READ_ONLY
        elif path == "/healthz":
            answer = health_answer(agency.id, agency.health())
        else:
            answer = HttpAnswer(200, JSON_TYPE, agency.links(), cacheable_s=_LINKS_CACHEABLE_S)
    except Exception as error:
        agency.log.error("request.failed", path=path, exc_info=error)
        answer = problem_answer(500, "something went wrong here; send it again", code="internal")
    await answer(scope, receive, send)


def take_click(cycle: HttpCycle) -> bool:
    """Take the usual click without a task; see `streams.http_connection.Quick`."""
    scope: Any = cycle.scope
    if not scope["path"].startswith(redirector.PREFIX):
        return False
    agency: Agency = scope["state"]["served"]
    return agency.redirector.quick(cycle)


@lru_cache(maxsize=1)
def http_app() -> HttpApp:
    """Return the application that all instances of the process share."""
    return HttpApp(serve, take_click)
