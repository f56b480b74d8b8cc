"""The profit maximizer's tests run on the virtual clock."""

from __future__ import annotations

from actors.testing import VirtualClockLoop


def pytest_asyncio_loop_factories(config: object, item: object) -> dict[str, type[VirtualClockLoop]]:
    return {"virtual": VirtualClockLoop}
