"""A daemon knows what of a changed configuration waits for its next start."""

from __future__ import annotations

from msgspec.structs import replace

from config.fleet import Fleet, StreamPlan
from config.recovery import Recovery
from config.sections import SECTIONS, Settings
from orchestrator.restart_needed import AT_START, restart_needed

SETTINGS = Settings(**{section.name: section.default({"x": 1.0}) for section in SECTIONS})


def test_what_is_read_at_the_start_waits_for_the_next_one() -> None:
    changed = replace(
        SETTINGS,
        fleet=replace(SETTINGS.fleet, mode="live", host="0.0.0.0"),
        recovery=Recovery(max_retries=9),
    )
    assert restart_needed(SETTINGS, changed) == ["fleet.mode", "fleet.host", "recovery.max_retries"]


def test_what_is_read_again_and_again_does_not() -> None:
    fleet: Fleet = replace(SETTINGS.fleet, chaos=True, port_base=9000, streams={"x": StreamPlan(count=1)})
    assert restart_needed(SETTINGS, replace(SETTINGS, fleet=fleet)) == []


def test_everything_that_is_named_is_a_setting() -> None:
    for section, keys in AT_START.items():
        assert section in Settings.__struct_fields__
        for key in keys:
            assert hasattr(getattr(SETTINGS, section), key)
