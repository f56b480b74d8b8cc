"""What makes one instance a business of its own: its products, their prices and its plans."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated

import msgspec

from streams.api_services.product import AnyProduct
from streams.api_services.products import PRODUCTS
from streams.metering.plan import Plan, PlanName, check_plans
from streams.money import AmountError, UnknownAssetError, asset_of, parse_amount


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
        check_plans(self.plans, self.default_plan, self.asset)

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
