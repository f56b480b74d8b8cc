"""What has to change for a stream to have so many instances. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from config.fleet import Isolation
from orchestrator.fleet.messages import NotAsAsked, NotNow
from orchestrator.fleet.record import Record, instance_id
from streams.stream import Stream

HIGHEST_PORT = 65_535


class Change(msgspec.Struct, frozen=True):
    """Records to write, by what happens to their instances."""

    start: tuple[Record, ...] = ()
    retire: tuple[Record, ...] = ()


def plan_count(
    records: Mapping[str, Record],
    stream: str,
    kind: type[Stream[Any]] | None,
    wanted: int,
    *,
    port_base: int,
    overlay: Mapping[str, Any],
    asked: Mapping[str, Any] | None = None,
    reserved: Collection[str] = (),
    isolation: Isolation = "actor",
) -> Change:
    """Return what brings a stream to `wanted` instances.

    Growing takes retired numbers back first, with their ports, keys and logs. Shrinking retires the highest
    numbers: those that came last.

    Args:
        records: All of the fleet.
        stream: Whose count changes.
        kind: Its class; where nothing is added, None will do.
        wanted: The count.
        port_base: Ports are taken above this one.
        overlay: What the settings of new instances are overlaid with.
        asked: What the settings of all that start are overlaid with, those that come back included.
        reserved: Ids that are taken, though nothing is known of them.
        isolation: Where what starts runs; what runs already stays where it is.

    Raises:
        NotAsAsked: There are not enough ports, or the settings are not valid.
        NotNow: The stream's own code cannot say how to set its instances up.
    """
    own = sorted((record for record in records.values() if record.stream == stream), key=lambda r: r.number)
    active = [record for record in own if record.active]
    if wanted < len(active):
        leaving = active[wanted:]
        return Change(retire=tuple(msgspec.structs.replace(record, desired="retired") for record in leaving))
    missing = wanted - len(active)
    retired = [record for record in own if not record.active][:missing]
    start = [msgspec.structs.replace(record, desired="running", isolation=isolation) for record in retired]
    if asked:
        assert kind is not None
        start = [
            msgspec.structs.replace(record, settings=validated(stream, kind, overlaid(record.settings, asked)))
            for record in start
        ]
    if missing > len(start):
        assert kind is not None
        numbers = _free_numbers(stream, own[-1].number if own else 0, missing - len(start), reserved)
        ports = _free_ports(records.values(), port_base, len(numbers))
        blueprint = _blueprint(stream, kind, numbers[-1])
        for number, port in zip(numbers, ports, strict=True):
            settings = validated(stream, kind, overlaid(overlaid(blueprint[number - 1], overlay), asked or {}))
            start.append(Record(instance_id(stream, number), stream, number, port, isolation, settings=settings))
    return Change(start=tuple(start))


def _free_numbers(stream: str, last: int, count: int, reserved: Collection[str]) -> list[int]:
    free = (number for number in itertools.count(last + 1) if instance_id(stream, number) not in reserved)
    return list(itertools.islice(free, count))


def _blueprint(stream: str, kind: type[Stream[Any]], count: int) -> list[dict[str, Any]]:
    try:
        settings = [msgspec.to_builtins(each) for each in kind.blueprint(count)]
    except Exception as error:
        # Anybody's code: it may raise anything, and only its own instances should miss it.
        raise NotNow(f"the stream {stream!r} cannot make its blueprint: {type(error).__name__}: {error}") from error
    if len(settings) < count or not all(isinstance(each, dict) for each in settings):
        raise NotNow(f"the blueprint of the stream {stream!r} does not have the {count} settings that were asked for")
    return settings


def validated(stream: str, kind: type[Stream[Any]], settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings as the stream's struct says them, defaults filled in."""
    try:
        converted: dict[str, Any] = msgspec.to_builtins(msgspec.convert(settings, kind.settings_type))
    except msgspec.ValidationError as error:
        raise NotAsAsked(f"settings of {stream}: {error}") from error
    except Exception as error:
        raise NotNow(f"the stream {stream!r} cannot read its settings: {type(error).__name__}: {error}") from error
    return converted


def overlaid(base: dict[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with those of another layer on top, objects merged member by member."""
    merged = dict(base)
    for key, value in overlay.items():
        former = merged.get(key)
        merged[key] = overlaid(former, value) if isinstance(former, dict) and isinstance(value, dict) else value
    return merged


def _free_ports(records: Iterable[Record], port_base: int, count: int) -> list[int]:
    """Return the lowest ports above the base that no instance, a retired one included, has had."""
    taken = {record.port for record in records}
    ports: list[int] = []
    port = port_base
    while len(ports) < count:
        port += 1
        if port > HIGHEST_PORT:
            raise NotAsAsked(f"there are no {count} free ports above port_base {port_base}")
        if port not in taken:
            ports.append(port)
    return ports
