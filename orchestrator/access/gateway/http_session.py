"""The session of one request: over before anything could be sent later."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.access import jsonrpc
from orchestrator.access.jsonrpc import RpcError


class HttpSession:
    """A `dispatch.Session` of a single request.

    Args:
        origin: Who asks, for logs and audit.
    """

    __slots__ = ("__weakref__", "_origin")

    def __init__(self, origin: str) -> None:
        self._origin = origin

    @property
    def origin(self) -> str:
        """Who asks."""
        return self._origin

    def notify(self, method: str, params: object) -> bool:
        """Nobody is there to be told."""
        return False

    def notify_line(self, line: bytes) -> bool:
        """Nobody is there to be told."""
        return False

    def on_close(self, callback: Callable[[], object]) -> None:
        """Refuse what wants to go on after its answer, and end it."""
        callback()
        raise RpcError(
            jsonrpc.REFUSED,
            "a request is over with its answer, and nothing can be sent after it: "
            "read GET /api/v1/events or GET /api/v1/logs/stream instead",
        )
