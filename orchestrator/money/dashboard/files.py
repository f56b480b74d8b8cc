"""The report on disk: `revenue_analytics_report.json` and `.html`, each whole or as it was before."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from orchestrator.money.copying import sync
from orchestrator.money.dashboard.page import render
from orchestrator.money.dashboard.report import RevenueReport

JSON_FILE: Final = "revenue_analytics_report.json"
HTML_FILE: Final = "revenue_analytics_report.html"


class ReportFiles(msgspec.Struct, frozen=True):
    """Where a report was written to."""

    json: Path
    html: Path


def write_report(report: RevenueReport, directory: Path) -> ReportFiles:
    """Write both files, 0600.

    Raises:
        OSError: They cannot be written; what was there stays.
    """
    files = ReportFiles(directory / JSON_FILE, directory / HTML_FILE)
    _replace(files.json, msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    _replace(files.html, render(report).encode())
    sync(directory)
    return files


def _replace(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise
