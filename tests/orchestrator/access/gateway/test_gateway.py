"""The gateway over real HTTP: who gets in, what is answered, and that it is what the control socket answers."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import stat
from typing import Any

import pytest

from orchestrator.access.gateway.app import Litestar
from orchestrator.access.gateway.guard import LOGIN_PATH
from orchestrator.access.gateway.routes import PREFIX, routes_of
from orchestrator.access.gateway.whereabouts import TOKEN_NAME
from tests.orchestrator.access.gateway.conftest import GatewayUnderTest
from tests.orchestrator.access.wire import Wire, call, until


def _routes(gateway: GatewayUnderTest) -> list[tuple[str, str]]:
    """Return every route of the application, as it is served."""
    actor: Any = gateway.ref._cell.actor
    app = actor._host._app.config.app._app
    assert isinstance(app, Litestar)
    found = []
    for route in app.routes:
        path = route.path_format.replace("{name}", "x.js").replace("{", "").replace("}", "")
        found += [(method, path) for method in sorted(route.methods)]  # type: ignore[union-attr]
    return found


async def test_without_the_token_every_route_but_the_login_refuses(gateway: GatewayUnderTest) -> None:
    routes = _routes(gateway)
    assert {("GET", "/metrics"), ("GET", "/healthz"), ("POST", f"{PREFIX}/rpc"), ("GET", f"{PREFIX}/events")} <= {
        *routes
    }
    assert len(routes) > 60
    for method, path in [*routes, ("GET", "/nothing/here"), ("PUT", "/"), ("TRACE", f"{PREFIX}/system/ping")]:
        if path == LOGIN_PATH:
            continue
        for token in (None, "not-the-token", gateway.token[:-1], gateway.token + "x"):
            status, headers, _ = await gateway.ask(method, path, token=token)
            assert status == 401, (method, path)
            assert headers["www-authenticate"].startswith("Bearer")
    status, _, page = await gateway.get(LOGIN_PATH, token=None)
    assert status == 200
    assert "<form" in page
    assert gateway.asked_to_stop == []


async def test_a_browser_without_a_session_is_led_to_the_login_and_an_interface_is_not(
    gateway: GatewayUnderTest,
) -> None:
    html = {"Accept": "text/html"}
    status, headers, _ = await gateway.get("/", token=None, headers=html)
    assert (status, headers["location"]) == (303, "/login")
    status, headers, _ = await gateway.get("/instances/x", token=None, headers=html)
    assert headers["location"] == "/login?next=/instances/x"
    for path in ("/metrics", "/healthz", f"{PREFIX}/system/status"):
        assert (await gateway.get(path, token=None, headers=html))[0] == 401


async def test_the_token_is_made_once_for_its_owner_alone_and_never_logged(
    gateway: GatewayUnderTest, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    file = gateway.paths.secrets / TOKEN_NAME
    mode = (await asyncio.to_thread(file.stat)).st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert len(gateway.token) >= 43
    cookie = await gateway.log_in()
    await gateway.post("/login", token=None, data={"token": gateway.token + "x"})
    await gateway.get("/metrics", token=gateway.token + "y")
    await gateway.get(f"{PREFIX}/fleet/instances?token={gateway.token}")
    told = caplog.text + "".join(capsys.readouterr())
    assert gateway.token not in told
    assert cookie.partition("=")[2] not in told
    gateway.ref._cell.fail(RuntimeError("the gateway itself"))
    await until(lambda: gateway.ref.vitals().restarts == 1 and gateway.whereabouts.view.listening)  # type: ignore[union-attr]
    assert (await gateway.get("/healthz"))[0] == 200, "the token is the same"
    assert (await gateway.get("/healthz", token=None, headers={"Cookie": cookie}))[0] == 200, "and so is the session"


PARAMS: dict[str, dict[str, Any]] = {
    "fleet.list": {"stream": "stall", "limit": 1},
    "fleet.get": {"id": "stall-001"},
    "keys.list": {"instance": "stall-001"},
    "rollout.status": {"rollout": "rollout-0001"},
    "ledger.totals": {"book": "paper", "by": "instance", "consolidated": False},
    "ledger.entries": {"limit": 2, "newest_first": True, "state": "posted"},
    "ledger.why": {"id": "response/7:1 of two"},
    "config.get": {"section": "recovery"},
    "logs.tail": {"lines": 3, "level": "info"},
}
"""Parameters of every type for methods that only read; those that are not named here are asked without any."""


MEASURED = frozenset({"cpu_percent", "memory_percent", "memory_bytes", "loop_lag_s", "tasks"})
"""What each way in measures for itself."""


def _agrees(content: Any, before: Any, after: Any) -> bool:
    """Whether this is what was said before and after; figures that move meanwhile may be anything."""
    if isinstance(before, dict) and isinstance(after, dict):
        return content.keys() == before.keys() and all(
            _agrees(content[name], before[name], after.get(name)) for name in before.keys() - MEASURED
        )
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return len(content) == len(before) and all(map(_agrees, content, before, after))
    return bool(content == before or before != after)


async def test_what_is_read_over_rest_is_what_the_control_socket_says(
    gateway: GatewayUnderTest, write_log: Any
) -> None:
    for number in range(5):
        await write_log(gateway.log_file, {"level": "info", "event": f"event.{number}"})
    answered = set()
    async with Wire(gateway.socket) as wire:
        for way, method in routes_of(gateway.methods):
            params = PARAMS.get(method.name, {})
            if way.verb != "GET":
                continue
            path, query = way.path, dict(params)
            for place in way.places:
                path = path.replace(f"{{{place}}}", query.pop(place))
            asked = {name: json.dumps(value) if isinstance(value, bool) else value for name, value in query.items()}
            before = await wire.ask(call(method.name, params))
            status, headers, content = await gateway.get(PREFIX + path, params=asked)
            answer = await wire.ask(call(method.name, params))
            if "error" in answer:
                assert (status, content["rpc_code"]) == (409, answer["error"]["code"])
                assert content["detail"] == answer["error"]["message"]
            else:
                assert (status, headers["content-type"]) == (200, "application/json")
                assert _agrees(content, before["result"], answer["result"]), method.name
                answered.add(method.name)
    assert answered >= {*PARAMS, "system.status", "system.tree", "rpc.discover"} - {"keys.list"}


async def test_commands_do_what_they_say(gateway: GatewayUnderTest) -> None:
    status, _, view = await gateway.post(f"{PREFIX}/fleet/instances/stall-001/pause")
    assert (status, view["state"]) == (200, "paused")
    status, _, view = await gateway.post(f"{PREFIX}/fleet/instances/stall-001/resume", {})
    assert (status, view["state"]) == (200, "ready")
    status, _, rollout = await gateway.post(f"{PREFIX}/fleet/scale", {"stream": "stall", "to": 3})
    assert status == 200
    await gateway.fleet.until("rollout.completed", rollout=rollout)
    _, _, page = await gateway.get(f"{PREFIX}/fleet/instances")
    assert [row["id"] for row in page["items"]] == ["stall-001", "stall-002", "stall-003"]
    status, _, recovery = await gateway.post(f"{PREFIX}/config/recovery", {"values": {"max_retries": 7}})
    assert (status, recovery["max_retries"]) == (200, 7)
    assert (await gateway.post(f"{PREFIX}/ledger/verify"))[2]["ok"]
    assert (await gateway.post(f"{PREFIX}/system/shutdown"))[2] == {"accepted": True}
    assert gateway.asked_to_stop == ["http 127.0.0.1 with the token"]


JSON_BODY = {"Content-Type": "application/json"}

WRONG: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("GET", "/fleet/instances/nobody", {}, 404, "not_found"),
    ("GET", "/fleet/instances?limt=3", {}, 422, "invalid_params"),
    ("GET", "/fleet/instances?limit=many", {}, 422, "invalid_params"),
    ("GET", "/fleet/instances?limit=1&limit=2", {}, 422, "invalid_params"),
    ("GET", "/fleet/instances?limit", {}, 422, "invalid_params"),
    ("GET", "/fleet/instances?stream=%ff", {}, 422, "invalid_params"),
    ("GET", "/fleet/instances?cursor=elsewhere", {}, 409, "invalid_params"),
    ("GET", "/fleet/instances/stall-001?id=stall-002", {}, 422, "invalid_params"),
    ("GET", "/logs?follow=true", {}, 409, "refused"),
    ("POST", "/fleet/scale", {"json": {"stream": "stall"}}, 422, "invalid_params"),
    ("POST", "/fleet/scale", {"json": []}, 400, "not_json"),
    ("POST", "/fleet/scale", {"data": b"{", "headers": JSON_BODY}, 400, "not_json"),
    ("POST", "/fleet/scale", {"data": b"[" * 200_000, "headers": JSON_BODY}, 400,
     "not_json"),
    ("POST", "/fleet/scale", {"data": {"stream": "stall", "to": "3"}}, 415, "not_json"),
    ("POST", "/fleet/scale", {"data": io.BytesIO(b"x" * (2 << 20)), "headers": JSON_BODY}, 413,
     "too_large"),
    ("POST", "/fleet/instances/stall-001/pause", {"json": {"id": "stall-002"}}, 422, "invalid_params"),
    ("POST", "/fleet/instances/stall-001/start", {"json": {"now": True}}, 422, "invalid_params"),
    ("POST", "/fleet/instances/a%2Fb/start", {}, 404, "http_404"),
    ("DELETE", "/fleet/instances", {}, 405, "http_405"),
    ("GET", "/nothing", {}, 404, "http_404"),
]  # fmt: skip


async def test_what_is_wrong_is_told_as_problem_details(gateway: GatewayUnderTest) -> None:
    for method, path, options, status, code in WRONG:
        told, headers, problem = await gateway.ask(method, PREFIX + path, **options)
        assert (told, problem["code"]) == (status, code), (path, problem)
        assert headers["content-type"] == "application/problem+json"
        assert problem["status"] == status
        assert problem["detail"]


async def test_a_wrong_parameter_is_named_with_what_is_expected(gateway: GatewayUnderTest) -> None:
    _, _, problem = await gateway.get(f"{PREFIX}/fleet/instances?limt=3")
    assert problem["data"] == {"path": "$.limt", "expected": "one of stream, state, limit, cursor", "nearest": "limit"}
    assert "did you mean limit?" in problem["detail"]


async def test_json_rpc_is_answered_as_over_the_socket_and_nothing_is_promised_for_later(
    gateway: GatewayUnderTest,
) -> None:
    batch = [
        {"jsonrpc": "2.0", "id": 1, "method": "system.ping"},
        {"jsonrpc": "2.0", "method": "system.ping"},
        {"jsonrpc": "2.0", "id": 2, "method": "fleet.get", "params": {"id": "nobody"}},
        {"jsonrpc": "2.0", "id": 3, "method": "events.subscribe", "params": {"topics": ["never.told"]}},
        {"jsonrpc": "2.0", "id": 4, "method": "logs.tail", "params": {"follow": True}},
        {"id": 5},
    ]
    async with Wire(gateway.socket) as wire:
        for request in (batch[:3], batch[0], batch[5], "x"):
            assert (await gateway.post(f"{PREFIX}/rpc", request))[2] == await wire.ask(
                json.dumps(request).encode() + b"\n"
            )
    subscribed = len(gateway.fleet.bus._subscribers)
    status, _, answers = await gateway.post(f"{PREFIX}/rpc", batch)
    assert status == 200
    assert [each.get("error", {}).get("code") for each in answers] == [None, -32001, -32002, -32002, -32600]
    assert len(gateway.fleet.bus._subscribers) == subscribed
    assert (await gateway.post(f"{PREFIX}/rpc", batch[1]))[0] == 204
    assert (await gateway.ask("POST", f"{PREFIX}/rpc"))[0] == 400


async def test_a_path_says_which_methods_it_takes(gateway: GatewayUnderTest) -> None:
    status, headers, _ = await gateway.ask("OPTIONS", f"{PREFIX}/fleet/instances/stall-001/keys")
    assert (status, headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    status, headers, _ = await gateway.ask("DELETE", f"{PREFIX}/fleet/instances/stall-001/keys")
    assert (status, {*headers["allow"].split(", ")}) == (405, {"GET", "HEAD", "OPTIONS", "POST"})
    status, headers, content = await gateway.ask("HEAD", f"{PREFIX}/system/ping")
    assert (status, content) == (200, "")
    assert int(headers["content-length"]) > 0


async def test_every_answer_carries_the_headers_that_keep_a_browser_safe(gateway: GatewayUnderTest) -> None:
    for path, token in (("/", ""), (f"{PREFIX}/system/ping", ""), ("/nothing", ""), ("/login", None), ("/x", None)):
        _, headers, _ = await gateway.get(path, token=token)
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"


async def test_a_name_that_was_led_here_is_refused(gateway: GatewayUnderTest) -> None:
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[x]", "a b", "[::1", "1.2.3"):
        for path in ("/login", f"{PREFIX}/system/ping"):
            assert (await gateway.get(path, headers={"Host": host}))[0] == 421, host
    for own in ("localhost", "localhost:9", "127.0.0.1:1", "[::1]:7800", "Gateway.Example", "10.1.2.3"):
        assert (await gateway.get(f"{PREFIX}/system/ping", headers={"Host": own}))[0] == 200


async def test_health_is_that_of_the_daemon(gateway: GatewayUnderTest) -> None:
    assert await _health(gateway) == (200, {"status": "ok", "detail": "running, 4 of 4 services up"})
    gateway.state = "stopping"
    assert await _health(gateway) == (503, {"status": "unavailable", "detail": "stopping, 4 of 4 services up"})


async def _health(gateway: GatewayUnderTest) -> tuple[int, Any]:
    status, _, content = await gateway.get("/healthz")
    return status, content


async def test_a_taken_port_is_told_and_tried_again_and_disturbs_nobody(
    resting: GatewayUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.access.gateway.gateway.FIRST_RETRY_S", 0.02)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        under, resting.port = resting, port
        async with under.running():
            view = under.whereabouts.view
            assert view is not None
            assert not view.listening
            assert f"another program listens on 127.0.0.1:{port}" in view.detail
            assert "gateway_port" in view.detail
            await until(lambda: under.ref.vitals().handled >= 2)
            assert under.fleet.names().count("gateway.not_listening") == 1, "what stays the same is told once"
            async with Wire(under.socket) as wire:
                status = (await wire.ask(call("system.status")))["result"]
                assert status["gateway"] == {
                    "url": f"http://127.0.0.1:{port}",
                    "listening": False,
                    "detail": view.detail,
                }
            other.close()
            await until(lambda: under.whereabouts.view.listening)  # type: ignore[union-attr]
            assert (await under.get("/healthz"))[0] == 200
            assert under.ref.vitals().restarts == 0


async def test_requests_in_progress_are_answered_before_it_stops(gateway: GatewayUnderTest) -> None:
    asked = asyncio.create_task(gateway.post(f"{PREFIX}/fleet/instances/stall-001/restart"))
    await gateway.fleet.until("instance.stopped", instance="stall-001")
    await gateway.ref._cell.stop()
    status, _, _ = await asked
    assert status in (200, 409)
    assert gateway.whereabouts.view is not None
    assert not gateway.whereabouts.view.listening
