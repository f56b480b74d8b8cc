"""`ledger verify` and `ledger why`: that the books are right, and how one cent came to be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from orchestrator.access.cli.books import open_books
from orchestrator.access.cli.commands import json_option, member
from orchestrator.access.cli.failures import FAILED, NO_INPUT, CommandFailed
from orchestrator.access.cli.ledger.root import ledger
from orchestrator.access.cli.output import print_fields, print_json, print_json_lines, say, visible
from orchestrator.access.cli.progress import Progress
from orchestrator.access.cli.target import Target


@member(ledger, "verify", examples=["automate ledger verify", "automate ledger verify --json | jq -r .head"])
@json_option
@click.pass_obj
def verify(target: Target, as_json: bool) -> int:
    """Recompute chain, balances and evidence; 1 is the exit status if anything is not as it was booked."""
    with Progress() as progress, open_books(target) as books:
        progress.show("verifying the ledger…")
        report = books.verify()
    if as_json:
        print_json(report)
    else:
        tell(report)
    return 0 if report["ok"] else FAILED


def tell(report: Any) -> None:
    """Print the report of a verification."""
    verdict = "the ledger is as it was booked" if report["ok"] else "the ledger is NOT as it was booked"
    click.echo(f"{verdict}: {report['transactions']:,} transactions, {report['postings']:,} postings")
    click.echo(f"head {report['head']}")
    for problem in report["problems"]:
        where = "" if problem["sequence"] is None else f"transaction {problem['sequence']}: "
        click.echo(f"  {where}{visible(problem['what'])}")
    for note in report.get("notes", ()):
        click.echo(visible(note))
    if unsaid := report["problem_count"] - len(report["problems"]):
        click.echo(f"  and {unsaid:,} more")


@member(
    ledger,
    "why",
    examples=[
        "automate ledger why tx_0123456789abcdef0123456789abcdef",
        "automate ledger why req-4711",
        "automate ledger why pb-17 --json | jq -r .proof.shown",
    ],
)
@click.argument("name", metavar="ID")
@json_option
@click.pass_obj
def why(target: Target, name: str, as_json: bool) -> int:
    """Tell the whole story of a cent: what happened, the proof, what moved, and what came before and after.

    ID is a transaction's, or what its evidence is called where it comes from, or its idempotency key.
    """
    with Progress() as progress, open_books(target) as books:
        progress.show("looking it up…")
        stories = books.why(name)
    if not stories["items"]:
        raise CommandFailed(f"nothing in the ledger is called {visible(name)!r}, and no evidence is", NO_INPUT)
    if as_json:
        print_json_lines(stories["items"])
    else:
        for number, story in enumerate(stories["items"]):
            if number:
                click.echo()
            _tell_story(story)
    if stories.get("more"):
        say("there are more with the same evidence; ask by a transaction's id")
    holds = all(_holds(story) for story in stories["items"])
    return 0 if holds else FAILED


def _holds(story: Any) -> bool:
    return bool(story["proof"]["intact"] and story["place"]["body_holds"] and story["place"]["hash_holds"])


def _tell_story(story: Any) -> None:
    entry, proof, place = story["entry"], story["proof"], story["place"]
    click.echo(click.style(f"{entry['kind']}  {_amount(entry)}", bold=True))
    print_fields(
        [
            ("id", entry["id"]),
            ("state", entry["state"]),
            ("book", entry["book"]),
            ("instance", f"{entry['instance']} ({entry['stream']})"),
            ("happened", entry["occurred_at"]),
            ("booked", entry["booked_at"]),
            ("key", visible(entry["key"])),
            *([("memo", visible(entry["memo"]))] if entry["memo"] else []),
            *([("expires", entry["expires_at"])] if entry["expires_at"] else []),
        ]
    )
    _tell_postings(entry)
    for meter, amount in story["meters"].items():
        click.echo(f"  meter {visible(meter)} +{amount}")
    click.echo(click.style("evidence", bold=True))
    verdict = "as it was booked" if proof["intact"] else click.style("NOT as it was booked", fg="red")
    print_fields(
        [
            ("  kind", proof["kind"]),
            ("  id", visible(proof["external_id"])),
            ("  sha256", f"{proof['digest']}, the artefact is {verdict}"),
            ("  artefact", f"{proof['form']}, {proof['size_bytes']:,} bytes"),
        ]
    )
    for line in _artefact(proof):
        click.echo(f"    {visible(line)}")
    click.echo(click.style("chain", bold=True))
    for what, neighbour in (("before", place["previous"]), ("after", place["following"])):
        told = "nothing" if neighbour is None else f"{neighbour['sequence']:,}  {neighbour['id']}  {neighbour['hash']}"
        if what == "after":
            holds = place["body_holds"] and place["hash_holds"]
            verdict = "follows from it and the one before" if holds else click.style("does NOT follow", fg="red")
            click.echo(f"  this    {entry['sequence']:,} of {place['last']:,}  {entry['hash']}, {verdict}")
        click.echo(f"  {what:7} {told}")
    if story["before"] or story["after"]:
        click.echo(click.style("story", bold=True))
        for chapter in [*story["before"], entry, *story["after"]]:
            click.echo(f"{'→' if chapter is entry else ' '} {_chapter(chapter)}")


def _tell_postings(entry: Any) -> None:
    amounts = [posting["amount"] for posting in entry["postings"]]
    width = max(map(len, amounts), default=0)
    for posting in entry["postings"]:
        click.echo(f"  {posting['amount']:>{width}} {posting['asset']:5} {posting['account']}")
    if not entry["postings"]:
        click.echo("  nothing moved")


def _artefact(proof: Any) -> Iterator[str]:
    shown = proof["shown"]
    if proof["form"] in {"json", "msgpack"}:
        import msgspec

        shown = msgspec.json.format(shown, indent=2)
    yield from shown.splitlines()
    if proof["cut"]:
        yield "… and so on"


def _chapter(entry: Any) -> str:
    step = entry["resolves"]
    if step is not None:
        did = f"{step['outcome']} {step['transaction']}"
        reason = step["reason"]
    elif entry["corrects"] is not None:
        did, reason = f"corrects {entry['corrects']}", entry["reason"]
    else:
        did, reason = f"booked as {entry['counts_as'] or 'pending'}", ""
    because = f": {visible(reason)}" if reason else ""
    return f"{entry['occurred_at'][:19]}  {entry['id']}  {entry['kind']}  {_amount(entry)}  {did}{because}"


def _amount(entry: Any) -> str:
    return "" if entry["amount"] is None else f"{entry['amount']} {entry['asset']}"
