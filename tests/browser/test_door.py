"""In and out: the login, and a daemon that goes away and comes back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import WAIT_MS, DaemonWithPage, sync_api

expect = sync_api.expect
# The loop in this thread is Playwright's: the daemon has a process of its own.
pytestmark = [pytest.mark.timeout(60), pytest.mark.may_block]


def test_one_logs_in_with_the_token_and_out_again_and_waits_for_a_daemon_that_is_away(
    chromium: Any, passing_daemon: DaemonWithPage
) -> None:
    daemon = passing_daemon
    context = chromium.new_context()
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    url, token = daemon.url, daemon.token
    page.goto(url)
    page.get_by_label("Token").fill("not the token")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("This is not the daemon's token.")

    def log_in() -> None:
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("body")).to_have_attribute("data-connection", "live")

    log_in()
    (cookie,) = context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(f"{url}/login")
    log_in()

    daemon.stop()
    banner = page.locator("#offline")
    expect(banner).to_contain_text("The connection to the daemon is lost.")
    expect(banner).to_contain_text("Trying again in")
    expect(page.locator("#connection")).to_have_text("Offline")
    assert page.locator("#net").inner_text() != "", "what was known is still shown"
    banner.get_by_role("button", name="Try now").click()
    expect(page.locator("#connection")).to_have_text("Offline")
    daemon.start()
    # Sessions end with the daemon.
    expect(page).to_have_url(f"{url}/login?next=/", timeout=40_000)
    log_in()
    context.close()
