"""Arguments that several commands take."""

from __future__ import annotations

import json
import sys
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


def complete_instances(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the ids of instances that start with what was typed; none where no daemon can be asked."""
    from config.errors import HomeError
    from orchestrator.access.client import CallTimedOut, DaemonUnreachable, RpcFailure

    target = ctx.find_object(Target) or Target()
    try:
        with target.client(_COMPLETION_TIMEOUT_S) as client:
            items = client.call("fleet.list", {"limit": 1000})["items"]
    except (HomeError, DaemonUnreachable, CallTimedOut, RpcFailure):
        return []
    return [item["id"] for item in items if item["id"].startswith(incomplete)]
