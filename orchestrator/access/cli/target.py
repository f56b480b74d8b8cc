"""Which daemon a command is for: where its home is, and the way to it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from config.paths import Paths
    from orchestrator.access.client import Client


class Target:
    """The daemon of one home.

    Args:
        home: What `--home` says.
    """

    __slots__ = ("home",)

    def __init__(self, home: str | None = None) -> None:
        self.home = home

    def own_paths(self) -> Paths:
        """Return where a daemon that is started by this command keeps everything.

        Raises:
            HomeError: The place cannot be used.
        """
        from config.paths import resolve_home

        return resolve_home(self.home, os.environ)

    def paths(self) -> Paths:
        """Return where the daemon that the command is for keeps everything.

        Where no home is named and this user has no daemon, that is the system's service, if there is one.

        Raises:
            HomeError: The place cannot be used.
        """
        own = self.own_paths()
        if self.home is None and not os.environ.get("AUTOMATE_HOME") and not _is_there(own.control_socket):
            from config.paths import system_service_paths

            system = system_service_paths()
            if _is_there(system.control_socket):
                return system
        return own

    def client(self, timeout_s: float = 35.0, paths: Paths | None = None) -> Client:
        """Return a way to the daemon; a little more patient than the daemon's own methods are."""
        from orchestrator.access.client import Client

        return Client((paths or self.paths()).control_socket, timeout_s)

    def call(self, method: str, params: object = None) -> Any:
        """Call one method.

        Raises:
            The same as `Client.call`.
        """
        with self.client() as client:
            return client.call(method, params)

    def reach(self, timeout_s: float = 35.0, paths: Paths | None = None) -> Client | None:
        """Return a way to the daemon that is known to work; None where no daemon runs.

        Args:
            timeout_s: How long to wait for an answer.
            paths: Where the daemon is, if not where the command is for.

        Raises:
            DaemonUnreachable: There is one, but not for this user, or it does not answer.
        """
        from orchestrator.access.client import DaemonUnreachable

        client = self.client(timeout_s, paths)
        try:
            client.call("system.ping")
        except DaemonUnreachable as error:
            if is_absent(error):
                return None
            raise
        return client


def is_absent(error: BaseException) -> bool:
    """Whether a daemon could not be reached because there is none."""
    return isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError, ConnectionRefusedError))


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return True
