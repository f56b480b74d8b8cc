"""The HTTP application of all instances: their routes.

There is one for the process. A request finds its instance in `scope["state"]["served"]`, put there by the host
that took it. Importing this module costs some 10 MB, which an instance should pay when it starts, not before.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Final

from litestar import route
from litestar.enums import HttpMethod
from litestar.types import ASGIApp

from streams.content_monetization.publication import Publication
from streams.http_app import READ, AnyRequest, http_app_of
from streams.http_host import HttpApp


def _publication_of(request: AnyRequest) -> Publication:
    publication: Publication = request.scope["state"]["served"]
    return publication


@route(["/", "/{path:path}"], http_method=READ, sync_to_thread=False)
def show_page(request: AnyRequest) -> ASGIApp:
    """Return a page, or another file of the site."""
    return _publication_of(request).page(request.scope["path"], request.scope)


@route("/b", http_method=HttpMethod.POST)
async def take_beacon(request: AnyRequest) -> ASGIApp:
    """Take what a page tells of slots that were in view."""
    return await _publication_of(request).beacon(request.scope, request.receive)


@route("/go/{token:str}", http_method=HttpMethod.GET, sync_to_thread=False)
def follow(request: AnyRequest) -> ASGIApp:
    """Send a reader to a sponsor."""
    return _publication_of(request).go(request.scope["path_params"]["token"], request.scope)


@route("/members/{slug:str}", http_method=(HttpMethod.GET, HttpMethod.POST))
async def read_article(request: AnyRequest) -> ASGIApp:
    """Return an article for members."""
    return await _publication_of(request).read(request.scope["path_params"]["slug"], request.scope, request.receive)


@route("/v1/usage", http_method=HttpMethod.GET, sync_to_thread=False)
def show_usage(request: AnyRequest) -> ASGIApp:
    """Tell a member how their key stands."""
    return _publication_of(request).membership.usage(request.scope)


def http_app() -> HttpApp:
    """Return the application that all instances of the process share. May be called in any thread."""
    with _building:
        return _http_app()


_building: Final = threading.Lock()


@lru_cache(maxsize=1)
def _http_app() -> HttpApp:
    return http_app_of([show_page, take_beacon, follow, read_article, show_usage])
