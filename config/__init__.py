"""Typed settings of the daemon: paths, secrets, the six configuration files."""

from __future__ import annotations

from config.errors import ConfigError, Fault, HomeError, Problem, SaveError, UnknownSection
from config.paths import Paths, resolve_home
from config.sections import SectionName, Settings
from config.store import ConfigStore

__all__ = [
    "ConfigError",
    "ConfigStore",
    "Fault",
    "HomeError",
    "Paths",
    "Problem",
    "SaveError",
    "SectionName",
    "Settings",
    "UnknownSection",
    "resolve_home",
]
