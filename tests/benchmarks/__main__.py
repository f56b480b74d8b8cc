"""Run benchmarks, print their figures beside those of others, and keep them as JSON."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from tests.benchmarks.figure import Figure

NAMES = (
    "kernel",
    "fleet",
    "isolation",
    "control",
    "ledger",
    "ledger_years",
    "api",
    "allocator",
    "priority",
    "redirect",
    "crawl",
    "arbitrage",
    "events",
)


class Machine(msgspec.Struct, frozen=True):
    """Where the figures come from, without which they say little."""

    processor: str
    cores: int
    memory_gb: float
    load_before: float
    system: str
    python: str
    uvloop: str


class Report(msgspec.Struct, frozen=True):
    """One run of one benchmark."""

    at: datetime
    machine: Machine
    figures: list[Figure]


def machine() -> Machine:
    """Describe this machine as it is now."""
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        load_before=round(os.getloadavg()[0], 2),
        system=platform.platform(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        uvloop=version("uvloop"),
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def run(name: str) -> Report:
    """Run a benchmark: its module has `async def measure()`, or `def run()` where it needs processes."""
    module = importlib.import_module(f"tests.benchmarks.{name}")
    here = machine()
    figures: list[Figure] = module.run() if hasattr(module, "run") else uvloop.run(module.measure())
    return Report(datetime.now(UTC), here, figures)


def table_of(name: str, report: Report) -> Table:
    """Return what a person reads."""
    here = report.machine
    table = Table(
        title=f"{name} · {here.processor}, {here.cores} cores, load {here.load_before} · {here.python}",
        title_justify="left",
        pad_edge=False,
    )
    table.add_column("figure", overflow="fold")
    table.add_column("ours", justify="right")
    table.add_column("beside")
    table.add_column("theirs", justify="right")
    table.add_column("ratio", justify="right")
    table.add_column("aim", overflow="fold")
    table.add_column("met")
    for figure in report.figures:
        met = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[figure.meets_aim()]
        rows: list[tuple[str, float | None]] = [*figure.beside.items()] or [("", None)]
        for place, (peer, value) in enumerate(rows):
            first = place == 0
            table.add_row(
                figure.name if first else "",
                _amount(figure.value, figure.unit) if first else "",
                peer,
                "" if value is None else _amount(value, figure.unit),
                "" if not value else f"{figure.value / value:.2f}",
                figure.aim if first else "",
                met if first else "",
                end_section=place == len(rows) - 1,
            )
    return table


def _amount(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if abs(value) >= 100 else f"{value:.3g} {unit}"


def save(file: Path, name: str, report: Report) -> None:
    """Put the report into the file, beside those of other benchmarks."""
    reports: dict[str, Any] = msgspec.json.decode(file.read_bytes()) if file.exists() else {}
    reports[name] = report
    file.write_bytes(msgspec.json.format(msgspec.json.encode(reports), indent=2) + b"\n")


def main(arguments: list[str]) -> int:
    """Run what was asked for; 1 when an aim is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("name", nargs="+", choices=NAMES, help="what to measure")
    parser.add_argument("--json", type=Path, default=Path("benchmarks.json"), metavar="FILE", help="%(default)s")
    chosen = parser.parse_args(arguments)
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=140)
    missed = 0
    for name in chosen.name:
        report = run(name)
        console.print(table_of(name, report))
        save(chosen.json, name, report)
        missed += sum(figure.meets_aim() is False for figure in report.figures)
    console.print(f"written to {chosen.json}" + (f"; {missed} aims missed" if missed else ""))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
