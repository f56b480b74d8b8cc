"""What the control groups of this process leave it, and what of that is in use; versions 1 and 2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

PROC: Final = Path("/proc/self/cgroup")
ROOT: Final = Path("/sys/fs/cgroup")

_NO_LIMIT_BYTES: Final = 1 << 60
"""Version 1 says "no limit" with the largest number of pages."""


class Quota(msgspec.Struct, frozen=True):
    """Processor time that a group may have.

    Attributes:
        cores: How many processors' worth.
        used_s: What the group has used so far, seconds.
    """

    cores: float
    used_s: float


class Limit(msgspec.Struct, frozen=True):
    """Memory that a group may have.

    Attributes:
        limit_bytes: How much.
        used_bytes: What it holds, without the file pages that the kernel would give up at once.
    """

    limit_bytes: int
    used_bytes: int


class GroupLimits(msgspec.Struct, frozen=True):
    """The narrowest limits of all groups that this process is in; None where nothing limits it."""

    cpu: Quota | None = None
    memory: Limit | None = None


def read_limits(proc: Path = PROC, root: Path = ROOT) -> GroupLimits:
    """Read them. What cannot be read limits nothing. Blocks.

    Args:
        proc: The file that tells the groups.
        root: Where they are mounted.
    """
    quotas: list[Quota] = []
    limits: list[Limit] = []
    for controllers, group in _groups(proc):
        if not controllers:
            for directory in _upwards(root, group):
                quotas += _quota_2(directory)
                limits += _limit_2(directory)
        if "cpu" in controllers:
            accounts = _upwards(_mount(root, "cpuacct", controllers), group)
            for directory, account in zip(_upwards(_mount(root, "cpu", controllers), group), accounts, strict=False):
                quotas += _quota_1(directory, account)
        if "memory" in controllers:
            for directory in _upwards(_mount(root, "memory", controllers), group):
                limits += _limit_1(directory)
    return GroupLimits(
        min(quotas, key=lambda quota: quota.cores, default=None),
        min(limits, key=lambda limit: limit.limit_bytes, default=None),
    )


def _groups(proc: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the controllers, none for version 2, and the path of each group."""
    try:
        lines = proc.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        yield tuple(filter(None, controllers.split(","))), group


def _mount(root: Path, controller: str, together: tuple[str, ...]) -> Path:
    """Return where a controller is mounted: under its own name, or under that of all that are mounted with it."""
    own = root / controller
    return own if own.is_dir() else root / ",".join(together)


def _upwards(mount: Path, group: str) -> Iterator[Path]:
    """Yield a group's directory and those above it; inside of a container only the mount itself may be there."""
    parts = [part for part in group.split("/") if part not in ("", "..")]
    for length in range(len(parts), -1, -1):
        directory = mount.joinpath(*parts[:length])
        if directory.is_dir():
            yield directory


def _quota_2(directory: Path) -> Iterator[Quota]:
    words = _text(directory / "cpu.max").split()
    used_us = _field(directory / "cpu.stat", "usage_usec")
    if len(words) == 2 and words[0].isdigit() and int(words[1]) > 0 and used_us is not None:
        yield Quota(int(words[0]) / int(words[1]), used_us / 1e6)


def _limit_2(directory: Path) -> Iterator[Limit]:
    limit, held = _number(directory / "memory.max"), _number(directory / "memory.current")
    if limit is not None and held is not None and limit > 0:
        spare = _field(directory / "memory.stat", "inactive_file") or 0
        yield Limit(limit, max(0, held - spare))


def _quota_1(directory: Path, account: Path) -> Iterator[Quota]:
    quota, period = _number(directory / "cpu.cfs_quota_us"), _number(directory / "cpu.cfs_period_us")
    used_ns = _number(account / "cpuacct.usage")
    if quota is not None and period and quota > 0 and used_ns is not None:
        yield Quota(quota / period, used_ns / 1e9)


def _limit_1(directory: Path) -> Iterator[Limit]:
    limit, held = _number(directory / "memory.limit_in_bytes"), _number(directory / "memory.usage_in_bytes")
    if limit is not None and held is not None and 0 < limit < _NO_LIMIT_BYTES:
        spare = _field(directory / "memory.stat", "total_inactive_file") or 0
        yield Limit(limit, max(0, held - spare))


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""


def _number(file: Path) -> int | None:
    text = _text(file).strip()
    return int(text) if text.lstrip("-").isdigit() else None


def _field(file: Path, name: str) -> int | None:
    for line in _text(file).splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.strip().isdigit():
            return int(value)
    return None
