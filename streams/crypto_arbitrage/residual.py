"""What coins on the way would bring now: an estimate, for people, that never enters the books."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from streams.crypto_arbitrage.amounts import PRICE_ONE, show_amount
from streams.crypto_arbitrage.costing import Holdings, ledger_units
from streams.crypto_arbitrage.gates import Sighting
from streams.money import format_amount


class Residual(msgspec.Struct, frozen=True):
    """Coins that were bought and not sold.

    Attributes:
        asset: Which.
        amount: How much, decimal text.
        home: What they were bought with.
        cost: What they have cost, decimal text; this is what the books carry.
        estimate: What the best bid would bring, before fees; None where there is none.
        unrealised: The estimate less the cost.
    """

    asset: str
    amount: str
    home: str
    cost: str
    estimate: str | None
    unrealised: str | None


def residuals_of(
    holdings: Mapping[str, Holdings], venues: Sequence[str], seen: Callable[[str, str], Sighting | None]
) -> list[Residual]:
    """Return what is carried, marked to the best bid of any venue.

    Args:
        holdings: What is on the way, by home asset.
        venues: Where it could be sold.
        seen: The best prices of a venue's market.
    """
    found = []
    for home, held in holdings.items():
        for asset, holding in held.items():
            sightings = [seen(venue, f"{asset}/{home}") for venue in venues]
            bids = [each.book.bids[0][0] for each in sightings if each is not None and each.book.bids]
            value = ledger_units(holding.units * max(bids) // PRICE_ONE, home) if bids else None
            found.append(
                Residual(
                    asset,
                    show_amount(holding.units),
                    home,
                    format_amount(holding.basis, home),
                    None if value is None else format_amount(value, home),
                    None if value is None else format_amount(value - holding.basis, home),
                )
            )
    return found
