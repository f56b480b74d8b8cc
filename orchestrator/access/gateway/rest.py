"""The methods as REST: each request a call of the dispatch, each result the very bytes the control socket sends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from litestar import route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from orchestrator.access import jsonrpc
from orchestrator.access.dispatch import Method, Methods
from orchestrator.access.gateway.guard import caller_of
from orchestrator.access.gateway.http_session import HttpSession
from orchestrator.access.gateway.parameters import MAX_BODY_BYTES, NotJson, from_body, from_query
from orchestrator.access.gateway.problems import no_content, problem_of, refusal
from orchestrator.access.gateway.routes import PREFIX, Route, routes_of
from orchestrator.access.jsonrpc import RpcError
from streams.http_answer import JSON_TYPE, BodyTooLarge, HttpAnswer, read_body
from streams.http_app import READ, AnyRequest


def rest_handlers(methods: Methods) -> list[HTTPRouteHandler]:
    """Return a handler for each method that has a route, and the one that takes JSON-RPC itself."""
    routes = routes_of(methods)
    verbs: dict[str, set[str]] = {}
    for each, _ in routes:
        verbs.setdefault(_path_of(each), set()).update(("GET", "HEAD") if each.verb == "GET" else ("POST",))
    return [
        # Before the others: the framework makes one of its own for a path that has none yet.
        *(_options_handler(path, allowed) for path, allowed in verbs.items()),
        *(_handler(each, method, methods) for each, method in routes),
        _rpc_handler(methods),
    ]


def _path_of(way: Route) -> str:
    return PREFIX + way.path.replace("}", ":str}")


def _options_handler(path: str, verbs: set[str]) -> HTTPRouteHandler:
    """Return what tells which methods a path takes; the framework's own knows one handler of several."""
    allowed = ", ".join(sorted({*verbs, "OPTIONS"})).encode()

    @route(path, http_method=HttpMethod.OPTIONS)
    async def options(request: AnyRequest) -> ASGIApp:
        return no_content([(b"allow", allowed)])

    return options


def _handler(way: Route, method: Method, methods: Methods) -> HTTPRouteHandler:
    if way.verb == "GET":

        @route(_path_of(way), http_method=READ, name=method.name)
        async def read(request: AnyRequest) -> ASGIApp:
            scope = request.scope
            try:
                params = from_query(method, scope["query_string"], scope["path_params"])
            except RpcError as error:
                return problem_of(error)
            return await _call(methods, method.name, params, scope)

        return read

    @route(_path_of(way), http_method=HttpMethod.POST, name=method.name)
    async def do(request: AnyRequest) -> ASGIApp:
        scope = request.scope
        body = await _json_body(scope, request.receive)
        if isinstance(body, HttpAnswer):
            return body
        try:
            params = from_body(method, body, scope["path_params"])
        except NotJson as error:
            return refusal(400, "not_json", str(error))
        except RpcError as error:
            return problem_of(error)
        return await _call(methods, method.name, params, scope)

    return do


async def _call(methods: Methods, name: str, params: dict[str, Any], scope: Any) -> HttpAnswer:
    try:
        result = await methods.ask(name, params, HttpSession(caller_of(scope).origin))
    except RpcError as error:
        return problem_of(error, fits_the_document=True)
    return HttpAnswer(200, JSON_TYPE, bytes(result))


def _rpc_handler(methods: Methods) -> HTTPRouteHandler:
    @route(f"{PREFIX}/rpc", http_method=HttpMethod.POST)
    async def rpc(request: AnyRequest) -> ASGIApp:
        """Answer JSON-RPC 2.0, a request or a batch, as the control socket does."""
        scope = request.scope
        body = await _json_body(scope, request.receive)
        if isinstance(body, HttpAnswer):
            return body
        if not body:
            return refusal(400, "not_json", "the body must be a JSON-RPC 2.0 request or a batch of them")
        session = HttpSession(caller_of(scope).origin)
        message = jsonrpc.parse(body)
        reply = jsonrpc.answer(message, lambda name, params: methods.call(name, params, session), _let_others)
        line = reply if isinstance(reply, bytes) else await reply
        return HttpAnswer(200, JSON_TYPE, line) if line else no_content()

    return rpc


def _let_others() -> Coroutine[Any, Any, None]:
    return asyncio.sleep(0)


async def _json_body(scope: Any, receive: Any) -> bytes | HttpAnswer:
    """Return a request's body; or what is answered to one that is not read."""
    headers = dict(scope["headers"])
    try:
        body = await read_body(receive, headers.get(b"content-length"), MAX_BODY_BYTES)
    except BodyTooLarge as error:
        return refusal(413, "too_large", str(error))
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if body and kind != JSON_TYPE:
        return refusal(415, "not_json", "the body must be application/json", [_ACCEPTED])
    return body


_ACCEPTED: Final = (b"accept-post", JSON_TYPE)
