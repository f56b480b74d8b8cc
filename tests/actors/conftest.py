"""All tests of the kernel run on the virtual clock, but for those marked `real_time`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

from actors import ActorSystem
from actors.testing import Probe, VirtualClockLoop
from tests.actors.cast import Troupe


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real_time: runs on a loop with a real clock")


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.get_closest_marker("real_time") is not None:
        return {"real": asyncio.SelectorEventLoop}
    return {"virtual": VirtualClockLoop}


@pytest.fixture
async def system() -> AsyncIterator[ActorSystem]:
    """A system; whatever the loop complains about while it runs fails the test."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
    async with ActorSystem("test") as system:
        yield system
    assert not complaints


@pytest.fixture
def events(system: ActorSystem) -> Probe:
    """Every event of the system."""
    probe = Probe()
    system.events.subscribe(probe.record)
    return probe


@pytest.fixture
def troupe(system: ActorSystem) -> Troupe:
    return Troupe(system)
