"""Ten thousand rows, of which the screen's are drawn."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult

from orchestrator.access.top.virtual_table import TableColumn, VirtualTable

pytestmark = pytest.mark.may_block

MANY = [f"row-{n:05}" for n in range(10_000)]


class OneTable(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.drawn = 0

    def compose(self) -> ComposeResult:
        yield VirtualTable(
            [
                TableColumn("name", lambda row: row),
                TableColumn("digits", self._digits, 8, right=True),
                TableColumn("wide", lambda row: "漢" * 40, yields=True, from_width=50),
            ],
            str,
            id="table",
        )

    def _digits(self, row: str) -> str:
        self.drawn += 1
        return row[4:]

    @property
    def table(self) -> VirtualTable[str]:
        return self.query_one("#table", VirtualTable)

    def lines(self) -> list[str]:
        return [strip.text for strip in self.screen._compositor.render_strips()]


async def test_of_ten_thousand_rows_those_on_the_screen_are_drawn_and_every_one_is_reached() -> None:
    app = OneTable()
    async with app.run_test(size=(40, 12)) as pilot:
        app.drawn = 0
        app.table.show(MANY)
        app.table.focus()
        await pilot.pause()
        assert app.drawn < 100
        assert app.lines()[0].split() == ["name", "digits"]
        await pilot.press("end")
        assert app.table.current == MANY[-1]
        assert MANY[-1] in app.lines()[-1]
        await pilot.press("home", "pagedown", "down")
        assert app.table.current == MANY[11]
        await pilot.press("up", "pageup")
        assert app.table.current == MANY[0]
        assert app.drawn < 500


async def test_the_current_row_stays_when_rows_come_go_and_move() -> None:
    app = OneTable()
    async with app.run_test(size=(40, 12)) as pilot:
        app.table.show(MANY)
        app.table.go_to(MANY[5000])
        app.table.show(MANY[::-1], marked=("name", "▼"))
        assert app.table.current == MANY[5000]
        await pilot.pause()
        assert any(MANY[5000] in line for line in app.lines())
        assert "name ▼" in app.lines()[0]
        app.table.show(MANY[:100])
        assert app.table.current == MANY[99]
        app.table.show([])
        emptied = app.table.current
        app.table.show(MANY[:2])
        assert app.table.current == MANY[0]
    assert emptied is None


async def test_text_is_cut_to_its_column_by_cells() -> None:
    app = OneTable()
    async with app.run_test(size=(60, 6)) as pilot:
        app.table.show(MANY[:2])
        await pilot.pause()
        row = app.lines()[1]
        assert "…" in row
        assert row.startswith(" row-00000")


async def test_a_click_chooses_a_row_or_a_heading() -> None:
    chosen: list[str] = []

    class Clicked(OneTable):
        def on_virtual_table_heading_chosen(self, event: VirtualTable.HeadingChosen) -> None:
            chosen.append(event.column)

        def on_virtual_table_chosen(self) -> None:
            chosen.append(str(self.table.current))

    app = Clicked()
    async with app.run_test(size=(40, 12)) as pilot:
        app.table.show(MANY)
        await pilot.pause()
        await pilot.click("#table", offset=(14, 0))
        await pilot.click("#table", offset=(3, 4))
        assert app.table.current == MANY[3]
        await pilot.click("#table", offset=(3, 4), times=2)
    assert chosen == ["digits", MANY[3]]
