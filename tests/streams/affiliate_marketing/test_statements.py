"""Statements as networks write them: matched, settled once, and every difference listed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from actors import Refusal
from streams.affiliate_marketing.settings import Network
from streams.affiliate_marketing.statement import StatementUnreadable, read_statement
from streams.affiliate_marketing.statement_format import StatementFormat
from tests.streams.affiliate_marketing.agencies import NOW, Agency, open_agency, settings

GERMAN = StatementFormat(
    order_id="Bestellnummer",
    status="Status",
    commission="Provision",
    currency="Währung",
    date="Datum",
    date_format="%d.%m.%Y",
    decimal=",",
    paid=("bezahlt",),
)
HEADER = "order_id,status,commission,currency,date\n"


async def orders_of(agency: Agency) -> None:
    """Let four orders be approved for 4.00, and a fifth be pending."""
    click = await agency.click()
    agency.time = NOW + timedelta(days=3)
    for number in range(1, 5):
        await agency.report(click, "approved", order_id=f"A-{number}", at=timedelta(hours=number))
    await agency.report(click, "pending", order_id="A-5")
    await agency.report(click, "cancelled", order_id="A-6")


async def test_paid_lines_that_match_are_settled_and_differences_are_listed(tmp_path: Path) -> None:
    async with open_agency(tmp_path) as agency:
        await orders_of(agency)
        lines = (
            "A-1,PAID,4.00,USD,2026-11-25\n"
            "A-2,paid,3.99,USD,2026-11-25\n"
            "A-3,approved,4.00,USD,2026-11-25\n"
            "A-5,paid,4,USD,2026-11-25\n"
            "A-6,paid,4.00,USD,2026-11-25\n"
            "A-1,paid,4.00,USD,2026-11-25\n"
            "Z-9,paid,7.00,USD,2026-11-25\n"
            "A-4;paid\n"
            "bad id!,paid,1.00,USD,2026-11-25\n"
        )
        before = len(await agency.entries())
        report = await agency.act("import_statement", network="acme", csv=HEADER + lines)
        assert (report.lines, report.matched, report.settled, report.already_paid) == (7, 3, 2, 0)
        assert [each.order_id for each in report.missing_here] == ["Z-9"]
        assert [each.order_id for each in report.missing_there] == ["A-4"]
        assert [(each.order_id, each.ours, each.theirs) for each in report.amount_differs] == [("A-2", "4.00", "3.99")]
        assert [each.order_id for each in report.status_differs] == ["A-6"]
        assert [(each.order_id, each.line) for each in report.repeated] == [("A-1", 7)]
        assert [each.number for each in report.unreadable] == [9, 10]
        assert await agency.sums() == {"earned": "20.00", "paid": "8.00", "due": "12.00"}
        booked = (await agency.entries())[before:]
        assert {entry.evidence.kind for entry in booked} == {"statement.line"}
        again = await agency.act("import_statement", network="acme", csv=HEADER + lines)
        assert (again.settled, again.already_paid) == (0, 2)
        assert len(await agency.entries()) == before + len(booked)


async def test_a_german_statement_with_byte_order_mark(tmp_path: Path) -> None:
    network = Network("Brightleaf", secret="ACME_SECRET", statement=GERMAN)
    async with open_agency(tmp_path, settings(networks={"acme": network})) as agency:
        await orders_of(agency)
        text = "\ufeffDatum;Bestellnummer;Status;Provision;Währung\r\n25.11.2026;A-1;bezahlt;4,00;USD\r\n"
        report = await agency.act("import_statement", network="acme", csv=text)
        assert (report.settled, [each.order_id for each in report.missing_there]) == (1, ["A-2", "A-3", "A-4", "A-5"])


async def test_a_postback_and_a_statement_that_both_say_paid_are_one_payment(tmp_path: Path) -> None:
    async with open_agency(tmp_path) as agency:
        await orders_of(agency)
        await agency.act("import_statement", network="acme", csv=HEADER + "A-1,paid,4.00,USD,2026-11-25\n")
        (order, *_) = [each for each in await agency.act("orders") if each["order_id"] == "A-1"]
        assert order["state"] == "paid"
        click = await agency.click()
        await agency.report(click, "paid", order_id="A-1", ordered=timedelta(days=3), at=timedelta(days=3))
        assert (await agency.sums())["paid"] == "4.00"


async def test_what_is_no_statement_is_refused(tmp_path: Path) -> None:
    async with open_agency(tmp_path) as agency:
        for csv, reason in (("", "no column"), ("a,b\n1,2\n", "no column order_id"), (HEADER + '"', "not CSV")):
            with pytest.raises(Refusal, match=reason):
                await agency.act("import_statement", network="acme", csv=csv)
        with pytest.raises(Refusal, match="no network 'nobody'"):
            await agency.act("import_statement", network="nobody", csv=HEADER)


@hypothesis_settings(max_examples=100)
@given(st.text(max_size=200), st.sampled_from((StatementFormat(), GERMAN)))
def test_any_text_is_read_or_refused(text: str, layout: StatementFormat) -> None:
    columns = ",".join((layout.order_id, layout.status, layout.commission, layout.date))
    for content in (text, f"{columns}\n{text}"):
        try:
            statement = read_statement(content, layout)
        except StatementUnreadable:
            continue
        assert all(line.order_id for line in statement.lines)


@pytest.mark.parametrize(
    ("decimal", "text", "amount"),
    [(".", "1,234.50", "1234.50"), (",", "1.234,50", "1234.50"), (",", "1 234,5", "1234.5"), (".", "-3", "-3")],
)
def test_amounts_by_decimal_sign(decimal: Any, text: str, amount: str) -> None:
    assert StatementFormat(decimal=decimal).amount(text) == amount
