from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orchestrator.logs import LogLimits, LogSystem, configure

MakeLog = Callable[..., LogSystem]
ReadLog = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "log" / "automate.jsonl"


@pytest.fixture
def make_log(log_file: Path, tmp_path: Path) -> Iterator[MakeLog]:
    systems: list[LogSystem] = []

    def make(**options: Any) -> LogSystem:
        options.setdefault("console", "off")
        options.setdefault("environ", {})
        options.setdefault("limits", LogLimits(linger_s=0.001))
        system = configure(log_file, instances=tmp_path / "home" / "instances", **options)
        systems.append(system)
        return system

    yield make
    for system in reversed(systems):
        system.close()


@pytest.fixture
def read_log(log_file: Path) -> ReadLog:
    def read(path: Path = log_file) -> list[dict[str, Any]]:
        return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]

    return read
