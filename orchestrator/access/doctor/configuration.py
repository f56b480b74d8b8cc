"""The configuration: whether the next start takes it, and what it needs that is not there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Final

from orchestrator.access.doctor.finding import Case, Finding, note, ok, problem

EXTRAS: Final = {"crypto_arbitrage": ("ccxt", "arbitrage")}
"""What a stream needs besides: the module, and the extra that brings it."""


def configuration(case: Case) -> Iterator[Finding]:
    """Validate the files, and keep what they say for the checks that follow."""
    from config.errors import ConfigError
    from config.fleet import multipliers_of
    from config.store import ConfigStore
    from streams.catalog import Catalog

    try:
        case.settings = ConfigStore(case.paths, multipliers_of(Catalog())).validate()
    except ConfigError as error:
        for each in error.problems:
            yield problem(
                "configuration", str(each), "mend the file; `automate config schema` says what may stand in it"
            )
    else:
        yield ok("configuration", f"the files in {case.paths.config} are valid")


def secrets(case: Case) -> Iterator[Finding]:
    """Look whether what the configuration names is in `.env`; values are not shown."""
    from config.env_file import parse_env
    from config.errors import ConfigError
    from streams.webhooks import read_secrets

    file = case.paths.env_file
    try:
        text = file.read_text("utf-8") if file.exists() else ""
        known = parse_env(text, file)
    except (ConfigError, OSError, UnicodeDecodeError) as error:
        told = str(error) if isinstance(error, ConfigError) else f"{file} cannot be read: {type(error).__name__}"
        yield problem("secrets", told, f"mend {file}: KEY=VALUE, one a line, UTF-8")
        return
    health = None if case.settings is None else case.settings.fleet.health
    if health is None or health.webhook_url is None:
        return
    name = health.webhook_secret
    remedy = f"put {name}=whsec_… into {file}: `whsec_` and 24 or more random bytes in base64; then restart the daemon"
    try:
        usable = bool(read_secrets(known.get(name, "")))
    except ValueError as error:
        yield problem("secrets", f"{name}: {error}", remedy)
        return
    if usable:
        yield ok("secrets", f"{name} signs the alerts")
    else:
        yield problem("secrets", f"alerts have an address, but {name}, which signs them, is not set", remedy)


def extras(case: Case) -> Iterator[Finding]:
    """Look whether the streams that run can be imported, and have what they need besides."""
    if case.settings is None:
        return
    wanted = [name for name, plan in case.settings.fleet.streams.items() if plan.count]
    sound = True
    for name in wanted:
        without = f"`automate scale {name} 0`"
        if (fault := _fault_of(name)) is not None:
            sound = False
            yield problem(
                "streams", f"{name} cannot run: {fault}", f"install what it needs; or run none of it: {without}"
            )
        module, extra = EXTRAS.get(name, ("", ""))
        if module and find_spec(module) is None:
            sound = False
            remedy = f"pip install 'automate-everything[{extra}]'; or run none of it: {without}"
            yield problem("streams", f"{name} needs {module}, which is not installed", remedy)
    if sound:
        yield ok("streams", f"{', '.join(wanted) or 'none'} can run")


def _fault_of(stream: str) -> str | None:
    """Return why a stream cannot be imported, if it cannot."""
    from streams.catalog import GROUP
    from streams.stream import Stream

    points = entry_points(group=GROUP, name=stream)
    if not points:
        return "no stream of that name is installed"
    for point in points:
        try:
            kind = point.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - anybody's code
            return f"{point.value}: {type(error).__name__}: {error}"
        if not (isinstance(kind, type) and issubclass(kind, Stream)):
            return f"{point.value} is no subclass of Stream"
    return None


def live(case: Case) -> Iterator[Finding]:
    """Say where real money is at stake."""
    if case.settings is not None and case.settings.fleet.mode == "live" and case.settings.fleet.chaos:
        yield problem(
            "configuration",
            "chaos is allowed while the mode is live: instances with real money can be crashed on request",
            """`automate config set fleet '{"chaos": false}'`""",
        )
    socket = case.paths.control_socket
    if socket.exists() and stat.S_IMODE(os.lstat(socket).st_mode) & 0o007:
        yield note("daemon", f"{socket} is open to everybody", f"chmod 660 {socket}")
