"""These tests wait for real processes, so they run on the real clock."""

from __future__ import annotations

import asyncio

import uvloop


def pytest_asyncio_loop_factories(config: object, item: object) -> dict[str, type[asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.Loop}
