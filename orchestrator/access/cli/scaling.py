"""`scaling`: what the auto-scaler sees and decides, what it has decided, and what it would have done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import click

from orchestrator.access.cli.commands import Group, home_option, json_option, member
from orchestrator.access.cli.failures import NO_INPUT, CommandFailed
from orchestrator.access.cli.output import (
    Cell,
    Column,
    Styled,
    duration,
    print_fields,
    print_json,
    print_json_lines,
    print_table,
    say,
    visible,
)
from orchestrator.access.cli.scaling_replay import COLOURS, rounds_of, simulate, trace
from orchestrator.access.cli.target import Target

_SHOWN = 20


@click.group("scaling", cls=Group, invoke_without_command=True)
@home_option
@json_option
@click.pass_context
def scaling(ctx: click.Context, as_json: bool) -> None:
    """See how the fleet scales itself; alone, the same as `scaling status`."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(status, as_json=as_json)
    elif as_json:
        raise click.UsageError(f"--json stands behind the command: automate scaling {ctx.invoked_subcommand} --json")


scaling.add_command(simulate)
scaling.add_command(trace)


@member(scaling, "status", examples=["automate scaling", "automate scaling status --json | jq .latest.figures"])
@json_option
@click.pass_obj
def status(target: Target, as_json: bool = False) -> None:
    """Show the load, what was decided of each stream last, and why."""
    told = target.call("scaling.status")
    if as_json:
        print_json(told)
        return
    settings, latest = told["settings"], told["latest"]
    if latest is None:
        click.echo(f"nothing is measured yet; the first figures come after {duration(settings['interval_s'])}")
        return
    click.echo(
        f"load: {_shares(latest['figures'])}; grows above {_percent(settings['high'])}, shrinks below"
        f" {_percent(settings['low'])}; decides every {duration(settings['interval_s'])}"
    )
    room = ", ".join(f"{place['name']} {place['instances']} ({place['narrowest']})" for place in told["places"])
    click.echo(f"room for more: {room or 'not known'}")
    click.echo(f"streams are weighed by their {told['weights_from']}")
    streams = {each["stream"]: each for each in latest["streams"]}
    rows = ((decision, streams[decision["stream"]]) for decision in latest["decisions"])
    print_table(_STATUS_COLUMNS, (_status_row(decision, stream) for decision, stream in rows))
    if latest["note"]:
        say(visible(latest["note"]))
    if told["problem"] is not None:
        say(f"rounds are not kept: {visible(told['problem'])}")


_STATUS_COLUMNS = (
    Column("stream"),
    Column("count", right=True),
    Column("bounds", right=True),
    Column("decided"),
    Column("reason", yields=True),
)


def _status_row(decision: Any, stream: Any) -> list[Cell]:
    bounds = (
        f"{stream['lowest']}" if stream["lowest"] == stream["highest"] else f"{stream['lowest']}-{stream['highest']}"
    )
    return [decision["stream"], stream["count"], bounds, _action(decision), decision["reason"]]


def _action(decision: Any) -> Styled:
    text = decision["action"].replace("_", " ")
    if decision["to"] != decision["count"]:
        text = f"{text} to {decision['to']}"
    if decision.get("refused") is not None:
        text += " (refused)"
    return Styled(text, COLOURS[decision["action"]])


def _percent(share: float | None) -> str:
    return "not known" if share is None else f"{100 * share:.3g} %"


def _shares(figures: Any) -> str:
    lag = "not known" if figures["lag_s"] is None else f"{1000 * figures['lag_s']:.0f} ms"
    return (
        f"processors {_percent(figures['cpu'])}, memory {_percent(figures['memory'])},"
        f" event loop {_percent(figures['loop'])} (lag {lag})"
    )


@member(
    scaling,
    "bounds",
    examples=[
        "automate scaling bounds api_services --min 10 --max 40",
        "automate scaling bounds api_services --none",
        "automate scaling bounds api_services",
    ],
)
@click.argument("stream")
@click.option("--min", "lowest", type=click.IntRange(0), help="Never fewer instances than these.")
@click.option("--max", "highest", type=click.IntRange(0), help="Never more than these.")
@click.option("--none", "neither", is_flag=True, help="No bounds: the count stays as it is configured.")
@json_option
@click.pass_obj
def bounds(target: Target, stream: str, lowest: int | None, highest: int | None, neither: bool, as_json: bool) -> None:
    """Show or set between which counts a stream is scaled; the same as its scale_min and scale_max."""
    if neither and (lowest is not None or highest is not None):
        raise click.UsageError("--none goes with neither --min nor --max")
    wanted = {"scale_min": lowest, "scale_max": highest}
    patch = wanted if neither else {name: value for name, value in wanted.items() if value is not None}
    with target.client() as client:
        plans = client.call("config.get", {"section": "fleet"})["streams"]
        if stream not in plans:
            raise CommandFailed(f"the fleet has no stream {stream!r}; it has {', '.join(sorted(plans))}", NO_INPUT)
        if patch:
            told = client.call("config.set", {"section": "fleet", "values": {"streams": {stream: patch}}})
            plans = told["streams"]
    plan = plans[stream]
    if as_json:
        print_json({"stream": stream, **{name: plan[name] for name in ("count", "scale_min", "scale_max", "scaled")}})
        return
    low, high = ("as configured" if plan[name] is None else str(plan[name]) for name in ("scale_min", "scale_max"))
    click.echo(f"{stream}: {plan['count']} instances; at least {low}, at most {high}")


# -- the past -----------------------------------------------------------------------------------------------


