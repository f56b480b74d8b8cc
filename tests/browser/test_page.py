"""The page as people use it: it is live, it filters, it opens, it acts, and it says why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.fleet.scaling.decision import Decision, Expected, Round
from orchestrator.fleet.scaling.figures import Figures
from orchestrator.fleet.scaling.report import told
from tests.browser.conftest import DaemonWithPage, sync_api

expect = sync_api.expect

# The loop in this thread is Playwright's: the daemon has a process of its own.
pytestmark = [pytest.mark.timeout(60), pytest.mark.may_block]


def test_figures_change_without_a_reload(page: Any) -> None:
    loaded = page.evaluate("performance.timeOrigin")
    before = page.locator("#net").inner_text()
    expect(page.locator("#net")).not_to_have_text(before)
    expect(page.locator("#activity-list")).to_contain_text("api services")
    assert page.locator("#recent .gain").count() > 0
    assert page.evaluate("performance.timeOrigin") == loaded


def test_what_is_shown_is_what_the_ledger_says(page: Any, daemon: DaemonWithPage) -> None:
    shown = page.locator("#net").inner_text()
    entries = daemon.call("ledger.totals", {"book": "paper"})
    (income,) = [item["amount"] for item in entries["items"] if (item["asset"], item["kind"]) == ("USD", "income")]
    assert 0 < float(shown.replace("\u202f", "").replace(" ", "")) <= float(income)


def test_each_book_is_marked_and_stands_alone(page: Any) -> None:
    expect(page.locator("#book-label")).to_have_text("Paper: the sandbox's money, not real")
    page.get_by_label("Live", exact=True).check()
    expect(page.locator("#book-label")).to_have_text("Live: real money")
    expect(page.locator("#revenue-empty")).to_be_visible()
    expect(page.locator("#net")).to_be_hidden()


def test_health_names_every_service_and_measures_the_machine(page: Any) -> None:
    expect(page.locator("#tile-instances .value")).to_have_text("5")
    for tile in ("cpu", "memory", "disk", "lag"):
        expect(page.locator(f"#tile-{tile} .value")).not_to_have_text("–")
    page.get_by_role("button", name="details").click()
    row = page.locator("#services-rows tr", has_text="ledger").first
    expect(row).to_be_visible()
    expect(row).to_contain_text("up")


def test_the_fleet_is_filtered_by_text_stream_and_state(page: Any) -> None:
    page.get_by_label("Table", exact=True).check()
    rows = page.locator("#table tbody tr:not(.room)")
    expect(rows).to_have_count(5)
    page.get_by_placeholder("Id, port or failure").fill("services-003")
    expect(rows).to_have_count(1)
    expect(page.locator("#fleet-count")).to_have_text("1 of 5 instances")
    page.get_by_role("button", name="Clear filters").click()
    page.locator("#fleet-stream").select_option("data_harvesting")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("data_harvesting-001")
    page.get_by_role("button", name="Clear filters").click()
    page.locator("#fleet-states [data-state=ready]").click()
    expect(rows).to_have_count(5)
    page.get_by_placeholder("Id, port or failure").fill("nothing like it")
    expect(page.locator("#fleet-empty")).to_have_text("No instance fits these filters.")
    page.get_by_role("button", name="Clear filters").click()
    page.get_by_label("Tiles", exact=True).check()


def test_an_instance_is_opened_and_restarted(page: Any, daemon: DaemonWithPage) -> None:
    page.goto(f"{daemon.url}/#/instances/api_services-002")
    drawer = page.get_by_role("dialog", name="api_services-002")
    expect(drawer.locator("#instance-state")).to_have_text("ready")
    expect(drawer.locator("#instance-funnel")).to_contain_text("requests")
    drawer.get_by_role("tab", name="Settings").click()
    expect(drawer.locator("#instance-settings")).to_contain_text("default_plan")
    drawer.get_by_role("tab", name="Log").click()
    with daemon.watch("instance.*") as watch:
        drawer.get_by_role("button", name="Restart").click()
        drawer.get_by_role("button", name="Really restart?").click()
        watch.until("instance.restarted", instance="api_services-002", by="hand")
    expect(page.locator("#notices")).to_contain_text("api_services-002 is restarted.")
    expect(drawer.locator("#log-list")).to_contain_text("instance.restarted")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    assert page.evaluate("location.hash") == ""
    expect(page.locator("#activity-list")).to_contain_text("instance.restarted")


def test_a_booking_is_shown_with_its_evidence_and_its_legs(page: Any, daemon: DaemonWithPage) -> None:
    page.goto(f"{daemon.url}/#/instances/api_services-001")
    page.get_by_role("tab", name="Bookings").click()
    booking = page.locator("#bookings-list > li").first
    booking.locator("summary").click()
    (newest,) = [
        entry
        for entry in daemon.entries(instance="api_services-001")
        if entry["id"] in booking.locator(".story").inner_text()
    ]
    expect(booking.locator(".story")).to_contain_text(newest["evidence"]["digest"])
    expect(booking.locator(".legs")).to_contain_text("income:api_services:api_services-001")


def test_an_instance_is_paused_and_the_tiles_know_it(page: Any, daemon: DaemonWithPage) -> None:
    page.goto(f"{daemon.url}/#/instances/api_services-004")
    page.locator("#instance-funnel li").first.wait_for()
    page.keyboard.press("p")
    expect(page.locator("#instance-state")).to_have_text("paused")
    assert daemon.state("api_services-004") == "paused"
    expect(page.locator("#fleet-states [data-state=paused] .number")).to_have_text("1")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#instance-state")).to_have_text("ready")
    expect(page.locator("#fleet-states [data-state=paused]")).to_be_hidden()


def test_the_reason_of_a_decision_is_read_while_it_is_taken_and_after_a_reload(
    page: Any, daemon: DaemonWithPage
) -> None:
    reason = "the load was at least 91 % for 3 min, above 80 % (event loop): 1 more on the event loop"
    decision = Decision("api_services", "scale_up", "grown", reason, 4, 5, expected=Expected(5, 0.5, 0.3, 0.92))
    now = Round(7, datetime.now(UTC), Figures(0.0, 0.46, 0.3, 0.91, 0.002, instances=4), (decision,), 0.8, 0.2)
    daemon.tell("scaling.decided", **told(7, decision, now))
    panel = page.locator("#decisions")
    expect(panel.locator(".reason").first).to_have_text(reason)
    expect(panel.locator(".what").first).to_have_text("scale up api services")
    panel.locator("summary").first.click()
    expect(panel.locator(".tree").first).to_contain_text("instances")
    daemon.await_log("scaling.decided")
    page.reload()
    expect(panel.locator(".reason").first).to_have_text(reason)


def test_what_the_daemon_tells_is_never_read_as_markup(page: Any, daemon: DaemonWithPage) -> None:
    markup = "<img src=x onerror=\"document.title='taken over'\"><script>document.title='taken over'</script>"
    daemon.tell("profit.decided", stream=markup, reason=markup)
    expect(page.locator("#decisions .reason").first).to_have_text(markup)
    assert page.locator("#decisions img, #activity img, #decisions script").count() == 0
    assert "taken over" not in page.title()


def test_rollouts_show_how_far_they_are(page: Any, daemon: DaemonWithPage) -> None:
    first = page.locator("#rollouts-list > li").first
    expect(first).to_contain_text("completed")
    before = page.locator("#rollouts-list > li").count()
    daemon.call("fleet.scale", {"stream": "data_harvesting", "to": 2})
    expect(page.locator("#rollouts-list > li")).to_have_count(before + 1)
    expect(first).to_contain_text("1 of 1 done")
    expect(page.locator("#fleet-count")).to_have_text("6 instances")
    daemon.call("fleet.scale", {"stream": "data_harvesting", "to": 1})
    expect(page.locator("#fleet-count")).to_have_text("5 instances")
