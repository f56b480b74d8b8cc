"""The control socket as an actor: what the rest of the tree sees of `control_socket.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from actors import Actor, Request, on
from orchestrator.access.control_socket import ControlSocket, Statistics
from orchestrator.access.dispatch import Methods
from orchestrator.access.openrpc import register_discover
from orchestrator.release import VERSION


class ReadStatistics(Request[Statistics], frozen=True):
    """How the control socket stands."""


class Control(Actor[ReadStatistics]):
    """Serves the methods on the control socket.

    Args:
        path: The socket's file.
        group: The group whose members may connect, besides the owner and root.
        register: Registers the methods, with the actor whose tasks they may use.
    """

    stop_timeout_s = 8.0

    def __init__(self, path: Path, group: str | None, register: Callable[[Methods, Control], None]) -> None:
        self._path = path
        self._group = group
        self._register = register
        self._socket: ControlSocket | None = None

    async def on_start(self) -> None:
        """Listen."""
        methods = Methods()
        self._register(methods, self)
        register_discover(methods, title="automate", version=VERSION)
        self._socket = ControlSocket(self._path, methods, group=self._group)
        await self._socket.start()

    async def on_stop(self, reason: BaseException | None) -> None:
        """Answer what was asked, and close."""
        if self._socket is not None:
            await self._socket.close(5.0)

    @on(ReadStatistics)
    def read_statistics(self, _: ReadStatistics) -> Statistics:
        """Tell how it stands."""
        assert self._socket is not None
        return self._socket.statistics()
