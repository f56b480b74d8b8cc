from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from lxml import html

from orchestrator.money.dashboard.composition import Wishes, compose
from orchestrator.money.dashboard.figures import read_figures
from orchestrator.money.dashboard.fleet import FleetNow, Member
from orchestrator.money.dashboard.page import people_amount, render
from orchestrator.money.dashboard.report import RevenueReport
from orchestrator.money.schema import open_reader
from tests.orchestrator.money.bookings import NOON, api_call, ledger_with
from tests.orchestrator.money.busy_hour import ledger_of_an_hour

FLEET = FleetNow(
    {"api_services-001": Member("api_services", "ready")}, {"api_services": {"calls.seen": 1000, "charged": 250}}, 1
)


def made(path: Path, wishes: Wishes | None = None) -> RevenueReport:
    with closing(open_reader(path)) as connection:
        figures = read_figures(connection, NOON + timedelta(hours=1))
    return compose(figures, FLEET, wishes or Wishes("paper", daily_target="100"))


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hour") / "ledger.sqlite3"
    ledger_of_an_hour(path)
    return path


def parsed(page: str) -> Any:
    return html.document_fromstring(page)


class _Strict(HTMLParser):
    """Finds tags that are not closed in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere(hour: Path) -> None:
    page = render(made(hour))
    strict = _Strict()
    strict.feed(page)
    assert strict.open == []
    for forbidden in ("<script", "http://", "https://", "url(", "@import", "src="):
        assert forbidden not in page
    assert len(page) < 300_000


def test_the_book_is_clearly_marked(hour: Path) -> None:
    paper, live = (parsed(render(made(hour, Wishes(book)))) for book in ("paper", "live"))  # type: ignore[arg-type]
    assert paper.xpath("//header//span[contains(@class, 'book')]/text()") == ["paper"]
    assert "no money" in paper.xpath("string(//header)")
    assert "no money" not in live.xpath("string(//header)")
    assert live.xpath("//header//span[contains(@class, 'live')]/text()") == ["live"]


def test_figures_are_those_of_the_report(hour: Path) -> None:
    report = made(hour)
    page = parsed(render(report))
    tiles = [tile.xpath("string(b)") for tile in page.xpath("//div[@class='tile']")]
    assert tiles[0] == f"{people_amount(report.summary.total_revenue, 'USD')} USD"
    assert tiles[4] == "1 of 1"
    titles = page.xpath("//div[@class='tile']/b/@title")
    assert titles[:2] == [report.summary.total_revenue, report.summary.net]
    assert len(page.xpath("//section[h2='Instances']//tbody/tr")) == len(report.instance_breakdown)


def test_bars_say_what_they_stand_for(hour: Path) -> None:
    report = made(hour)
    titles = parsed(render(report)).xpath("//*[local-name()='rect']/*[local-name()='title']/text()")
    days = [day for day in report.books["paper"].by_day if day.asset == "USD" and float(day.income)]
    assert any(day.starts in title and day.stream in title for day in days for title in titles)
    assert len(titles) >= len(days)


def test_the_funnel_is_drawn(hour: Path) -> None:
    page = parsed(render(made(hour)))
    bars = page.xpath("//div[@class='funnel']/div/@style")
    assert bars == ["width:100.00%", "width:25.00%"]


def test_names_from_elsewhere_are_text_and_nothing_more(path: Path) -> None:
    ledger_with(path, api_call(1))
    report = made(path)
    evil = msgspec.structs.replace(report.instance_breakdown[0], instance="<img src=x onerror=alert(1)>")
    page = render(msgspec.structs.replace(report, instance_breakdown=(evil,), funnel={"<b>": {"<i>": 1}}))
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "<b>&lt;" not in page


def test_an_empty_ledger_has_a_page(path: Path) -> None:
    ledger_with(path)
    assert "nothing is booked yet" in render(made(path))


def test_of_a_large_fleet_the_first_are_shown(path: Path) -> None:
    ledger_with(path, api_call(1))
    report = made(path)
    many = tuple(msgspec.structs.replace(report.instance_breakdown[0], instance=f"i-{n}") for n in range(10_000))
    page = render(msgspec.structs.replace(report, instance_breakdown=many))
    assert "and 9,800 more" in page
    assert len(page) < 400_000


@pytest.mark.parametrize(
    ("amount", "asset", "shown"),
    [
        ("1234567.891", "USD", "1,234,567.89"),
        ("0.00", "USD", "0.00"),
        ("0.002", "USD", "0.002"),
        ("-0.0002345", "BTC", "-0.000234"),
        ("0.5", "USD", "0.50"),
        ("2.00000001", "BTC", "2.000000"),
        ("0.999999", "USD", "1.00"),
        ("-3.5", "EUR", "-3.50"),
    ],
)
def test_amounts_are_written_for_people(amount: str, asset: str, shown: str) -> None:
    assert people_amount(amount, asset) == shown
