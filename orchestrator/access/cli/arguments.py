"""Arguments that several commands take."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from orchestrator.access.cli.target import Target

_COMPLETION_TIMEOUT_S = 0.5


def json_argument(text: str, name: str) -> Any:
    """Return the JSON value of an argument; `-` stands for standard input.

    Raises:
        click.BadParameter: It is no JSON.
    """
    if text == "-":
        text = sys.stdin.read()
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"it is no JSON: {error}", param_hint=f"'{name}'") from None


def named_arguments(written: Iterable[str]) -> dict[str, Any]:
    """Return arguments by name: values that are JSON as such, others as text, and of `@FILE` what is in it.

    Raises:
        click.BadParameter: One has no name, or its file cannot be read.
    """
    named: dict[str, Any] = {}
    for argument in written:
        name, equals, value = argument.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{argument!r} is not of the form NAME=VALUE", param_hint="'NAME=VALUE'")
        if value.startswith("@"):
            try:
                named[name] = Path(value[1:]).read_text("utf-8-sig")
            except (OSError, UnicodeDecodeError) as error:
                raise click.BadParameter(f"{value[1:]}: {error}", param_hint=f"'{name}'") from None
            continue
        try:
            named[name] = json.loads(value)
        except ValueError:
            named[name] = value
    return named


def complete_instances(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the ids of instances that start with what was typed; none where no daemon can be asked."""
    return _ids(ctx, "fleet.list", incomplete)


def complete_rollouts(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the ids of rollouts that start with what was typed; none where no daemon can be asked."""
    return _ids(ctx, "rollout.list", incomplete)


def _ids(ctx: click.Context, method: str, incomplete: str) -> list[str]:
    from config.errors import HomeError
    from orchestrator.access.client import CallTimedOut, DaemonUnreachable, RpcFailure

    target = ctx.find_object(Target) or Target()
    try:
        with target.client(_COMPLETION_TIMEOUT_S) as client:
            items = client.call(method, {"limit": 1000})["items"]
    except (HomeError, DaemonUnreachable, CallTimedOut, RpcFailure):
        return []
    return [item["id"] for item in items if item["id"].startswith(incomplete)]
