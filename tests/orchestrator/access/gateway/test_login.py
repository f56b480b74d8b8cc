"""Browsers: logging in and out, and requests that a browser was made to send."""

from __future__ import annotations

from typing import Any

from orchestrator.access.gateway.login import MAX_FORM_BYTES
from orchestrator.access.gateway.login_limit import FREE_FAILURES
from orchestrator.access.gateway.routes import PREFIX
from orchestrator.access.gateway.sessions import IDLE_S
from tests.orchestrator.access.gateway.conftest import GatewayUnderTest

PAUSE = f"{PREFIX}/fleet/instances/stall-001/pause"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
OWN = {"X-Automate": "1"}


async def test_the_token_buys_a_session_that_opens_everything(gateway: GatewayUnderTest) -> None:
    status, headers, _ = await gateway.post("/login", token=None, data={"token": gateway.token, "next": "/metrics"})
    assert (status, headers["location"]) == (303, "/metrics")
    name, *attributes = headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes)
    assert gateway.token not in name
    for path in ("/", "/metrics", "/healthz", f"{PREFIX}/system/status", f"{PREFIX}/openapi.json"):
        assert (await gateway.get(path, token=None, headers={"Cookie": f"other=1; {name}"}))[0] == 200


async def test_a_program_may_log_in_with_json(gateway: GatewayUnderTest) -> None:
    status, headers, content = await gateway.post("/login", {"token": gateway.token}, token=None)
    assert status == 200
    assert content["expires_in_s"] > 3600
    assert headers["set-cookie"]
    status, _, problem = await gateway.post("/login", {"token": "wrong"}, token=None)
    assert (status, problem["code"]) == (401, "wrong_token")


async def test_a_login_leads_nowhere_else(gateway: GatewayUnderTest) -> None:
    for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example", "x", "/a\nb", ""):
        _, headers, _ = await gateway.post("/login", token=None, data={"token": gateway.token, "next": elsewhere})
        assert headers["location"] == "/"
        _, _, page = await gateway.get("/login", token=None, params={"next": elsewhere})
        assert 'name="next" value="/"' in page


async def test_the_login_shows_what_strangers_say_as_text(gateway: GatewayUnderTest) -> None:
    status, headers, page = await gateway.get("/login", token=None, params={"next": '/"><script>alert(1)</script>'})
    assert status == 200
    assert "<script" not in page
    assert "style-src 'self' 'sha256-" in headers["content-security-policy"]
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")  # the icon's namespace, no address
    assert "src=" not in page


async def test_what_is_no_login_is_refused(gateway: GatewayUnderTest) -> None:
    sent: list[tuple[dict[str, Any], int]] = [
        ({"data": {"tokn": "x"}}, 400),
        ({"data": b"x" * (MAX_FORM_BYTES + 1)}, 413),
        ({"data": b"token=" + b"x" * 1000, "headers": FORM}, 401),
        ({"data": b"token=%ff%00", "headers": FORM}, 401),
        ({"data": b"&".join([b"a=b"] * 50), "headers": FORM}, 400),
        ({"json": {"token": 5}}, 400),
        ({"json": {"token": "\ud800"}}, 400),
    ]
    for options, status in sent:
        assert (await gateway.ask("POST", "/login", token=None, **options))[0] == status, options
    assert len(gateway.sessions) == 0


async def test_guessing_is_slowed_down_and_the_wait_is_told(gateway: GatewayUnderTest) -> None:
    wrong = {"token": "guess"}
    for _ in range(FREE_FAILURES):
        assert (await gateway.post("/login", token=None, data=wrong))[0] == 401
    waits = []
    for _ in range(4):
        status, headers, page = await gateway.post("/login", token=None, data=wrong)
        assert status == 401
        assert "not the daemon" in page
        waits.append(int(headers["retry-after"]))
        # The right token does not help before the time has come: nothing is learnt by trying.
        for token in ("guess", gateway.token):
            status, headers, page = await gateway.post("/login", token=None, data={"token": token})
            assert status == 429
            assert int(headers["retry-after"]) == waits[-1]
        gateway.now_s += waits[-1]
    assert waits == [1, 2, 4, 8]
    assert (await gateway.post("/login", token=None, data={"token": gateway.token}))[0] == 303
    assert (await gateway.get("/healthz"))[0] == 200, "the bearer of the token never waits"


