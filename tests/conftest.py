"""What holds for every test: nothing blocks the loop, and nothing is left running."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from time import monotonic

import pytest
from blockbuster import BlockBuster
from pytest_asyncio import is_async_test

PRODUCT = ["actors", "config", "streams", "orchestrator"]

GRACE_S = 1.0
"""How long what is just ending may take."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "may_block: the test itself calls on the loop what the product calls in a thread"
    )


@pytest.fixture(scope="session")
def _blockbuster() -> BlockBuster:
    # Only what the product does counts: a test may well look into a file. `run_virtual` is below every frame of
    # a test that uses it, so it is not the product here.
    blockbuster = BlockBuster(PRODUCT, excluded_modules=["actors.testing"])
    for function in blockbuster.functions.values():
        # Where a test has not configured structlog, it shows tracebacks with their source.
        function.can_block_in("structlog/dev.py", "__call__")
        function.can_block_in("_pytest/logging.py", "emit")
    return blockbuster


@pytest.fixture(autouse=True)
def no_blocking_calls(request: pytest.FixtureRequest, _blockbuster: BlockBuster) -> Iterator[None]:
    """A call of the product that blocks the loop raises `BlockingError` where it stands."""
    if request.node.get_closest_marker("may_block") is not None:
        yield
        return
    _blockbuster.activate()
    yield
    _blockbuster.deactivate()


@pytest.fixture(autouse=True)
def no_threads_left() -> Iterator[None]:
    """A test ends the threads that it started."""
    before = set(threading.enumerate())
    yield
    until = monotonic() + GRACE_S
    for thread in set(threading.enumerate()) - before:
        thread.join(max(0.0, until - monotonic()))
    left = sorted(thread.name for thread in set(threading.enumerate()) - before)
    assert not left, f"threads left running: {', '.join(left)}"


@pytest.fixture(autouse=True)
def no_tasks_left(request: pytest.FixtureRequest, no_threads_left: None) -> None:
    """An async test ends the tasks that it and its fixtures started."""
    if is_async_test(request.node):
        request.getfixturevalue("_tasks_on_the_loop")


@pytest.fixture
async def _tasks_on_the_loop() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=GRACE_S)
    names = sorted(f"{task.get_name()}: {task.get_coro()!r}" for task in left)
    assert not names, f"tasks left running: {'; '.join(names)}"
