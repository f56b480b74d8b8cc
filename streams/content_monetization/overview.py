"""What an operator sees of contracts; and apart from that, what is only an estimate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from streams.content_monetization.delivery_log import DeliveryLog
from streams.content_monetization.rotation import Placement
from streams.content_monetization.settings import ContentMonetizationSettings
from streams.content_monetization.terms import MILLI
from streams.money import format_amount, parse_amount


def contracts_overview(log: DeliveryLog, placements: Sequence[Placement], now: datetime) -> list[dict[str, Any]]:
    """Return how each contract stands: what was delivered, stated and booked."""
    in_settings = {placement.contract.id for placement in placements}
    return [
        {
            "id": contract,
            "sponsor": account.terms.sponsor,
            "kind": account.terms.kind,
            "rate": format_amount(account.terms.rate, account.terms.asset),
            "in_force": contract in in_settings and account.holds_at(now),
            "views": account.views,
            "clicks": account.clicks,
            "statements": account.statements,
            "booked": format_amount(account.booked_units, account.terms.asset),
            "owed": format_amount(sum(each.units for each in account.unbooked.values()), account.terms.asset),
        }
        for contract, account in sorted(log.accounts().items())
    ]


def estimates(log: DeliveryLog, settings: ContentMonetizationSettings, waiting: int) -> dict[str, Any]:
    """Return what no contract backs yet: it is in no book, and may never be.

    Args:
        log: What was delivered.
        settings: The settings: the price of the estimate.
        waiting: Rendered slots whose beacon may still come.
    """
    asset = settings.asset
    views = sum(account.views for account in log.accounts().values())
    open_milli = sum(account.open_milli for account in log.accounts().values())
    return {
        "note": "estimates; not booked",
        "views": views,
        "what_if_cpm": settings.what_if_cpm,
        "what_if": format_amount(views * parse_amount(settings.what_if_cpm, asset) // MILLI, asset),
        "delivered_not_stated": format_amount(open_milli // MILLI, asset),
        "waiting_impressions": waiting,
    }