async def test_a_session_ends_with_its_logout_and_by_itself(gateway: GatewayUnderTest) -> None:
    cookie = {"Cookie": await gateway.log_in()}
    status, headers, _ = await gateway.post("/logout", token=None, headers={**cookie, "Origin": gateway.url})
    assert (status, headers["location"]) == (303, "/login")
    assert "Max-Age=0" in headers["set-cookie"]
    assert (await gateway.get("/metrics", token=None, headers=cookie))[0] == 401
    cookie = {"Cookie": await gateway.log_in()}
    gateway.now_s += IDLE_S
    assert (await gateway.get("/metrics", token=None, headers=cookie))[0] == 401


async def test_a_stolen_cookie_moves_nothing_from_another_site(gateway: GatewayUnderTest) -> None:
    cookie = {"Cookie": await gateway.log_in()}
    port = int(gateway.host.partition(":")[2])
    foreign: list[dict[str, str]] = [
        {},
        OWN,
        {"Origin": gateway.url},  # a form of our own origin would come so; there is none that does this
        {"Origin": "http://evil.example", **OWN},
        {"Origin": "null", **OWN},
        {"Origin": f"http://127.0.0.1:{port + 1}", **OWN},  # the page of an instance: the same site to a cookie
        {"Origin": f"http://localhost:{port}", **OWN},
        {"Origin": gateway.url, "Sec-Fetch-Site": "same-site", **OWN},
        {"Origin": gateway.url, "Sec-Fetch-Site": "cross-site", **OWN},
        {"Sec-Fetch-Site": "cross-site", **OWN},
    ]
    for headers in foreign:
        for body in ({"json": {}}, {"data": b"{}", "headers": {"Content-Type": "text/plain"}}):
            sent = {**cookie, **headers, **body.get("headers", {})}  # type: ignore[dict-item]
            options = {name: value for name, value in body.items() if name != "headers"}
            status, _, problem = await gateway.ask("POST", PAUSE, token=None, headers=sent, **options)
            assert status == 403, headers
            assert problem["code"] in ("cross_site", "no_origin", "no_own_header")
    _, _, view = await gateway.get(f"{PREFIX}/fleet/instances/stall-001")
    assert view["state"] == "ready"
    for path in ("/login", "/logout"):
        sent = {**cookie, "Origin": "http://evil.example"}
        assert (await gateway.post(path, token=None, headers=sent, data={"token": gateway.token}))[0] == 403
    assert len(gateway.sessions) == 1
    cross = {**cookie, "Sec-Fetch-Site": "cross-site"}
    assert (await gateway.get(f"{PREFIX}/system/status", token=None, headers=cross))[0] == 403


async def test_the_gateways_own_page_may_command(gateway: GatewayUnderTest) -> None:
    cookie = {"Cookie": await gateway.log_in()}
    own: list[dict[str, str]] = [
        {"Origin": gateway.url},
        {"Origin": gateway.url, "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin"},
    ]
    for headers in own:
        status, _, _ = await gateway.post(PAUSE, token=None, headers={**cookie, **headers, **OWN})
        assert status == 200
    assert (await gateway.post(PAUSE, headers={"Origin": "http://evil.example"}))[0] == 200, "the token is no cookie"


async def test_a_wrong_token_is_not_made_good_by_a_cookie(gateway: GatewayUnderTest) -> None:
    cookie = {"Cookie": await gateway.log_in()}
    assert (await gateway.get("/healthz", token="wrong", headers=cookie))[0] == 401
    for authorization in ("Basic eDp5", "Bearer", f"Token {gateway.token}", f"Bearer {gateway.token} x"):
        headers = {**cookie, "Authorization": authorization}
        assert (await gateway.get("/healthz", token=None, headers=headers))[0] == 401
    headers = {"Authorization": f"bearer  {gateway.token}"}
    assert (await gateway.get("/healthz", token=None, headers=headers))[0] == 200
