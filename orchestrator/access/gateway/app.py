"""The gateway's ASGI application: all routes on one page. Importing this costs some 10 MB; for a thread."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import structlog
from litestar import Litestar, Response, get, post, route
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from orchestrator.access.gateway.credentials import Credentials
from orchestrator.access.gateway.guard import LOGIN_PATH, LOGOUT_PATH, Guard
from orchestrator.access.gateway.login import Door
from orchestrator.access.gateway.login_limit import LoginLimit
from orchestrator.access.gateway.metrics.traffic import Traffic
from orchestrator.access.gateway.observing import Watching, observing_handlers
from orchestrator.access.gateway.openapi import document_of
from orchestrator.access.gateway.pages.static_files import STATIC_PREFIX, StaticFiles
from orchestrator.access.gateway.pages.templates import Templates
from orchestrator.access.gateway.problems import refusal
from orchestrator.access.gateway.rest import rest_handlers
from orchestrator.access.gateway.routes import PREFIX, routes_of
from orchestrator.access.gateway.sessions import Sessions
from orchestrator.release import VERSION
from streams.http_answer import JSON_TYPE, HttpAnswer, PeerGone
from streams.http_app import READ, AnyRequest
from streams.http_host import AsgiApp

_log = structlog.get_logger("gateway")


class Parts(msgspec.Struct, frozen=True):
    """What the application is made of.

    Attributes:
        watching: What is watched, and the dispatch.
        credentials: Recognises callers.
        sessions: The browsers that have logged in.
        limit: How often an address may try to.
        cookie: The name of the cookie that carries a session's id.
        names: Host names that the gateway is known by.
    """

    watching: Watching
    credentials: Credentials
    sessions: Sessions
    limit: LoginLimit
    cookie: str
    names: tuple[str, ...]


def build_app(parts: Parts) -> AsgiApp:
    """Return the application. Slow, and reads files; for a thread."""
    traffic = Traffic(parts.watching.exposition.registry)
    files = StaticFiles()
    templates = Templates(files)
    door = Door(parts.credentials, parts.sessions, parts.limit, traffic, templates, parts.cookie)
    app = Litestar(
        route_handlers=[
            *_page_handlers(door, templates, files),
            *rest_handlers(parts.watching.methods),
            *observing_handlers(parts.watching),
            _document_handler(parts),
        ],
        exception_handlers={HTTPException: _explain, PeerGone: _say_nothing, Exception: _explain_failure},
        openapi_config=None,
        logging_config=None,
        request_max_body_size=None,  # every handler bounds what it reads
    )
    return Guard(app, parts.credentials, traffic, parts.names)


def _page_handlers(door: Door, templates: Templates, files: StaticFiles) -> list[HTTPRouteHandler]:
    @route(LOGIN_PATH, http_method=READ)
    async def show_login(request: AnyRequest) -> ASGIApp:
        return door.show(request.scope["query_string"])

    @post(LOGIN_PATH)
    async def log_in(request: AnyRequest) -> ASGIApp:
        return await door.log_in(request.scope, request.receive)

    @post(LOGOUT_PATH)
    async def log_out(request: AnyRequest) -> ASGIApp:
        return door.log_out(request.scope)

    @route("/", http_method=READ)
    async def show_index(request: AnyRequest) -> ASGIApp:
        return templates.page("index.html", version=VERSION)

    @route(f"{STATIC_PREFIX}/{{name:path}}", http_method=READ)
    async def show_file(request: AnyRequest) -> ASGIApp:
        name = str(request.scope["path_params"]["name"]).removeprefix("/")
        none_match = request.headers.get("if-none-match", "").encode("latin-1")
        return await files.answer(name, request.scope["query_string"], none_match)

    return [show_login, log_in, log_out, show_index, show_file]


def _document_handler(parts: Parts) -> HTTPRouteHandler:
    routes = routes_of(parts.watching.methods)
    document = msgspec.json.encode(document_of(routes, title="automate", version=VERSION, cookie=parts.cookie))

    @get(f"{PREFIX}/openapi.json")
    async def show_document(request: AnyRequest) -> ASGIApp:
        return HttpAnswer(200, JSON_TYPE, document)

    return show_document


_DETAILS: Final = {
    404: "there is nothing at this path; /api/v1/openapi.json says what there is",
    405: "this path does not take this method; the Allow header says which it takes",
}


def _explain(_: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Answer what the router refuses."""
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in (error.headers or {}).items()
    ]
    status = error.status_code
    return _response(refusal(status, f"http_{status}", _DETAILS.get(status, error.detail), headers))


def _say_nothing(_: AnyRequest, error: PeerGone) -> Response[bytes]:
    """Nobody is there to read it."""
    return _response(refusal(400, "incomplete", "the request ended before it was whole"))


def _explain_failure(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Answer what should not have happened. The log has the rest, apart from the query, which is a stranger's."""
    _log.error("gateway.request_failed", route=request.scope.get("path_template"), exc_info=error)
    return _response(refusal(500, "internal", "something went wrong here; the daemon's log has the cause"))


def _response(answer: HttpAnswer) -> Response[Any]:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
    media_type = headers.pop("content-type")
    return Response(answer.body, status_code=answer.status, media_type=media_type, headers=headers)
