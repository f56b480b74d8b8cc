"""The fleet of a daemon that runs: what its health monitor has found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from orchestrator.access.doctor.finding import Case, Finding, note, ok, problem

_SHOWN: Final = 10

_REMEDIES: Final = {
    "failed": "see why: `automate fleet get {name}`; it gets a fresh budget after retry_delay, or now: "
    "`automate fleet restart {name}`",
    "unanswered": "it is frozen, and restarted by itself; `automate logs -n 50` names the handler",
    "restarting": "see why: `automate fleet get {name}`, `automate logs -n 50 --instance {name}`",
    "not_ready": "it says why; `automate fleet act {name}` lists what it can be asked to do about it",
    "unsteady": "see its past: `automate health {name}`",
}


def fleet(case: Case) -> Iterator[Finding]:
    """Tell of open incidents, services that are down, and alerts that do not arrive."""
    if case.status is None:
        return
    services = case.status["services"]
    if services["up"] < services["total"]:
        yield problem("services", f"{services['up']} of {services['total']} are up", "see which: `automate tree`")
    yield from _standbys(case)
    if case.report is None:
        yield note(
            "health",
            "nobody watches the fleet",
            "set monitoring_enabled, name health_monitor among the services, and restart the daemon",
        )
        return
    incidents = case.report["incidents"]
    for incident in incidents[:_SHOWN]:
        yield _of(incident)
    if (more := case.report["open_incidents"] - _SHOWN) > 0:
        yield problem("health", f"{more} more incidents are open", "`automate health` shows them")
    if not incidents:
        yield ok("health", f"{case.report['well']} instances and services are well")
    if (reason := case.report["webhook"]["problem"]) is not None:
        yield problem("health", f"alerts do not arrive: {reason}", "see health.webhook_url in fleet_config.json")


def _standbys(case: Case) -> Iterator[Finding]:
    """Tell where there is nobody, or not everybody, to take over from an instance that fails again and again."""
    if case.settings is None:
        return
    recovery = case.settings.recovery
    wanted = recovery.backup_instances if recovery.failover_enabled else 0
    ready = case.status["instances"]["by_state"].get("standby", 0)
    if wanted and not case.settings.unified_dashboard.auto_restart:
        remedy = "set auto_restart in unified_dashboard_config.json, and restart the daemon"
        yield note("standbys", "what fails stays down, so no standby would take over", remedy)
    elif ready < wanted:
        what = f"{ready} of {wanted} standbys are ready to take over"
        remedy = "`automate fleet standbys` says why; what cools down comes back after retry_delay"
        yield note("standbys", what, remedy) if ready else problem("standbys", what, remedy)
    elif wanted:
        yield ok("standbys", f"{ready} are ready to take over from what fails")


def _of(incident: Any) -> Finding:
    name, symptom = incident["name"], incident["symptom"]
    remedy = _REMEDIES[symptom].format(name=name)
    if incident["kind"] == "service":
        remedy = "`automate logs -n 50 --level error` says why; where it stays so, restart the daemon"
    since = incident["began_at"][:19].replace("T", " ")
    return problem("health", f"{name} is {symptom} since {since} UTC: {incident['detail']}", remedy)
