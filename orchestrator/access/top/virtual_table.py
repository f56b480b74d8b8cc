"""A table of any length: what is not on the screen costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Generic, NamedTuple, TypeVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

R = TypeVar("R")

_GAP = 2
_HEADING = Style(bold=True)
_CURSOR = Style(reverse=True)
_CURSOR_ELSEWHERE = Style(bold=True, underline=True)
_DIM = Style(dim=True)
_PLAIN = Style()


class TableColumn(NamedTuple, Generic[R]):
    """A column.

    Attributes:
        name: What it is called, and its heading.
        cell: Gives its text of a row, without control characters.
        width: Cells; None for as wide as its longest text.
        style: Gives the name of a colour of a row.
        right: Whether it stands at the right, as numbers do.
        from_width: The table's width from which it is shown.
        yields: Whether it takes what others leave, and is cut there.
    """

    name: str
    cell: Callable[[R], str]
    width: int | None = None
    style: Callable[[R], str] | None = None
    right: bool = False
    from_width: int = 0
    yields: bool = False


class VirtualTable(ScrollView, Generic[R], can_focus=True):
    """Rows under a heading that stays; one row is the current one, and stays so when rows come, go and move.

    Args:
        columns: From left to right.
        key: What a row is known by.
        id: Of the widget.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown,space", "page(1)", "Page down", show=False),
        Binding("home", "jump(0)", "First", show=False),
        Binding("end,G", "jump(-1)", "Last", show=False),
        Binding("enter", "choose", "Open"),
    ]

    class Chosen(Message):
        """A row was chosen."""

    class HeadingChosen(Message):
        """A heading was clicked.

        Args:
            column: The column's name.
        """

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def __init__(self, columns: Sequence[TableColumn[R]], key: Callable[[R], str], *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._columns = columns
        self._key = key
        self._rows: Sequence[R] = ()
        self._place = 0
        self._fitted: dict[str, int] = {}
        self._mark: tuple[str, str] = ("", "")
        self._pale = False

    @property
    def current(self) -> R | None:
        """The row under the cursor; None where there are no rows."""
        return self._rows[self._place] if self._rows else None

    @property
    def rows(self) -> Sequence[R]:
        """All rows, in order."""
        return self._rows

    def show(self, rows: Sequence[R], *, marked: tuple[str, str] = ("", "")) -> None:
        """Show these rows.

        Args:
            rows: All of them; not to be changed afterwards.
            marked: A column's name, and a mark for its heading.
        """
        current = self.current
        self._rows, self._mark = rows, marked
        if current is not None:
            self._place = self._where_now(self._key(current))
        self._fitted = {
            column.name: max([len(column.name) + 2, *(len(column.cell(row)) for row in rows)])
            for column in self._columns
            if column.width is None and not column.yields
        }
        if self.virtual_size.height != len(rows) + 1:
            self.virtual_size = Size(0, len(rows) + 1)
            self.call_after_refresh(self._keep_in_view)  # how far one can scroll is known only then
        self._keep_in_view()
        self.refresh()

    def pale(self, pale: bool) -> None:
        """Show rows as no longer certain, or as certain again."""
        if pale != self._pale:
            self._pale = pale
            self.refresh()

    def go_to(self, key: str) -> None:
        """Make the row of this key the current one, if there is one."""
        self.action_jump(self._where_now(key))

    def _where_now(self, key: str) -> int:
        if self._place < len(self._rows) and self._key(self._rows[self._place]) == key:
            return self._place
        for place, row in enumerate(self._rows):
            if self._key(row) == key:
                return place
        return min(self._place, max(0, len(self._rows) - 1))

    def render_line(self, y: int) -> Strip:
        """Draw a line of what is seen."""
        width = self.size.width
        if y == 0:
            return Strip(self._segments(None, _HEADING)).crop_extend(0, width, _HEADING)
        place = round(self.scroll_offset.y) + y - 1
        if place >= len(self._rows):
            return Strip.blank(width, _PLAIN)
        row = self._rows[place]
        if place == self._place:
            cursor = _CURSOR if self.has_focus else _CURSOR_ELSEWHERE
            return Strip(self._segments(row, cursor)).crop_extend(0, width, cursor)
        return Strip(self._segments(row, _DIM if self._pale else None)).crop_extend(0, width, _PLAIN)

    def _segments(self, row: R | None, over: Style | None) -> list[Segment]:
        segments = [Segment(" ", over)]
        for column, width in self._widths():
            if row is None:
                marked = self._mark[0] == column.name
                text = f"{column.name} {self._mark[1]}" if marked else column.name
            else:
                text = column.cell(row)
            style = over
            if style is None and row is not None and column.style is not None:
                style = Style.parse(column.style(row))
            segments.append(Segment(_fit(text, width, right=column.right) + " " * _GAP, style))
        return segments

    def _widths(self) -> list[tuple[TableColumn[R], int]]:
        total = self.size.width
        shown = [column for column in self._columns if total >= column.from_width]
        fixed = [
            0 if column.yields else (self._fitted.get(column.name, 8) if column.width is None else column.width)
            for column in shown
        ]
        left = max(0, total - 1 - sum(fixed) - _GAP * len(shown))
        return [(column, left if column.yields else width) for column, width in zip(shown, fixed, strict=True)]

    def action_move(self, by: int) -> None:
        """Go down so many rows, or up."""
        self.action_jump(max(0, self._place + by))

    def action_page(self, by: int) -> None:
        """Go down so many screens, or up."""
        self.action_move(by * max(1, self.size.height - 2))

    def action_jump(self, place: int) -> None:
        """Go to a row; from the end where it is negative."""
        last = len(self._rows) - 1
        self._place = max(0, min(last, place if place >= 0 else last + 1 + place))
        self._keep_in_view()
        self.refresh()

    def action_choose(self) -> None:
        """Choose the current row."""
        if self._rows:
            self.post_message(self.Chosen())

    def _keep_in_view(self) -> None:
        lines = max(1, self.size.height - 1)
        top = round(self.scroll_offset.y)
        if self._place < top:
            self.scroll_to(y=self._place, animate=False, immediate=True)
        elif self._place >= top + lines:
            self.scroll_to(y=self._place - lines + 1, animate=False, immediate=True)

    def on_resize(self) -> None:
        """Have the current row in view still."""
        self._keep_in_view()

    def on_focus(self) -> None:
        """Show the cursor as the one that keys move."""
        self.refresh()

    def on_blur(self) -> None:
        """Show the cursor as one that keys do not move."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Go to what was clicked; choose it at the second click."""
        if event.y == 0:
            at = 1
            for column, width in self._widths():
                if at <= event.x < at + width + _GAP:
                    self.post_message(self.HeadingChosen(column.name))
                at += width + _GAP
            return
        place = round(self.scroll_offset.y) + event.y - 1
        if place < len(self._rows):
            self.action_jump(place)
            if event.chain == 2:
                self.action_choose()


def _fit(text: str, width: int, *, right: bool) -> str:
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…" if width > 0 else ""
    return f"{'':{width - length}}{text}" if right else f"{text}{'':{width - length}}"
