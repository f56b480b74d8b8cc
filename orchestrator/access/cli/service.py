"""`service`: the systemd unit that keeps the daemon running for years."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from orchestrator.access.cli.commands import group, member
from orchestrator.access.cli.configuration import store_of
from orchestrator.access.cli.failures import SOFTWARE, UNAVAILABLE, USAGE, CommandFailed
from orchestrator.access.cli.output import say
from orchestrator.access.cli.target import Target

UNIT = "automate.service"
_SYSTEM_UNITS = Path("/etc/systemd/system")
_SYSTEMCTL_S = 60.0


@group("service")
def service() -> None:
    """Have systemd start the daemon, watch it, and start it again."""


def system_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--system`, as the name of the system user."""
    return click.option(
        "--system",
        "user",
        metavar="USER",
        help="A unit of the whole system, run as this user; without it, one of your own.",
    )(function)


@member(
    service,
    "unit",
    examples=[
        "automate service unit",
        "automate service unit --system automate | sudo tee /etc/systemd/system/automate.service",
    ],
)
@system_option
@click.pass_obj
def unit(target: Target, user: str | None) -> None:
    """Print the unit, without installing it."""
    click.echo(_rendered(target, user), nl=False)


@member(service, "install", examples=["automate service install", "sudo automate service install --system automate"])
@system_option
@click.pass_obj
def install(target: Target, user: str | None) -> None:
    """Install the unit, or bring it up to date; starting it is left to you."""
    from config.saving import write_atomically

    text = _rendered(target, user)
    file = _file(user)
    _require_systemctl()
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, text.encode())
    file.chmod(0o644)
    _systemctl(user, "daemon-reload")
    click.echo(f"installed {file}")
    prefix = "systemctl" if user else "systemctl --user"
    say(f"next: {prefix} enable --now {UNIT}")
    if not user:
        say("and, so that it runs while you are logged out: loginctl enable-linger")


@member(
    service, "uninstall", examples=["automate service uninstall", "sudo automate service uninstall --system automate"]
)
@system_option
def uninstall(user: str | None) -> None:
    """Stop the service and remove its unit; configuration, logs and books stay."""
    file = _file(user)
    if not file.exists():
        raise CommandFailed(f"there is no {file}", UNAVAILABLE)
    _require_systemctl()
    _systemctl(user, "disable", "--now", UNIT)
    file.unlink()
    _systemctl(user, "daemon-reload")
    click.echo(f"removed {file}; configuration, logs and books are where they were")


def _rendered(target: Target, user: str | None) -> str:
    from config.paths import system_service_paths
    from config.systemd import render_unit

    home = target.own_paths().home if target.home or os.environ.get("AUTOMATE_HOME") else None
    paths = system_service_paths() if user is not None and home is None else target.own_paths()
    deadline_s = store_of(paths).validate().fleet.stop_deadline_s
    try:
        return render_unit(_this_command(), user=user, stop_deadline_s=deadline_s, home=home)
    except ValueError as error:
        raise CommandFailed(str(error), USAGE) from error


def _this_command() -> Path:
    """Return where `automate` is installed: what was called, or what stands beside this Python."""
    called = shutil.which(sys.argv[0])
    if called is not None and Path(called).name == "automate":
        return Path(called).absolute()
    return Path(sys.executable).with_name("automate")


def _file(user: str | None) -> Path:
    if user is not None:
        return _SYSTEM_UNITS / UNIT
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".config") / "systemd" / "user" / UNIT


def _require_systemctl() -> None:
    if shutil.which("systemctl") is None:
        raise CommandFailed(
            "there is no systemctl on this machine; `automate service unit` prints the unit, `automate run` "
            "runs under any other supervisor",
            UNAVAILABLE,
        )


def _systemctl(user: str | None, *arguments: str) -> None:
    command = ["systemctl", *([] if user is not None else ["--user"]), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - words of this file
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SYSTEMCTL_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise CommandFailed(f"`{' '.join(command)}` did not end within {_SYSTEMCTL_S:g} s", SOFTWARE) from None
    if done.returncode:
        told = done.stderr.strip() or f"status {done.returncode}"
        raise CommandFailed(f"`{' '.join(command)}` failed: {told}", UNAVAILABLE)
