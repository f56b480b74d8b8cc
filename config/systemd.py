"""The unit that keeps the daemon running for years, with no more rights than it needs."""

from __future__ import annotations

import math
from pathlib import Path

_STOP_RESERVE_S = 15
"""What systemd waits beyond the daemon's own deadline before it kills."""

_COMMON = """\
[Unit]
Description=Automate: a supervised fleet of earning instances
Documentation=man:systemd.service(5)
{ordering}StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=notify
NotifyAccess=main
{identity}ExecStart={command} run{home}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=5
# A configuration that is wrong stays wrong: 78 is EX_CONFIG.
RestartPreventExitStatus=78
WatchdogSec={watchdog_s}
TimeoutStartSec=120
TimeoutStopSec={stop_s}
# The daemon stops its own children, in order; systemd kills only what is left.
KillMode=mixed
LimitNOFILE=65536
UMask=0077
{directories}
NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
# With these, instances in processes of their own are kept to their own directories.
SystemCallFilter=landlock_create_ruleset landlock_add_rule landlock_restrict_self
SystemCallErrorNumber=EPERM
{hardening}
[Install]
WantedBy={target}
"""

_SYSTEM_HARDENING = """\
CapabilityBoundingSet=
AmbientCapabilities=
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome={protect_home}
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
# PrivateUsers= is left out: the control socket checks the real user of its peers.
"""

_SYSTEM_DIRECTORIES = """\
StateDirectory=automate
StateDirectoryMode=0700
ConfigurationDirectory=automate
ConfigurationDirectoryMode=0700
LogsDirectory=automate
LogsDirectoryMode=0700
RuntimeDirectory=automate
RuntimeDirectoryMode=0750
ReadWritePaths=%E/automate
"""

# What is left out for a user's unit would need a user namespace, in which the socket's peers have no names.
# The other directories are the XDG ones in any case, as the command has them: systemd before 254 would put
# a user's StateDirectory= elsewhere.
_USER_DIRECTORIES = """\
RuntimeDirectory=automate
RuntimeDirectoryMode=0750
"""


def render_unit(
    automate: Path,
    *,
    user: str | None,
    stop_deadline_s: float,
    home: Path | None = None,
    watchdog_s: int = 30,
) -> str:
    """Return `automate.service`.

    Args:
        automate: The `automate` command of the environment that is to run, as an absolute path.
        user: The system user of a system-wide unit; None for a unit of one's own (`systemctl --user`).
        stop_deadline_s: The daemon's own deadline; systemd's lies beyond it.
        home: A directory that holds everything; None for the directories that systemd or XDG choose.
        watchdog_s: Seconds without a sign of life after which systemd restarts the daemon.

    Raises:
        ValueError: A path is not absolute or cannot be written into a unit, or the unit could not reach it.
    """
    system = user is not None
    if system and _is_within(automate, "/tmp", "/var/tmp"):  # noqa: S108 - refused here
        raise ValueError(f"{automate}: a system-wide unit has its own {automate.parts[1]}; install elsewhere")
    directories = _SYSTEM_DIRECTORIES if system else _USER_DIRECTORIES
    if home is not None:
        directories = f"ReadWritePaths={_quoted(home)}\n" if system else ""
    # The daemon may live in a checkout under somebody's home: readable then, and still not writable.
    in_homes = any(_is_within(path, "/home", "/root", "/run/user") for path in (automate, home) if path)
    return _COMMON.format(
        ordering="Wants=network-online.target\nAfter=network-online.target\n" if system else "",
        identity=_identity(user, home),
        command=_quoted(automate),
        home="" if home is None else f" --home {_quoted(home).replace('$', '$$')}",
        watchdog_s=watchdog_s,
        stop_s=math.ceil(stop_deadline_s) + _STOP_RESERVE_S,
        directories=directories,
        hardening=_SYSTEM_HARDENING.format(protect_home="read-only" if in_homes else "yes") if system else "",
        target="multi-user.target" if system else "default.target",
    )


def _identity(user: str | None, home: Path | None) -> str:
    if user is None:
        return ""
    if not user.isascii() or not user.replace("-", "").replace("_", "").isalnum():
        raise ValueError(f"{user!r} is no name of a system user")
    lines = f"User={user}\nGroup={user}\n"
    if home is None:
        # systemd leaves a ConfigurationDirectory= to root; the daemon keeps its files there up to date.
        lines += f"ExecStartPre=+/usr/bin/install -d -m 0700 -o {user} -g {user} %E/automate\n"
    return lines


def _is_within(path: Path, *directories: str) -> bool:
    return any(path.is_relative_to(directory) for directory in directories)


def _quoted(path: Path) -> str:
    """Return a path as one word of a unit file."""
    text = str(path)
    if not path.is_absolute() or not text.isprintable():
        raise ValueError(f"{text!r} is no absolute path that a unit file can hold")
    text = text.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"' if text != str(path) or any(mark in text for mark in " '") else text
