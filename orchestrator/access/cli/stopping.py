"""`stop`: the end of the daemon, waited for."""

from __future__ import annotations

import os
import select
import sys
import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from orchestrator.access.cli.commands import command
from orchestrator.access.cli.failures import TEMPORARY, CommandFailed
from orchestrator.access.cli.output import duration, say
from orchestrator.access.cli.progress import Progress
from orchestrator.access.cli.target import Target

if TYPE_CHECKING:
    from orchestrator.access.client import Client

_LOOK_EVERY_S = 0.1
_STOP_RESERVE_S = 10.0


@command("stop", examples=["automate stop", "automate stop --timeout 60", "automate stop --no-wait"])
@click.option("--no-wait", is_flag=True, help="Only ask it to stop.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=0), help="Seconds to wait; its own deadline and some."
)
@click.pass_obj
def stop(target: Target, no_wait: bool, timeout_s: float | None) -> None:
    """Stop the daemon, and wait until it is gone.

    It finishes what is in progress, saves its state, and stops its instances; the configuration says how long
    that may take (stop_deadline_s).
    """
    with target.client() as client:
        pid = client.call("system.status")["pid"]
        if timeout_s is None:
            timeout_s = _own_deadline_s(client) + _STOP_RESERVE_S
        with _Exit(target, pid) as exit_of_daemon, Progress() as progress:
            began = time.monotonic()
            client.call("system.shutdown")
            while not no_wait:
                waited_s = time.monotonic() - began
                if exit_of_daemon.seen(_LOOK_EVERY_S):
                    break
                if waited_s > timeout_s:
                    raise CommandFailed(
                        f"the daemon (pid {pid}) is still stopping after {duration(waited_s)}; "
                        "`automate logs` shows what it waits for, and `kill` cuts it short",
                        TEMPORARY,
                    )
                progress.show(f"stopping: {duration(waited_s)}")
    say("the daemon was asked to stop" if no_wait else f"the daemon stopped after {duration(time.monotonic() - began)}")


def _own_deadline_s(client: Client) -> float:
    return float(client.call("config.get", {"section": "fleet"})["stop_deadline_s"])


class _Exit:
    """The end of the daemon's process, which need not be a child, nor this user's."""

    def __init__(self, target: Target, pid: int) -> None:
        self._target = target
        self._pid = pid
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        if sys.platform == "linux":
            # A daemon in another container has no number that is known here.
            with suppress(ProcessLookupError):
                self._descriptor = os.pidfd_open(self._pid)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def seen(self, within_s: float) -> bool:
        """Wait a little, and return whether it has ended."""
        if self._descriptor is not None:
            return bool(select.select([self._descriptor], [], [], within_s)[0])
        time.sleep(within_s)
        return self._has_no_socket()

    def _has_no_socket(self) -> bool:
        from orchestrator.access.client import DaemonUnreachable, RpcFailure

        try:
            client = self._target.reach()
        except (DaemonUnreachable, RpcFailure):  # it is just stopping
            return False
        if client is not None:
            client.close()
        return client is None
