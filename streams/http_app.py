"""What the HTTP applications of all streams share: the health check, and errors that explain themselves.

An application is made once for the process. A request finds its instance in `scope["state"]["served"]`, put
there by the host that took it. Importing this module costs some 10 MB, which an instance should pay when it
starts, not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
from litestar import Litestar, Request, Response, route
from litestar.enums import HttpMethod
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from streams.http_answer import JSON_TYPE, HttpAnswer, problem_answer
from streams.http_host import HttpApp
from streams.stream import Health

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

AnyRequest = Request[Any, Any, Any]

READ: Final = (HttpMethod.GET, HttpMethod.HEAD)
HTML_TYPE: Final = b"text/html; charset=utf-8"

_DETAILS: Final = {
    404: "there is nothing at this path; the page at / says what there is",
    405: "this path does not take this method; the Allow header says which it takes",
}


class Served(Protocol):
    """One instance, as an application sees it.

    Attributes:
        id: The instance's id.
        health: Tells whether it serves.
        log: The instance's logger.
    """

    @property
    def id(self) -> str: ...  # noqa: D102

    @property
    def log(self) -> FilteringBoundLogger: ...  # noqa: D102

    def health(self) -> Health: ...  # noqa: D102


def health_answer(instance: str, health: Health) -> HttpAnswer:
    """Return what `GET /healthz` says of an instance."""
    status = "ok" if health.ready else "unavailable"
    body = {"status": health.detail if health.detail == "paused" else status, "instance": instance}
    return HttpAnswer(200 if health.ready else 503, JSON_TYPE, msgspec.json.encode(body))


@route("/healthz", http_method=READ, sync_to_thread=False)
def show_health(request: AnyRequest) -> ASGIApp:
    """Tell whether the instance serves."""
    served: Served = request.scope["state"]["served"]
    return health_answer(served.id, served.health())


def explain_http_error(_: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Answer what the router refuses."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in (error.headers or {}).items()]
    detail = _DETAILS.get(error.status_code, error.detail)
    return _response(problem_answer(error.status_code, detail, code=f"http_{error.status_code}", headers=headers))


def explain_failure(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Answer what should not have happened; the log has the rest."""
    served: Served = request.scope["state"]["served"]
    served.log.error("request.failed", path=request.scope["path"], exc_info=error)
    return _response(problem_answer(500, "something went wrong here; nothing was charged", code="internal"))


def http_app_of(handlers: Sequence[HTTPRouteHandler]) -> HttpApp:
    """Return an application with these routes and the health check. Slow; for a thread, once in the process."""
    return HttpApp(
        Litestar(
            route_handlers=[*handlers, show_health],
            exception_handlers={HTTPException: explain_http_error, Exception: explain_failure},
            openapi_config=None,
            logging_config=None,
        )
    )


def _response(answer: HttpAnswer) -> Response[bytes]:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
    media_type = headers.pop("content-type")
    return Response(answer.body, status_code=answer.status, media_type=media_type, headers=headers)
