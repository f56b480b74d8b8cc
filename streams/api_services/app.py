"""The HTTP application of all instances: routes, and what is answered where there is none.

There is one for the process. A request finds its instance in `scope["state"]["shop"]`, put there by the host
that took it. Importing this module costs some 10 MB, which an instance should pay when it starts, not before.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any, Final

import msgspec
from litestar import Litestar, Request, Response, route
from litestar.enums import HttpMethod
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp

from streams.api_services.shop import Shop
from streams.http_answer import JSON_TYPE, HttpAnswer, problem_answer
from streams.http_host import HttpApp

AnyRequest = Request[Any, Any, Any]

_READ: Final = (HttpMethod.GET, HttpMethod.HEAD)
_HTML: Final = b"text/html; charset=utf-8"
_PAGE_HEADERS: Final = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
        b"frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"no-referrer"),
)
_PAGE_CACHEABLE_S: Final = 300
_DETAILS: Final = {
    404: "there is nothing at this path; the page at / says what there is",
    405: "this path does not take this method; the Allow header says which it takes",
}


def shop_of(request: AnyRequest) -> Shop:
    """Return the instance that a request came to."""
    shop: Shop = request.scope["state"]["shop"]
    return shop


@route("/v1/{product:str}", http_method=(HttpMethod.GET, HttpMethod.POST))
async def call_product(request: AnyRequest) -> ASGIApp:
    """Answer a call of a product."""
    scope = request.scope
    shop: Shop = scope["state"]["shop"]
    return await shop.call(scope["path_params"]["product"], scope, request.receive)


@route("/v1/usage", http_method=HttpMethod.GET, sync_to_thread=False)
def show_usage(request: AnyRequest) -> ASGIApp:
    """Tell a customer how their key stands."""
    return shop_of(request).usage(request.scope)


@route("/healthz", http_method=_READ, sync_to_thread=False)
def show_health(request: AnyRequest) -> ASGIApp:
    """Tell whether the instance serves."""
    shop = shop_of(request)
    health = shop.health()
    status = "ok" if health.ready else "unavailable"
    body = {"status": health.detail if health.detail == "paused" else status, "instance": shop.id}
    return HttpAnswer(200 if health.ready else 503, JSON_TYPE, msgspec.json.encode(body))


@route("/openapi.json", http_method=_READ)
async def show_openapi(request: AnyRequest) -> ASGIApp:
    """Return the description of the instance's API."""
    document = await shop_of(request).page("openapi")
    return HttpAnswer(200, JSON_TYPE, document, cacheable_s=_PAGE_CACHEABLE_S)


@route("/", http_method=_READ)
async def show_docs(request: AnyRequest) -> ASGIApp:
    """Return the page for customers."""
    page = await shop_of(request).page("docs")
    return HttpAnswer(200, _HTML, page, _PAGE_HEADERS, cacheable_s=_PAGE_CACHEABLE_S)


def explain_http_error(_: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Answer what the router refuses."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in (error.headers or {}).items()]
    detail = _DETAILS.get(error.status_code, error.detail)
    return _response(problem_answer(error.status_code, detail, code=f"http_{error.status_code}", headers=headers))


def explain_failure(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Answer what should not have happened; the log has the rest."""
    shop_of(request).log.error("request.failed", path=request.scope["path"], exc_info=error)
    return _response(problem_answer(500, "something went wrong here; nothing was charged", code="internal"))


def _response(answer: HttpAnswer) -> Response[bytes]:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
    media_type = headers.pop("content-type")
    return Response(answer.body, status_code=answer.status, media_type=media_type, headers=headers)


def http_app() -> HttpApp:
    """Return the application that all instances of the process share. May be called in any thread."""
    with _building:
        return _http_app()


_building: Final = threading.Lock()


@lru_cache(maxsize=1)
def _http_app() -> HttpApp:
    return HttpApp(
        Litestar(
            route_handlers=[call_product, show_usage, show_health, show_openapi, show_docs],
            exception_handlers={HTTPException: explain_http_error, Exception: explain_failure},
            openapi_config=None,
            logging_config=None,
        )
    )
