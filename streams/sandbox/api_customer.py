"""A customer of one paid API: holds a key, and calls what it sells, over real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from streams.sandbox.keyed_customer import KeyedCustomer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import aiohttp

    from actors import ActorRef
    from streams.metering.messages import CreateKey


class Purchase(msgspec.Struct, frozen=True):
    """A call that customers make: a product, and what they send it."""

    product: str
    body: Any


class ApiCustomer(KeyedCustomer):
    """Calls for one of an instance's products at a time.

    Args:
        instance: Whom it calls.
        base_url: Where.
        desk: Where keys are sold.
        purchases: What it may call for.
        purse: The file in which it keeps its key.
        http: Makes the shared HTTP client session.
        calls_per_minute: How often on average.
        seed: What decides on calls and intervals.
    """

    def __init__(
        self,
        instance: str,
        base_url: str,
        desk: ActorRef[CreateKey],
        purchases: Sequence[Purchase],
        purse: Path,
        http: Callable[[], aiohttp.ClientSession],
        calls_per_minute: float,
        seed: str,
    ) -> None:
        super().__init__(instance, base_url, desk, purse, http, 60.0 / calls_per_minute, seed)
        self._purchases = tuple(purchases)

    async def make_call(self) -> float | None:
        """Call for something."""
        purchase = self.rng.choice(self._purchases)
        await self.ask("POST", f"/v1/{purchase.product}", body=purchase.body)
        return None


def purchases_of(settings: Mapping[str, Any], examples: Mapping[str, Any]) -> list[Purchase]:
    """Return what can be bought of an instance with these settings.

    Args:
        settings: An instance's settings: its `products`.
        examples: What to send to each product.
    """
    return [Purchase(name, examples[name]) for name in settings.get("products", {}) if name in examples]
