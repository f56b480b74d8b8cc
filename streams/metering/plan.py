"""Plans: what a key may do, as an instance's settings say it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from streams.money import AmountError, parse_amount

PlanName = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]*$", max_length=32)]

_MAX_RATE_PER_S: Final = 10_000.0
_MAX_BURST: Final = 100_000


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


def check_plans(plans: Mapping[str, Plan], default_plan: str, asset: str) -> None:
    """Check the plans of an instance's settings.

    Raises:
        ValueError: A value does not make sense; says which, and what would.
    """
    if not plans:
        raise ValueError("plans: name at least one")
    for name, plan in plans.items():
        _check_plan(f"plans.{name}", plan, asset)
    if default_plan not in plans:
        nearest = difflib.get_close_matches(default_plan, plans, n=1)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        raise ValueError(f"default_plan: there is no plan {default_plan!r}; {hint}known are {', '.join(plans)}")


def _check_plan(field: str, plan: Plan, asset: str) -> None:
    if not 0 < plan.rate_per_s <= _MAX_RATE_PER_S:
        raise ValueError(
            f"{field}.rate_per_s: must be above 0 and at most {_MAX_RATE_PER_S:g}, not {plan.rate_per_s:g}"
        )
    if not 1 <= plan.burst <= _MAX_BURST:
        raise ValueError(f"{field}.burst: must be from 1 to {_MAX_BURST}, not {plan.burst}")
    if plan.quota is not None and plan.quota < 0:
        raise ValueError(f"{field}.quota: must be 0 or more, or null for unlimited, not {plan.quota}")
    if plan.credit is None:
        return
    try:
        credit = parse_amount(plan.credit, asset)
    except AmountError as error:
        raise ValueError(f"{field}.credit: {error}") from None
    if credit < 0:
        raise ValueError(f"{field}.credit: must be 0 or more, or null for unlimited, not {plan.credit!r}")
