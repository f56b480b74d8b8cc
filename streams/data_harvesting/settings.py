"""What makes one instance a business of its own: its datasets, their prices and its plans."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from streams.data_harvesting.fetching.policy import FetchPolicy
from streams.data_harvesting.recipe import Address, DatasetName, Recipe, check_dataset_name
from streams.metering.plan import Plan, PlanName, check_plans
from streams.money import AmountError, UnknownAssetError, asset_of, parse_amount

_MAX_DATASETS: Final = 20
_MAX_KEPT_VERSIONS: Final = 1_000


class DataHarvestingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of an instance; making one validates it.

    Attributes:
        title: The name that customers see.
        tagline: What it is for, in a line.
        datasets: The datasets by name, each with the recipe that it is made by.
        plans: The plans by name.
        default_plan: The plan of a key that is made without naming one.
        asset: The currency of prices and credits.
        fetch: How it behaves towards the sites that it visits.
        version_every_s: Least time between two versions of a dataset, seconds; the first is made at once.
        keep_versions: How many versions of a dataset are kept.
        max_version_bytes: Largest version of a dataset, bytes of JSON lines; records above it are not sold.

    Raises:
        ValueError: A value does not make sense; says which, and what would (msgspec's decoder raises it as a
            `ValidationError` with the path).
    """

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    tagline: Annotated[str, msgspec.Meta(max_length=200)]
    datasets: dict[DatasetName, Recipe]
    plans: dict[PlanName, Plan]
    default_plan: str
    asset: str = "USD"
    fetch: FetchPolicy = FetchPolicy()
    version_every_s: float = 60.0
    keep_versions: int = 20
    max_version_bytes: int = 8 * 1024 * 1024

    def __post_init__(self) -> None:
        try:
            asset_of(self.asset)
        except UnknownAssetError as error:
            raise ValueError(f"asset: {error}") from None
        if not 1 <= len(self.datasets) <= _MAX_DATASETS:
            raise ValueError(f"datasets: from 1 to {_MAX_DATASETS}, not {len(self.datasets)}")
        owners: dict[Address, str] = {}
        for name, recipe in self.datasets.items():
            check_dataset_name(name)
            self._check_price(name, recipe.price)
            for _, address in recipe.addresses():
                if owners.setdefault(address, name) != name:
                    raise ValueError(
                        f"datasets.{name}: {owners[address]!r} begins at the same address, {address}; an address "
                        "belongs to one dataset of an instance"
                    )
        check_plans(self.plans, self.default_plan, self.asset)
        if not 0 <= self.version_every_s <= 7 * 86_400:
            raise ValueError(f"version_every_s: from 0 to a week, not {self.version_every_s:g}")
        if not 1 <= self.keep_versions <= _MAX_KEPT_VERSIONS:
            raise ValueError(f"keep_versions: from 1 to {_MAX_KEPT_VERSIONS}, not {self.keep_versions}")
        if not 1024 <= self.max_version_bytes <= 64 * 1024 * 1024:
            raise ValueError(f"max_version_bytes: from 1 KiB to 64 MiB, not {self.max_version_bytes}")

    def price_units(self, dataset: str) -> int:
        """Return the price of a download in the asset's units.

        Raises:
            KeyError: There is no such dataset.
        """
        return parse_amount(self.datasets[dataset].price, self.asset)

    def _check_price(self, name: str, price: str) -> None:
        try:
            units = parse_amount(price, self.asset)
        except AmountError as error:
            raise ValueError(f"datasets.{name}.price: {error}") from None
        if units < 0:
            raise ValueError(f"datasets.{name}.price: a price is not negative, but {price!r} is")
