"""Progress, shown to a person who waits."""

from __future__ import annotations

import os
import shutil
import sys
from types import TracebackType
from typing import Self

from orchestrator.access.cli.output import is_terminal, visible


class Progress:
    """One line on the terminal that is written over, and is gone at the end. Nothing where nobody looks on."""

    def __init__(self) -> None:
        self._shown = is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()

    def show(self, text: str) -> None:
        """Say how far it is."""
        if self._shown:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r\x1b[2K{visible(text)[:width]}")
            sys.stderr.flush()
