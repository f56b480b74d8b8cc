"""The rule: what is done about a load. Pure; the auto-scaler and the simulator both decide by it.

As Kubernetes' horizontal pod autoscaler does it: `ceil(count x load / aim)`, a tolerance, windows in which the most
cautious of all measurements counts, steps of limited size. What is not known never changes anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from config.auto_scaling import AutoScaling
from orchestrator.fleet.scaling.decision import Action, Advice, Code, Decision, Expected
from orchestrator.fleet.scaling.figures import NAMES, Figures, StreamNow
from orchestrator.fleet.scaling.room import Place, bytes_each, cores_each, loop_each, percent
from orchestrator.fleet.scaling.sharing import additions, advise, give, removals, shift, take
from orchestrator.fleet.scaling.window import LoadWindow

_PLACES: Final = {"loop": "on the event loop", "cores": "on the cores beside it"}


def decide(
    settings: AutoScaling,
    figures: Figures,
    window: LoadWindow,
    streams: Sequence[StreamNow],
    places: Sequence[Place],
) -> tuple[Decision, ...]:
    """Decide what becomes of each stream.

    Args:
        settings: The rule's numbers.
        figures: What was measured just now; the window has its load already.
        window: The loads since the last change.
        streams: How the streams stand; of those without an instance, nothing is decided.
        places: Where there is room.
    """
    streams = sorted((each for each in streams if each.count > 0), key=lambda each: each.stream)
    load = figures.load(settings.signals)
    missing = figures.missing(settings.signals)
    if load is None or missing:
        what = " and ".join(NAMES[name] for name in missing)
        return _all(streams, "missing", f"not known: {what}; what is not known neither grows nor shrinks the fleet")
    share, signal = load
    now = f"the load is {percent(share)} ({NAMES[signal]})"
    high, low = percent(settings.high), percent(settings.low)
    if share > settings.high:
        least = window.least(settings.grow_window_s)
        if least is None or least <= settings.high:
            lasted = _since(window.lasted_s(lambda load: load > settings.high))
            must = duration(settings.grow_window_s)
            return _all(streams, "rising", f"{now}, above {high} {lasted}; that must last {must}")
        for_s = f" for {duration(settings.grow_window_s)}" if settings.grow_window_s else ""
        why = f"the load was at least {percent(least)}{for_s}, above {high} ({NAMES[signal]})"
        return _grow(settings, figures, streams, places, least, why)
    if share < settings.low:
        most = window.most(settings.shrink_window_s)
        if most is None or most >= settings.low:
            lasted = _since(window.lasted_s(lambda load: load < settings.low))
            must = duration(settings.shrink_window_s)
            return _all(streams, "falling", f"{now}, below {low} {lasted}; that must last {must}")
        for_s = f" for {duration(settings.shrink_window_s)}" if settings.shrink_window_s else ""
        why = f"the load was at most {percent(most)}{for_s}, below {low} ({NAMES[signal]})"
        return _shrink(settings, figures, streams, most, why)
    return _all(streams, "steady", f"{now}, between {low} and {high}")


# -- growing ------------------------------------------------------------------------------------------------


def _grow(
    settings: AutoScaling,
    figures: Figures,
    streams: Sequence[StreamNow],
    places: Sequence[Place],
    load: float,
    why: str,
) -> tuple[Decision, ...]:
    assert figures.lag_s is not None
    if figures.lag_s > settings.lag_s:
        lag, limit = f"{1000 * figures.lag_s:.0f} ms", f"{1000 * settings.lag_s:.0f} ms"
        return _all(streams, "lag", f"{why}, but the event loop lags by {lag}, more than {limit}: more makes it worse")
    advice = advise(streams, settings)
    if "memory" in settings.signals and figures.memory is not None and figures.memory > settings.high:
        note = f"{why}, but memory is {percent(figures.memory)} in use: there is no room for more{_said(advice)}"
        return _all(streams, "memory", note, advice)
    able = [each for each in streams if not each.rolling and each.may_take() > 0]
    wanted = sum(additions(able, load * (1 + settings.tolerance) / settings.high, settings.grow_at_most).values())
    given = give(able, wanted, places, settings.grow_at_most)
    move = shift(streams, settings) if not given and able and settings.shift_counts else None
    changes = {stream: sum(at.values()) for stream, at in given.items()}
    if move is not None:
        changes = {move.give_to: 1, move.take_from: -1}
    expected = _expecting(figures, streams, changes)

    def each_of(each: StreamNow) -> Decision:
        if each.stream in given:
            at = given[each.stream]
            where = ", ".join(f"{count} more {_PLACES.get(place, f'at {place}')}" for place, count in at.items())
            note = f"{why}: {where}"
            return _change(each, changes[each.stream], "grown", note, expected, places=at)
        if move is not None and each.stream in changes:
            note = f"{why}, but there is no room: an instance moves from {move.take_from}, which earns less"
            return _change(each, changes[each.stream], "shifted", f"{note}, to {move.give_to}", expected)
        if each.rolling:
            return _hold(each, "rollout", f"{why}, but a rollout of it runs")
        if each.may_take() == 0:
            return _hold(each, "at_maximum", f"{why}, but {_maximum(each)}", advice)
        if any(place.takes == each.isolation and place.instances > 0 for place in places):
            return _hold(each, "others_first", f"{why}, but what there is to add went to streams that earn more")
        full = _full(each, places)
        return _hold(each, "no_room", f"{why}, but there is no room for more: {full}{_said(advice)}", advice)

    return tuple(map(each_of, streams))


def _full(each: StreamNow, places: Sequence[Place]) -> str:
    said = [f"{place.narrowest}" for place in places if place.takes == each.isolation]
    elsewhere = [f"{place.instances}" for place in places if place.takes != each.isolation and place.instances > 0]
    if elsewhere and each.isolation == "actor":
        said.append(f"other cores have room for {elsewhere[0]}, but only isolated by process")
    return "; ".join(said) or "no place takes it"


def _maximum(each: StreamNow) -> str:
    if each.fixed is not None:
        return f"its count is {each.count}: {each.fixed}"
    if each.scale_max is None:
        return f"it is at its maximum of {each.highest}, as configured; it has no scale_max"
    return f"it is at its maximum, scale_max {each.scale_max}"


def _said(advice: Advice | None) -> str:
    return "" if advice is None else f"; {advice.give_to} earns most with it, {advice.take_from} least"


# -- shrinking ----------------------------------------------------------------------------------------------


def _shrink(
    settings: AutoScaling, figures: Figures, streams: Sequence[StreamNow], load: float, why: str
) -> tuple[Decision, ...]:
    able = [each for each in streams if not each.rolling and each.may_give() > 0]
    surplus = removals(able, load * (1 - settings.tolerance) / settings.low, settings.shrink_at_most)
    taken = take(able, sum(surplus.values()), settings.shrink_at_most)
    expected = _expecting(figures, streams, {stream: -count for stream, count in taken.items()})

    def each_of(each: StreamNow) -> Decision:
        if each.stream in taken:
            note = f"{why}: {taken[each.stream]} fewer"
            if len(able) > 1:
                note += ", from what earns least"
            return _change(each, -taken[each.stream], "shrunk", note, expected)
        if each.rolling:
            return _hold(each, "rollout", f"{why}, but a rollout of it runs")
        if each.may_give() == 0:
            return _hold(each, "at_minimum", f"{why}, but {_minimum(each)}")
        return _hold(each, "others_first", f"{why}, but what there is to take away comes from streams that earn less")

    return tuple(map(each_of, streams))


def _minimum(each: StreamNow) -> str:
    if each.fixed is not None:
        return f"its count is {each.count}: {each.fixed}"
    if each.scale_min is None:
        return f"it is at its minimum of {each.lowest}, as configured"
    return f"it is at its minimum, scale_min {each.scale_min}"


# -- parts --------------------------------------------------------------------------------------------------


def _all(streams: Sequence[StreamNow], code: Code, reason: str, advice: Advice | None = None) -> tuple[Decision, ...]:
    return tuple(_hold(each, code, reason, advice) for each in streams)


def _hold(each: StreamNow, code: Code, reason: str, advice: Advice | None = None) -> Decision:
    return Decision(each.stream, "hold", code, reason, each.count, each.count, advice=advice)


def _change(
    each: StreamNow,
    by: int,
    code: Code,
    reason: str,
    expected: Expected,
    places: Mapping[str, int] | None = None,
) -> Decision:
    action: Action = "scale_up" if by > 0 else "scale_down"
    to = each.count + by
    return Decision(
        each.stream,
        action,
        code,
        reason,
        each.count,
        to,
        places=dict(places or {}),
        expected=Expected(to, expected.cpu, expected.memory, expected.loop),
    )


def _expecting(figures: Figures, streams: Sequence[StreamNow], changes: Mapping[str, int]) -> Expected:
    """Return the shares after all changes of a round, each instance reckoned as the average of all."""
    isolation = {each.stream: each.isolation for each in streams}
    every = sum(changes.values())
    on_loop = sum(by for stream, by in changes.items() if isolation[stream] == "actor")
    held = sum(by * bytes_each(figures, isolation[stream]) for stream, by in changes.items())
    cpu = (figures.cpu or 0.0) + every * cores_each(figures) / (figures.cores or 1.0)
    memory = (figures.memory or 0.0) + (held / figures.memory_limit_bytes if figures.memory_limit_bytes else 0.0)
    loop = (figures.loop or 0.0) + on_loop * loop_each(figures)
    return Expected(0, *(round(min(1.0, max(0.0, share)), 4) for share in (cpu, memory, loop)))


def _since(seconds: float) -> str:
    return f"for {duration(seconds)}" if seconds > 0 else "just now"


def duration(seconds: float) -> str:
    """Return a duration in the largest unit that leaves no rest worth telling."""
    return " ".join(_parts(round(seconds))) if seconds >= 10 else f"{seconds:.3g} s"


def _parts(seconds: int) -> Iterator[str]:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        yield f"{hours} h"
    if minutes:
        yield f"{minutes} min"
    if seconds and not hours:
        yield f"{seconds} s"
