"""What makes one instance a business of its own: its products, their prices and its plans."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated, Final

import msgspec

from streams.api_services.product import AnyProduct
from streams.api_services.products import PRODUCTS
from streams.money import AmountError, UnknownAssetError, asset_of, parse_amount

_MAX_RATE_PER_S: Final = 10_000.0
_MAX_BURST: Final = 100_000
_NAME: Final = r"^[a-z][a-z0-9_-]*$"

PlanName = Annotated[str, msgspec.Meta(pattern=_NAME, max_length=32)]


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a key of this plan may do.

    Attributes:
        rate_per_s: Calls a second in the long run.
        burst: Calls that may come at once.
        quota: Calls in a calendar month, UTC; unlimited where None.
        credit: What a key may spend in all, decimal text in the settings' asset; unlimited where None.
        description: A line for customers.
    """

    rate_per_s: float
    burst: int
    quota: int | None = None
    credit: str | None = None
    description: str = ""

    def credit_units(self, asset: str) -> int | None:
        """Return the credit in the asset's units; None where it is unlimited."""
        return parse_amount(self.credit, asset) if self.credit is not None else None


class ApiServicesSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of an instance; making one validates it.

    Attributes:
        title: The name that customers see.
        tagline: What it is for, in a line.
        products: The price of a call by product, decimal text in `asset`.
        plans: The plans by name.
        default_plan: The plan of a key that is made without naming one.
        asset: The currency of prices and credits.

    Raises:
        ValueError: A value does not make sense; says which, and what would (msgspec's decoder raises it as a
            `ValidationError` with the path).
    """

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    tagline: Annotated[str, msgspec.Meta(max_length=200)]
    products: dict[str, str]
    plans: dict[PlanName, Plan]
    default_plan: str
    asset: str = "USD"

    def __post_init__(self) -> None:
        try:
            asset_of(self.asset)
        except UnknownAssetError as error:
            raise ValueError(f"asset: {error}") from None
        if not self.products:
            raise ValueError(f"products: name at least one of {', '.join(PRODUCTS)}")
        for name, price in self.products.items():
            self._check_product(name, price)
        if not self.plans:
            raise ValueError("plans: name at least one")
        for name, plan in self.plans.items():
            self._check_plan(f"plans.{name}", plan)
        if self.default_plan not in self.plans:
            raise ValueError(f"default_plan: {_not_among(self.default_plan, self.plans, 'plan')}")

    def price_units(self, product: str) -> int:
        """Return the price of a call in the asset's units.

        Raises:
            KeyError: This instance does not sell the product.
        """
        return parse_amount(self.products[product], self.asset)

    def offered(self) -> Mapping[str, AnyProduct]:
        """Return the products that this instance sells, in the order of the catalogue."""
        return {name: product for name, product in PRODUCTS.items() if name in self.products}

    def _check_product(self, name: str, price: str) -> None:
        if name not in PRODUCTS:
            raise ValueError(f"products: {_not_among(name, PRODUCTS, 'product')}")
        if self._units(f"products.{name}", price) < 0:
            raise ValueError(f"products.{name}: a price is not negative, but {price!r} is")

    def _check_plan(self, field: str, plan: Plan) -> None:
        if not 0 < plan.rate_per_s <= _MAX_RATE_PER_S:
            raise ValueError(
                f"{field}.rate_per_s: must be above 0 and at most {_MAX_RATE_PER_S:g}, not {plan.rate_per_s:g}"
            )
        if not 1 <= plan.burst <= _MAX_BURST:
            raise ValueError(f"{field}.burst: must be from 1 to {_MAX_BURST}, not {plan.burst}")
        if plan.quota is not None and plan.quota < 0:
            raise ValueError(f"{field}.quota: must be 0 or more, or null for unlimited, not {plan.quota}")
        if plan.credit is not None and self._units(f"{field}.credit", plan.credit) < 0:
            raise ValueError(f"{field}.credit: must be 0 or more, or null for unlimited, not {plan.credit!r}")

    def _units(self, field: str, amount: str) -> int:
        try:
            return parse_amount(amount, self.asset)
        except AmountError as error:
            raise ValueError(f"{field}: {error}") from None


def _not_among(name: str, known: Iterable[str], kind: str) -> str:
    known = list(known)
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"there is no {kind} {name!r}; {hint}known are {', '.join(known)}"
