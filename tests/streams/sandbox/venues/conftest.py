"""ccxt takes over a second and 95 MB to import: once, for all tests that trade with it."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="session")
def ccxt() -> Any:
    return pytest.importorskip("ccxt.async_support", reason="needs the extra `arbitrage`")
