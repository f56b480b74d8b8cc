"""`recovery_config.json`: how often a failed instance is restarted, and what happens then."""

from __future__ import annotations

from typing import Annotated

import msgspec


class Recovery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The restart budget of an instance.

    A budget that is too small gives up on a passing fault; one that is too large hides a lasting fault
    behind endless restarts. Three in a minute lets a venue's hiccup pass and stops a broken instance.

    Attributes:
        max_retries: Restarts inside the window that succeed; the next failure trips the budget.
        retry_delay: Seconds that a tripped instance, or the body that it left to a standby, cools down.
        failover_enabled: Let a standby take over from an instance whose budget is tripped; without it, it cools down.
        backup_instances: Warm standbys that are kept ready; 0 is as without failover.
        retry_window: Seconds that the sliding window of the budget spans.
    """

    max_retries: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 3
    retry_delay: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 60
    failover_enabled: bool = True
    backup_instances: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 5
    retry_window: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 60
