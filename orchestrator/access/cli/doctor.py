"""`doctor`: what is wrong here, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrator.access.cli.commands import command, json_option
from orchestrator.access.cli.failures import FAILED
from orchestrator.access.cli.output import print_json, visible
from orchestrator.access.cli.progress import Progress
from orchestrator.access.cli.target import Target

if TYPE_CHECKING:
    from orchestrator.access.doctor.finding import Case, Finding

_MARKS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "problem": ("PROBLEM", "red")}
_ASK_S = 10.0


@command("doctor", examples=["automate doctor", "automate doctor --verify", "automate doctor --json"])
@click.option("--verify", is_flag=True, help="Verify the whole ledger, however long that takes.")
@json_option
@click.pass_obj
def doctor(target: Target, verify: bool, as_json: bool) -> int:
    """Look for what is wrong with the daemon, its home and its machine, and say what to do.

    Works whether the daemon runs or not, and changes nothing. 1 is the exit status if there is a problem.
    """
    from orchestrator.access.doctor.examination import examine
    from orchestrator.access.doctor.finding import Case

    case = Case(target.paths(), verifies=verify)
    _ask_daemon(target, case)
    findings: list[Finding] = []
    with Progress() as progress:
        progress.show("looking…")
        findings.extend(examine(case))
    problems = sum(finding.level == "problem" for finding in findings)
    if as_json:
        print_json({"ok": not problems, "problems": problems, "home": str(case.paths.home), "findings": findings})
    else:
        _show(findings, problems)
    return FAILED if problems else 0


def _ask_daemon(target: Target, case: Case) -> None:
    from orchestrator.access.client import CallTimedOut, DaemonUnreachable, RpcFailure

    try:
        client = target.reach(_ASK_S, case.paths)
        if client is None:
            return
        with client:
            case.status = client.call("system.status")
            case.report = client.call("health.report", {"limit": 1})
    except (DaemonUnreachable, CallTimedOut) as error:
        case.unreachable = str(error)
    except RpcFailure as failure:
        if case.status is None:
            case.unreachable = failure.message


def _show(findings: list[Finding], problems: int) -> None:
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        word, colour = _MARKS[finding.level]
        click.echo(f"{click.style(f'{word:7}', fg=colour)}  {finding.check:{width}}  {visible(finding.what)}")
        if finding.remedy:
            click.echo(f"{'':7}  {'':{width}}  → {finding.remedy}")
    click.echo()
    click.echo(f"{problems} problems" if problems != 1 else "1 problem")
