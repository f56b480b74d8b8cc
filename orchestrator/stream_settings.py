"""The streams' own settings in `fleet_config.json`, checked before anything starts.

The configuration knows nothing of streams; here both are known.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from config.errors import ConfigError, Fault
from config.fleet import Fleet, StreamPlan
from config.paths import Paths
from config.sections import section_named
from config.validation import find_faults
from orchestrator.fleet.plan import overlaid
from streams.catalog import BrokenStream, Catalog


def check_stream_settings(paths: Paths, fleet: Fleet, catalog: Catalog) -> None:
    """Raise `ConfigError` where what `fleet_config.json` says of a stream's settings does not fit the stream."""
    faults = [fault for name, plan in fleet.streams.items() for fault in _faults_of(name, plan, catalog)]
    if faults:
        raise ConfigError.of(paths.config / section_named("fleet").file_name, faults)


def _faults_of(name: str, plan: StreamPlan, catalog: Catalog) -> Iterator[Fault]:
    if not plan.settings or name not in catalog:
        return
    try:
        kind = catalog[name]
    except BrokenStream:
        return  # told when the fleet starts; the other streams run
    here = f"$.streams.{name}.settings"
    settings = overlaid(msgspec.to_builtins(kind.blueprint(1)[0]), plan.settings)
    for fault in find_faults(settings, kind.settings_type, {}):
        yield msgspec.structs.replace(fault, path=here + fault.path.removeprefix("$"))
        return
    try:
        msgspec.convert(settings, kind.settings_type)
    except msgspec.ValidationError as error:
        yield Fault(here, f"settings that fit the stream ({error})", "others")
