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

from streams.data_harvesting.shop import DatasetShop
from streams.http_answer import JSON_TYPE, HttpAnswer
from streams.http_app import HTML_TYPE, READ, AnyRequest, http_app_of
from streams.http_host import HttpApp

_PAGE_HEADERS: Final = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
        b"frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"no-referrer"),
)
_PAGE_CACHEABLE_S: Final = 300


def _shop_of(request: AnyRequest) -> DatasetShop:
    shop: DatasetShop = request.scope["state"]["served"]
    return shop


@route("/v1/datasets", http_method=READ, sync_to_thread=False)
def list_datasets(request: AnyRequest) -> ASGIApp:
    """Tell what there is to be had."""
    return _shop_of(request).list_datasets()


@route("/v1/datasets/{name:str}", http_method=READ, sync_to_thread=False)
def show_dataset(request: AnyRequest) -> ASGIApp:
    """Tell what there is to be had of one dataset."""
    return _shop_of(request).show_dataset(request.scope["path_params"]["name"])


@route("/v1/datasets/{name:str}/{version:str}", http_method=HttpMethod.GET)
async def download(request: AnyRequest) -> ASGIApp:
    """Answer a metered download."""
    place = request.scope["path_params"]
    return await _shop_of(request).download(place["name"], place["version"], request.scope)


@route("/v1/usage", http_method=HttpMethod.GET, sync_to_thread=False)
def show_usage(request: AnyRequest) -> ASGIApp:
    """Tell a customer how their key stands."""
    return _shop_of(request).usage(request.scope)


@route("/openapi.json", http_method=READ)
async def show_openapi(request: AnyRequest) -> ASGIApp:
    """Return the description of the instance's API."""
    document = await _shop_of(request).page("openapi")
    return HttpAnswer(200, JSON_TYPE, document, cacheable_s=_PAGE_CACHEABLE_S)


@route("/", http_method=READ)
async def show_docs(request: AnyRequest) -> ASGIApp:
    """Return the page for customers."""
    page = await _shop_of(request).page("docs")
    return HttpAnswer(200, HTML_TYPE, page, _PAGE_HEADERS, cacheable_s=_PAGE_CACHEABLE_S)


def http_app() -> HttpApp:
    """Return the application that all instances of the process share. May be called in any thread."""
    with _building:
        return _http_app()


_building: Final = threading.Lock()


@lru_cache(maxsize=1)
def _http_app() -> HttpApp:
    return http_app_of([list_datasets, show_dataset, download, show_usage, show_openapi, show_docs])
