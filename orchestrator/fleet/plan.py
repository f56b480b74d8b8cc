"""What has to change for a stream to have so many instances. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from orchestrator.fleet.messages import NotAsAsked
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
    kind: type[Stream[Any]],
    wanted: int,
    *,
    port_base: int,
    overlay: Mapping[str, Any],
) -> Change:
    """Return what brings a stream to `wanted` instances.

    Growing takes retired numbers back first, with their ports, keys and logs. Shrinking retires the highest
    numbers: those that came last.

    Raises:
        NotAsAsked: There are not enough ports, or the settings are not valid.
    """
    own = sorted((record for record in records.values() if record.stream == stream), key=lambda r: r.number)
    active = [record for record in own if record.active]
    if wanted < len(active):
        leaving = active[wanted:]
        return Change(retire=tuple(msgspec.structs.replace(record, desired="retired") for record in leaving))
    missing = wanted - len(active)
    retired = [record for record in own if not record.active][:missing]
    start = [msgspec.structs.replace(record, desired="running") for record in retired]
    fresh = missing - len(start)
    if fresh:
        first = own[-1].number + 1 if own else 1
        ports = _free_ports(records.values(), port_base, fresh)
        blueprint = kind.blueprint(first + fresh - 1)
        for number, port in zip(range(first, first + fresh), ports, strict=True):
            settings = _overlaid(msgspec.to_builtins(blueprint[number - 1]), overlay)
            start.append(
                Record(
                    id=instance_id(stream, number),
                    stream=stream,
                    number=number,
                    port=port,
                    settings=validated(kind, settings),
                )
            )
    return Change(start=tuple(start))


def validated(kind: type[Stream[Any]], settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings as the stream's struct says them, defaults filled in.

    Raises:
        NotAsAsked: They are not valid; says where.
    """
    try:
        converted: dict[str, Any] = msgspec.to_builtins(msgspec.convert(settings, kind.settings_type))
    except ValueError as error:
        raise NotAsAsked(f"settings of {kind.name}: {error}") from error
    return converted


def _overlaid(base: dict[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in overlay.items():
        former = merged.get(key)
        merged[key] = _overlaid(former, value) if isinstance(former, dict) and isinstance(value, dict) else value
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
