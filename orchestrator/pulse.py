"""The pulse: shows systemd that the root of the tree still decides, not merely that the loop turns."""

from __future__ import annotations

from typing import Any

import structlog

from actors import Actor, ActorError, ActorRef, FindChild, Message, on
from orchestrator.notify import Notifier

DEFAULT_INTERVAL_S = 10.0
_PATIENCE_S = 5.0

_log = structlog.get_logger("pulse")


class Beat(Message, frozen=True):
    """Feed the watchdog, if the root answers."""


class Pulse(Actor[Beat]):
    """Feeds systemd's watchdog each time the root supervisor has really answered a message.

    Args:
        root: The root supervisor.
        notifier: The way to systemd.
    """

    def __init__(self, root: ActorRef[Any], notifier: Notifier) -> None:
        self._root = root
        self._notifier = notifier

    async def on_start(self) -> None:
        """Beat at half the watchdog's interval, as systemd advises."""
        limit_s = self._notifier.watchdog_s
        self.context.schedule_every(limit_s / 2 if limit_s else DEFAULT_INTERVAL_S, Beat())

    @on(Beat)
    async def beat(self, _: Beat) -> None:
        """Ask the root for anything; a root that is stuck costs the watchdog its food."""
        try:
            await self._root.ask(FindChild("pulse"), _PATIENCE_S)
        except ActorError as error:
            # No failure of its own: that would be charged to the budget of those who are well.
            _log.warning("pulse.unanswered", reason=str(error))
        else:
            self._notifier.watchdog()