@member(
    scaling,
    "history",
    examples=[
        "automate scaling history",
        "automate scaling history --changes --stream api_services",
        "automate scaling history -n 1000 --json | jq .figures.loop",
    ],
)
@click.option("-n", "--rounds", type=click.IntRange(1), default=_SHOWN, show_default=True, help="How many rounds.")
@click.option("-c", "--changes", is_flag=True, help="Only rounds that changed a count.")
@click.option("-s", "--stream", help="Only what was decided of this stream.")
@click.option("-a", "--all", "everything", is_flag=True, help="Show decisions that repeat the one before, too.")
@json_option
@click.pass_obj
def history(target: Target, rounds: int, changes: bool, stream: str | None, everything: bool, as_json: bool) -> None:
    """Show former rounds, the newest last; with --json each is a line, the newest first."""
    found = rounds_of(target, rounds, acted=changes)
    if stream is not None:
        found = ({**each, "decisions": [d for d in each["decisions"] if d["stream"] == stream]} for each in found)
    if as_json:
        print_json_lines(found)
        return
    rows = list(_history_rows(reversed(list(found)), everything=everything))
    if rows:
        print_table(_HISTORY_COLUMNS, rows)
    else:
        say("nothing was decided yet" if not changes else "no count was changed")


_HISTORY_COLUMNS = (
    Column("round", right=True),
    Column("at (UTC)"),
    Column("stream"),
    Column("decided"),
    Column("count", right=True),
    Column("reason", yields=True),
)


def _history_rows(rounds: Iterable[Any], *, everything: bool) -> Iterator[list[Cell]]:
    former: dict[str, tuple[str, str]] = {}
    for each in rounds:
        for decision in each["decisions"]:
            name, news = decision["stream"], (decision["action"], decision["code"])
            if everything or decision["action"] != "hold" or former.get(name) != news:
                yield [each["id"], _time(each["at"]), name, _action(decision), decision["count"], decision["reason"]]
            former[name] = news


def _time(text: str) -> str:
    return text[:19].replace("T", " ")


@member(scaling, "explain", examples=["automate scaling explain api_services", "automate scaling explain 1187 --json"])
@click.argument("what", metavar="STREAM | ROUND")
@json_option
@click.pass_obj
def explain(target: Target, what: str, as_json: bool) -> None:
    """Tell all about the last decision on a stream, or about a round: figures, bounds, expectation, outcome."""
    if what.isascii() and what.isdigit():
        found = [each for each in rounds_of(target, 1, cursor=str(int(what) + 1)) if each["id"] == int(what)]
        if not found:
            raise CommandFailed(f"no round {what} is kept; `automate scaling history` shows those that are", NO_INPUT)
        (taken,), wanted = found, None
    else:
        taken, wanted = target.call("scaling.status")["latest"], what
        if taken is None or what not in {decision["stream"] for decision in taken["decisions"]}:
            raise CommandFailed(
                f"nothing was decided of {what!r} lately; `automate scaling` shows of what it was", NO_INPUT
            )
    if wanted is not None:
        for part in ("decisions", "streams"):
            taken[part] = [each for each in taken[part] if each["stream"] == wanted]
    if as_json:
        print_json(taken)
        return
    print_fields(_round_fields(taken))
    streams = {each["stream"]: each for each in taken["streams"]}
    for decision in taken["decisions"]:
        click.echo()
        print_fields(_decision_fields(decision, streams.get(decision["stream"])))


def _round_fields(taken: Any) -> Iterator[tuple[str, str]]:
    figures = taken["figures"]
    yield "round", f"{taken['id']} at {_time(taken['at'])} UTC"
    yield "measured", _shares(figures)
    if figures["cores"] is not None and figures["fleet_cores"] is not None:
        yield "of the fleet", f"{figures['fleet_cores']:.3g} of {figures['cores']:g} processors"
    if figures["other_cores"] is not None:
        yield "of others", f"{figures['other_cores']:.3g} processors"
    if figures["memory_limit_bytes"] is not None and figures["fleet_memory_bytes"] is not None:
        held, limit = figures["fleet_memory_bytes"] / 1e6, figures["memory_limit_bytes"] / 1e6
        yield "", f"{held:.0f} of {limit:.0f} MB of memory are the fleet's"
    yield "limits", f"grows above {_percent(taken['high'])}, shrinks below {_percent(taken['low'])}"
    if taken["note"]:
        yield "note", visible(taken["note"])


def _decision_fields(decision: Any, stream: Any | None) -> Iterator[tuple[str, str]]:
    yield "stream", decision["stream"]
    action = _action(decision)
    yield "decided", click.style(action.text, fg=action.style)
    yield "because", visible(decision["reason"])
    if stream is not None:
        by_hand = "" if stream["by_hand"] == stream["count"] else f", {stream['by_hand']} set by hand"
        yield "instances", f"{stream['count']}{by_hand}; between {stream['lowest']} and {stream['highest']}"
        yield "weight", f"{stream['weight']:.4g} per instance"
    if (advice := decision.get("advice")) is not None:
        yield "advice", f"{advice['give_to']} should have the room of {advice['take_from']}"
    for name in ("rollout", "refused"):
        if decision.get(name) is not None:
            yield name, visible(decision[name])
    for name in ("expected", "outcome"):
        if (shares := decision.get(name)) is not None:
            parts = ", ".join(f"{part} {_percent(shares[part])}" for part in ("cpu", "memory", "loop"))
            yield name, f"{shares['instances']} instances; {parts}"
