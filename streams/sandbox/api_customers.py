"""The paper world of `api_services`: a customer for every instance."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from actors import Actor
from streams.sandbox.api_customer import ApiCustomer, purchases_of
from streams.sandbox.world import PaperWorld, Visit


class ApiCustomersWorld(PaperWorld):
    """Sends every instance one customer, who buys all that it sells."""

    def visitor(self, visit: Visit) -> Callable[[], Actor[Any]] | None:
        """Return what makes an instance's customer; None where it sells nothing that is known."""
        # Imported where it is needed: a fleet without this stream has no use for all that its products stand on.
        from streams.api_services.products import PRODUCTS

        examples = {name: msgspec.to_builtins(product.example) for name, product in PRODUCTS.items()}
        purchases = purchases_of(visit.settings, examples)
        if not purchases:
            return None
        ground = self.ground
        return partial(
            ApiCustomer,
            instance=visit.instance,
            base_url=visit.url,
            desk=visit.desk,
            purchases=purchases,
            purse=ground.directory / visit.instance,
            http=ground.http,
            calls_per_minute=ground.visits_per_minute,
            seed=f"{ground.seed}/{visit.instance}",
        )
