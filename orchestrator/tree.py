"""The supervision tree, on one page: what runs, in which order it starts, and what depends on what.

/                       one for one; too many failures here end the daemon, and systemd starts it again
├── ledger              first to start and last to stop: nothing earns without it
├── commons             what several instances share: a venue's client, a crawler's connections
├── far_sides           the paper world's servers, in mode `sandbox`: venues, sites, networks
│   └── venue.kraken …
├── standbys            warm spares, which take over from instances whose restart budget is exhausted
│   └── standby-001 …
├── failover            keeps the standbys ready, and has them take over
├── instances           every instance, each with a restart budget of its own
│   └── api_services-001 …
├── deployment_manager  decides which instances there are
├── visitors            the paper world's customers, readers and shoppers
│   └── api_services-001 …
├── sandbox             gives every instance its visitors
├── revenue_dashboard   reports of what was earned, on schedule and on demand
├── health_monitor      looks at everything above and below, and tells people what is wrong
├── profit_maximizer    divides what instances share by what they earn
├── auto_scaler         grows and shrinks streams within the bounds that they were given
├── gateway             the control socket's methods over HTTP, with events, metrics and pages
├── control             the control socket: who is answered there finds everything else
└── pulse               feeds systemd's watchdog
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec

from actors import ActorContext, ActorRef, ActorSystem, Backoff, RestartPolicy, Supervisor
from config.auto_scaling import SetBy
from config.fleet import StreamPlan, plan_patch
from config.paths import Paths
from config.recovery import Recovery
from config.secrets import EnvFile
from config.sections import Settings
from orchestrator.access.control import Control
from orchestrator.access.dispatch import Methods
from orchestrator.access.gateway.gateway import Gateway, GatewaySetup
from orchestrator.access.gateway.login_limit import LoginLimit
from orchestrator.access.gateway.metrics.snapshot import Sources
from orchestrator.access.gateway.sessions import Sessions
from orchestrator.access.gateway.whereabouts import Whereabouts
from orchestrator.access.methods.configuration import register_config
from orchestrator.access.methods.fleet import register_fleet
from orchestrator.access.methods.health import register_health
from orchestrator.access.methods.keys import register_keys
from orchestrator.access.methods.ledger import register_ledger
from orchestrator.access.methods.profit import register_profit
from orchestrator.access.methods.revenue import register_revenue
from orchestrator.access.methods.sandbox import register_sandbox
from orchestrator.access.methods.scaling import register_scaling
from orchestrator.access.methods.standbys import register_standbys
from orchestrator.access.methods.system import DaemonState, SystemMethods, register_system
from orchestrator.access.methods.vitals import register_vitals
from orchestrator.access.methods.watching import register_watching
from orchestrator.booked import BookingNews
from orchestrator.earned import earned_by_stream
from orchestrator.events import EventBus
from orchestrator.fleet.checkpoints import Checkpoints
from orchestrator.fleet.deployment_manager import DeploymentManager
from orchestrator.fleet.failover.failover import Failover, FillPool, Means
from orchestrator.fleet.failover.pool import Pool
from orchestrator.fleet.failover.standby import Provisions, Standby
from orchestrator.fleet.failover.trips import Trips
from orchestrator.fleet.health.history import History
from orchestrator.fleet.health.watch import Watch
from orchestrator.fleet.health.webhook import Courier, target_of
from orchestrator.fleet.health_monitor import HealthMonitor
from orchestrator.fleet.instance import Surroundings
from orchestrator.fleet.neighbours import Directory
from orchestrator.fleet.paper_worlds import PaperWorlds
from orchestrator.fleet.rollouts import Rollouts
from orchestrator.fleet.roster import Roster
from orchestrator.fleet.sandbox import Sandbox
from orchestrator.fleet.scaling.auto_scaler import AutoScaler
from orchestrator.fleet.scaling.history import Rounds
from orchestrator.fleet.scaling.measure import Meter
from orchestrator.fleet.scaling.room import ThisMachine
from orchestrator.http_client import HttpClient
from orchestrator.logs import Line
from orchestrator.money.dashboard.composition import Wishes
from orchestrator.money.dashboard.revenue_dashboard import RevenueDashboard, Schedule
from orchestrator.money.ledger import Ledger
from orchestrator.money.profit.history import History as ProfitHistory
from orchestrator.money.profit.profit_maximizer import ProfitMaximizer
from orchestrator.money.profit.tenure import Tenure
from orchestrator.notify import Notifier
from orchestrator.pulse import Pulse
from orchestrator.services import Services
from streams.booking import Book, Receipt
from streams.booking_tally import BookingTally
from streams.catalog import Catalog
from streams.commons import Commons
from streams.far_sides import FarSides
from streams.sandbox.world import Ground


class Daemon(msgspec.Struct, frozen=True):
    """What the tree needs of the daemon around it.

    Attributes:
        paths: Where everything is.
        settings: Reads the configuration in force.
        change: Changes a section of it.
        reload: Rereads it.
        secrets: What `.env` says.
        catalog: The streams.
        events: Where everything is told.
        http: The shared HTTP client.
        notifier: The way to systemd.
        state: Reads what the daemon is doing.
        shut_down: Asks it to drain and exit, and says who did.
        began: When it started, `time.monotonic`.
        counts: Counts of instances for this run only.
        log: Takes a line that is ready for the log.
        on_booked: Called after each commit, besides the news.
    """

    paths: Paths
    settings: Callable[[], Settings]
    change: Callable[[str, Any], Awaitable[Settings]]
    reload: Callable[[], Awaitable[None]]
    secrets: EnvFile
    catalog: Catalog
    events: EventBus
    http: HttpClient
    notifier: Notifier
    state: Callable[[], DaemonState]
    shut_down: Callable[[str], object]
    began: float
    log: Callable[[Line], object]
    counts: dict[str, int] | None = None
    on_booked: Callable[[tuple[tuple[Book, Receipt], ...]], object] | None = None


class Tree(msgspec.Struct, frozen=True):
    """The references that others need."""

    ledger: ActorRef[Any]
    fleet: ActorRef[Any]


async def grow(system: ActorSystem, daemon: Daemon) -> Tree:
    """Start everything, in order; each is ready before the next one starts.

    Raises:
        StartFailed: Something could not start; its cause says what.
    """
    settings, paths, events = daemon.settings(), daemon.paths, daemon.events
    fleet_settings = settings.fleet
    news, tally = BookingNews(events, daemon.log), BookingTally()

    def booked(group: tuple[tuple[Book, Receipt], ...]) -> None:
        news(group)
        tally.note_booked(group)
        if daemon.on_booked is not None:
            daemon.on_booked(group)

    await daemon.http.prepare()
    services = Services(system)
    ledger = await services.start(
        lambda: Ledger(paths.ledger, paths.instances, booked, on_rejected=tally.note_rejected), "ledger"
    )
    lenient = RestartPolicy(when_exhausted="delay", per_child=True)
    commons = await services.start_supervisor(lambda: Supervisor(policy=lenient, ordered=False), "commons")
    far_sides, directory = FarSides(), Directory()
    worlds: PaperWorlds | None = None
    if fleet_settings.mode == "sandbox":
        # Where the far side is down, whoever needs it is, too: it is tried again soon.
        patient = msgspec.structs.replace(lenient, cooldown_s=5.0)
        servers = await services.start_supervisor(lambda: Supervisor(policy=patient, ordered=False), "far_sides")

        def ground(place: Path) -> Ground:
            return Ground(
                directory=place,
                host=fleet_settings.host,
                seed=fleet_settings.seed,
                visits_per_minute=fleet_settings.sandbox_calls_per_minute,
                http=daemon.http.session,
                now=lambda: datetime.now(UTC),
                monotonic=monotonic,
                far_sides=far_sides,
            )

        worlds = PaperWorlds(servers, paths.state / "sandbox", fleet_settings.port_base, ground)
    around = Surroundings(
        instances=paths.instances,
        checkpoints=Checkpoints(paths.checkpoints),
        host=fleet_settings.host,
        book="paper" if fleet_settings.mode == "sandbox" else "live",
        ledger=ledger,
        events=events,
        http=daemon.http.session,
        secret=daemon.secrets.reveal,
        commons=Commons(commons),
        far_sides=far_sides,
        directory=directory,
        tally=tally,
    )
    restarts = instance_policy(settings.recovery, auto_restart=settings.unified_dashboard.auto_restart)
    roster, rollouts = Roster(paths.instances), Rollouts(paths.state / "rollouts")

    failover: ActorRef[Any] | None = None
    pool = Pool(settings.recovery.backup_instances)
    if restarts.when_exhausted == "failover":
        standbys = await services.start_supervisor(lambda: Supervisor(policy=lenient, ordered=False), "standbys")
        provisions = Provisions(around, roster, daemon.catalog, worlds)
        means = Means(
            rules=settings.recovery,
            roster=roster,
            pool=pool,
            trips=Trips(settings.recovery.retry_window),
            instances=lambda: instances,
            standbys=standbys,
            make=partial(Standby, provisions),
            events=events,
        )
        failover = await services.start(lambda: Failover(means), "failover")
    instances = await services.start_supervisor(
        lambda: Supervisor(policy=restarts, failover=failover, ordered=False), "instances"
    )

    async def keep_count(stream: str, count: int, by: SetBy) -> None:
        plan = daemon.settings().fleet.streams.get(stream)
        await daemon.change("fleet", {"streams": {stream: plan_patch(plan, count, by)}})

    async def keep_settings(stream: str, later: Mapping[str, Any]) -> None:
        await daemon.change("fleet", {"streams": {stream: {"settings": later}}})

    def deployment_manager() -> DeploymentManager:
        return DeploymentManager(
            catalog=daemon.catalog,
            fleet=lambda: daemon.settings().fleet,
            keep_count=keep_count,
            instances=instances,
            around=around,
            events=events,
            counts=daemon.counts,
            roster=roster,
            rollouts=rollouts,
            worlds=worlds,
            keep_settings=keep_settings,
            standbys=pool if failover is not None else None,
        )

    fleet = directory.manager = await services.start(deployment_manager, "deployment_manager")

    def sandbox(worlds: PaperWorlds, visitors: ActorRef[Any]) -> Sandbox:
        return Sandbox(
            fleet=fleet,
            instances=instances,
            visitors=visitors,
            events=events,
            worlds=worlds,
            far_sides=far_sides,
            told=paths.run / "sandbox.json",
            sends_visitors=fleet_settings.sandbox_calls_per_minute > 0,
        )

    paper_world: ActorRef[Any] | None = None
    if worlds is not None:
        visitors = await services.start_supervisor(lambda: Supervisor(policy=lenient, ordered=False), "visitors")
        paper_world = await services.start(partial(sandbox, worlds, visitors), "sandbox")

    def report_schedule() -> Schedule:
        wanted = daemon.settings().fleet.report
        return Schedule(Wishes(around.book, wanted.asset, wanted.daily_target), wanted.interval_s)

    revenue: ActorRef[Any] | None = None
    dashboard = settings.unified_dashboard
    if dashboard.revenue_tracking and "revenue_dashboard" in dashboard.services:
        revenue = await services.start(
            lambda: RevenueDashboard(paths.ledger, paths.reports, fleet, report_schedule), "revenue_dashboard"
        )

    health: ActorRef[Any] | None = None
    if dashboard.monitoring_enabled and "health_monitor" in dashboard.services:
        courier = Courier(
            lambda: target_of(daemon.settings().fleet.health, daemon.secrets.reveal),
            daemon.http.session,
            lambda: datetime.now(UTC),
            monotonic,
        )
        watch, history = Watch(), History(paths.state / "health.sqlite3")
        health = await services.start(
            lambda: HealthMonitor(
                settings=lambda: daemon.settings().fleet.health,
                fleet=fleet,
                instances=instances,
                services=lambda: services.refs() | pool.refs(),
                events=events,
                watch=watch,
                history=history,
                courier=courier,
            ),
            "health_monitor",
        )

    maximizer: ActorRef[Any] | None = None
    if "profit_maximizer" in dashboard.services:
        decisions, tenure = ProfitHistory(paths.state / "profit.sqlite3"), Tenure(around.shares)
        maximizer = await services.start(
            lambda: ProfitMaximizer(
                settings=lambda: daemon.settings().fleet.profit,
                multipliers=lambda: {
                    stream: plan.multiplier for stream, plan in daemon.settings().fleet.streams.items()
                },
                book=around.book,
                asset=lambda: daemon.settings().fleet.report.asset,
                ledger=paths.ledger,
                fleet=fleet,
                events=events,
                history=decisions,
                tenure=tenure,
            ),
            "profit_maximizer",
        )

    scaler: ActorRef[Any] | None = None
    if "auto_scaling" in dashboard.services:
        rounds = Rounds(paths.state / "scaling.sqlite3")

        def plans() -> dict[str, StreamPlan]:
            planned = daemon.settings().fleet.streams
            if daemon.counts is None:
                return planned
            return {
                stream: msgspec.structs.replace(planned.get(stream, StreamPlan()), count=count)
                for stream, count in daemon.counts.items()
            }

        scaler = await services.start(
            lambda: AutoScaler(
                settings=lambda: daemon.settings().fleet.scaling,
                plans=plans,
                fixed=None if daemon.counts is None else "this run was started with counts of its own",
                fleet=fleet,
                earned=lambda: earned_by_stream(ledger, around.book, daemon.settings().fleet.report.asset),
                events=events,
                meter=Meter(),
                room=ThisMachine(),
                rounds=rounds,
            ),
            "auto_scaler",
        )

    whereabouts = Whereabouts()

    def register(methods: Methods, owner: ActorContext[Any]) -> None:
        register_system(
            methods,
            SystemMethods(
                system=system,
                services=services.count,
                fleet=fleet,
                ledger=ledger,
                state=daemon.state,
                mode=fleet_settings.mode,
                began=daemon.began,
                home=str(paths.home),
                log_file=str(paths.log_file),
                shut_down=daemon.shut_down,
                reload=daemon.reload,
                gateway=lambda: whereabouts.view,
            ),
        )
        register_fleet(methods, fleet)
        register_standbys(methods, failover)
        register_sandbox(methods, paper_world)
        register_keys(methods, fleet)
        register_ledger(methods, ledger)
        register_revenue(methods, revenue)
        register_health(methods, health)
        register_profit(methods, maximizer)
        register_scaling(methods, scaler)
        register_config(methods, daemon.settings, daemon.change)
        register_vitals(methods, services.look, paths.home)
        register_watching(methods, events, paths.log_file, owner)

    def control() -> Control:
        return Control(
            paths.control_socket,
            fleet_settings.control_group,
            lambda methods, control: register(methods, control.context),
        )

    if fleet_settings.gateway_enabled:
        setup = GatewaySetup(
            host=fleet_settings.gateway_host,
            port=fleet_settings.gateway_port or fleet_settings.port_base,
            names=(fleet_settings.gateway_host, *fleet_settings.gateway_names),
            secrets=paths.secrets,
            register=register,
            events=events,
            sources=Sources(services.look, fleet, ledger, paths.home, daemon.began, fleet_settings.mode),
            count=services.count,
            state=daemon.state,
            sessions=Sessions(monotonic),
            limit=LoginLimit(monotonic),
            whereabouts=whereabouts,
        )
        await services.start(lambda: Gateway(setup), "gateway")
    # Who is answered finds everything else there.
    await services.start(control, "control")
    await services.start(lambda: Pulse(system.root, daemon.notifier), "pulse")
    if failover is not None:
        failover.tell(FillPool())  # last: the fleet comes first
    return Tree(ledger, fleet)


def instance_policy(recovery: Recovery, *, auto_restart: bool) -> RestartPolicy:
    """Return how instances are restarted: `recovery_config.json`, unless restarts are off altogether."""
    if not auto_restart:
        return RestartPolicy(max_restarts=0, window_s=recovery.retry_window, when_exhausted="stop", per_child=True)
    takes_over = recovery.failover_enabled and recovery.backup_instances > 0
    return RestartPolicy(
        max_restarts=recovery.max_retries,
        window_s=recovery.retry_window,
        backoff=Backoff(first_s=0.25, cap_s=10.0, reset_after_s=recovery.retry_window),
        when_exhausted="failover" if takes_over else "delay",
        cooldown_s=recovery.retry_delay,
        per_child=True,
    )
