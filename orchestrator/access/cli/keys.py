"""`keys`: what customers call the instances with."""

from __future__ import annotations

import json
import shlex
from typing import Any

import click

from orchestrator.access.cli.arguments import complete_instances
from orchestrator.access.cli.commands import group, json_option, member
from orchestrator.access.cli.output import Cell, Column, print_json, print_json_lines, print_table, say
from orchestrator.access.cli.pages import decoded, every
from orchestrator.access.cli.target import Target


@group("keys")
def keys() -> None:
    """Make, list and revoke the keys of customers."""


@member(
    keys,
    "create",
    examples=[
        "automate keys create api_services-001 --label 'Ada, accounting'",
        "automate keys create api_services-001 --plan trial --quota 500 --rate 10 --credit 5.00",
        "KEY=$(automate keys create api_services-001)",
    ],
)
@click.argument("instance", shell_complete=complete_instances)
@click.option("--plan", help="One of the instance's plans; its default where none is named.")
@click.option("--quota", type=click.IntRange(min=0), help="Calls per calendar month, UTC.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Calls a second.")
@click.option("--credit", metavar="AMOUNT", help="What it may spend in all, for example 5.00.")
@click.option("--label", default="", help="What its owner calls it.")
@json_option
@click.pass_obj
def create(
    target: Target,
    instance: str,
    plan: str | None,
    quota: int | None,
    rate: float | None,
    credit: str | None,
    label: str,
    as_json: bool,
) -> None:
    """Make a key, and print it: this once, for it is kept nowhere.

    The key alone goes to standard output, and how to try it to standard error.
    """
    asked = {"instance": instance, "plan": plan, "quota": quota, "rate": rate, "credit": credit, "label": label}
    with target.client() as client:
        made = client.call("keys.create", asked)
        if as_json:
            print_json(made)
            return
        click.echo(made["key"])
        say(f"This is the only time that the key is shown. `automate keys revoke {instance} {made['id']}` ends it.")
        say("Try it:\n  " + _trial(client.call("fleet.get", {"id": instance}), made["key"]))


def _trial(view: Any, key: str) -> str:
    """Return a command line that calls the instance with the key."""
    line = ["curl", "-i", "-H", f"Authorization: Bearer {key}"]
    base = f"http://{view['host']}:{view['port']}/v1"
    call = _shortest_call(view["details"].get("products", ()))
    if call is None:
        return shlex.join([*line, f"{base}/usage"])
    product, body = call
    return shlex.join([*line, "-H", "Content-Type: application/json", "-d", body, f"{base}/{product}"])


def _shortest_call(offered: Any) -> tuple[str, str] | None:
    """Return the product with the shortest example, and that, among those that an instance sells."""
    if not offered:
        return None
    import msgspec

    from streams.api_services.products import PRODUCTS

    examples = {name: msgspec.to_builtins(PRODUCTS[name].example) for name in offered if name in PRODUCTS}
    calls = [
        (name, json.dumps({field: value for field, value in example.items() if value is not None}))
        for name, example in examples.items()
    ]
    return min(calls, key=lambda call: len(call[1]), default=None)


@member(keys, "list", examples=["automate keys list api_services-001", "automate keys list api_services-001 --json"])
@click.argument("instance", shell_complete=complete_instances)
@json_option
@click.pass_obj
def list_keys(target: Target, instance: str, as_json: bool) -> None:
    """List the keys of an instance, oldest first; those that are revoked, too."""
    with target.client() as client:
        items = every(client, "keys.list", {"instance": instance})
    if as_json:
        print_json_lines(items)
    elif not items:
        say(f"{instance} has no keys; `automate keys create {instance}` makes one")
    else:
        print_table(_COLUMNS, map(_row, decoded(items)))


_COLUMNS = (
    Column("id"),
    Column("key"),
    Column("plan"),
    Column("book"),
    Column("quota", right=True),
    Column("credit", right=True),
    Column("rate/s", right=True),
    Column("made"),
    Column("revoked"),
    Column("label", yields=True),
)


def _row(item: Any) -> list[Cell]:
    credit = None if item["credit"] is None else f"{item['credit']} {item['asset']}"
    return [
        item["id"],
        f"{item['display']}…",
        item["plan"],
        item["book"],
        item["quota"],
        credit,
        f"{item['rate_per_s']:g}",
        item["created_at"][:10],
        (item["revoked_at"] or "")[:10],
        item["label"],
    ]


@member(keys, "revoke", examples=["automate keys revoke api_services-001 key_c2e299d826ba2e84"])
@click.argument("instance", shell_complete=complete_instances)
@click.argument("key_id", metavar="ID")
@click.pass_obj
def revoke(target: Target, instance: str, key_id: str) -> None:
    """Put a key out of force, for ever."""
    target.call("keys.revoke", {"instance": instance, "id": key_id})
    say(f"{key_id} of {instance} is revoked")
