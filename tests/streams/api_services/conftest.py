from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from streams.api_services.products import PRODUCTS

Call = Callable[..., Any]


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def call(now: datetime) -> Call:
    """Call a product by name as a customer does: fields that break the bounds are errors here too."""

    def run(name: str, **fields: Any) -> Any:
        product = PRODUCTS[name]
        return product.run(msgspec.convert(fields, product.request), now)

    return run
