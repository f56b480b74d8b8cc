"""The page for everybody: by keyboard, by ear, in light and dark, on a phone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import DaemonWithPage, sync_api

expect = sync_api.expect
# The loop in this thread is Playwright's: the daemon has a process of its own.
pytestmark = [pytest.mark.timeout(60), pytest.mark.may_block]

NAMELESS = """() => [...document.querySelectorAll('button, a[href], input, select, [role=tab], [tabindex="0"]')]
  .filter((each) => each.checkVisibility())
  .filter((each) => !(each.getAttribute('aria-label') || each.getAttribute('aria-labelledby') || each.textContent.trim()
    || [...(each.labels ?? [])].some((label) => label.textContent.trim())))
  .map((each) => each.outerHTML)"""

CONTRASTS = """() => {
  const pen = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const parse = (colour) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return {rgb: [r, g, b], a: a / 255};
  };
  const over = (top, under) => top.rgb.map((value, place) => value * top.a + under[place] * (1 - top.a));
  const ground = (each) => {
    const layers = [];
    for (let at = each; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const light = (rgb) => {
    const linear = (v) => (v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    const [r, g, b] = rgb.map((value) => linear(value / 255));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const poor = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walk.nextNode()) {
    const each = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !each.checkVisibility()) continue;
    if (each.closest('.visually-hidden, svg, noscript, option')) continue;
    const under = ground(each);
    const [a, b] = [light(over(parse(getComputedStyle(each).color), under)), light(under)].sort((x, y) => y - x);
    const contrast = (a + .05) / (b + .05);
    seen += 1;
    if (contrast < 4.5) poor.push(`${contrast.toFixed(2)} ${each.className} ${each.textContent.slice(0, 40)}`);
  }
  return {seen, poor};
}"""

WIDER = "document.documentElement.scrollWidth - innerWidth"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_contrast(page: Any, daemon: DaemonWithPage, scheme: str) -> None:
    daemon.tell("scaling.decided", stream="api_services", action="hold", reason="nothing to gain")
    daemon.tell("health.alert", instance="api_services-001", stream="api_services", reason="does not answer")
    page.emulate_media(color_scheme=scheme)
    expect(page.locator("#decisions .reason").first).to_be_visible()
    expect(page.locator("#activity-list")).to_contain_text("health.alert")
    found = page.evaluate(CONTRASTS)
    assert found["seen"] > 60
    assert found["poor"] == []
    page.goto(f"{daemon.url}/#/instances/api_services-001")
    page.locator("#instance-funnel li").first.wait_for()
    assert page.evaluate(CONTRASTS)["poor"] == []


def test_a_chosen_theme_outlasts_a_reload(page: Any) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.keyboard.press("t")
    page.keyboard.press("t")
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate(ground) != light
    page.reload()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    page.keyboard.press("t")
    assert page.evaluate(ground) == light


def test_everything_one_can_reach_has_a_name(page: Any, daemon: DaemonWithPage) -> None:
    assert page.evaluate(NAMELESS) == []
    page.goto(f"{daemon.url}/#/instances/api_services-001")
    page.locator("#instance-funnel li").first.wait_for()
    for name in ("Bookings", "Settings", "Log"):
        page.get_by_role("tab", name=name).click()
        assert page.evaluate(NAMELESS) == []


def test_focus_goes_through_the_page_in_the_order_in_which_it_is_read(page: Any) -> None:
    focused = "document.activeElement.closest('.skip, header, section, dialog')?.id || document.activeElement.className"
    stops: list[str] = []
    page.locator("body").press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0, "it shows once it has the focus"
    for _ in range(60):
        page.keyboard.press("Tab")
        stops.append(page.evaluate(focused))
    order = list(
        dict.fromkeys(stop for stop in stops if stop in ("health", "revenue", "activity", "fleet", "rollouts"))
    )
    assert order == ["health", "revenue", "activity", "fleet", "rollouts"]


def test_an_instance_is_found_opened_and_left_by_keyboard(page: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.type("services-003")
    expect(page.locator("#fleet-count")).to_have_text("1 of 5 instances")
    page.keyboard.press("Escape")
    expect(page.locator("#fleet-count")).to_have_text("5 instances")
    page.locator("#tiles").focus()
    expect(page.locator("#tile-cursor")).to_have_text("api_services-001, ready")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tile-cursor")).to_have_text("api_services-002, ready")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="api_services-002")).to_be_visible()
    page.keyboard.press("]")
    expect(page.get_by_role("dialog", name="api_services-003")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_nothing_stands_out_of_the_window(page: Any, daemon: DaemonWithPage, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    assert page.evaluate(WIDER) <= 0
    expect(page.locator("#net")).to_be_in_viewport(ratio=0)
    ends = page.evaluate(
        "[...document.querySelectorAll('#stream-rows .net')].map((e) => e.getBoundingClientRect().right)"
    )
    assert len(ends) == 2
    assert 0 < max(ends) <= width
    page.goto(f"{daemon.url}/#/instances/api_services-001")
    page.locator("#instance-funnel li").first.wait_for()
    assert page.evaluate(WIDER) <= 0
