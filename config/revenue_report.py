"""`fleet_config.json`, `report`: what the reports of revenue say, and how often they are made."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

AssetCode: TypeAlias = Annotated[
    str, msgspec.Meta(max_length=12, pattern=r"^[A-Z][A-Z0-9]+$(?!\n)", description="an asset's code, as `USD`")
]
"""An asset's code; whether it is declared is for the ledger to say."""

DecimalAmount: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        max_length=20,
        pattern=r"^(0|[1-9][0-9]*)(\.[0-9]{1,6})?$(?!\n)",
        description="an amount in quotes, as `50` or `12.50`",
    ),
]
"""An amount of money, never a float."""


class RevenueReporting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How revenue is reported.

    Attributes:
        interval_s: Seconds between two reports that nobody asked for.
        asset: The asset that stands at the top of reports; others stand beside it, and are never added.
        daily_target: What is to be earned in a day, in that asset, as decimal text; null for no target.
    """

    interval_s: Annotated[float, msgspec.Meta(ge=5, le=86_400)] = 300
    asset: AssetCode = "USD"
    daily_target: DecimalAmount | None = None
