"""The six files: which there are, and how each becomes settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import msgspec

from config.agent_workflows import AgentWorkflows, repeated_names
from config.cicd_automation import CicdAutomation
from config.errors import Fault, UnknownSection
from config.fleet import MULTIPLIERS, Fleet, at_rest, complete_fleet, default_fleet, fleet_faults
from config.recovery import Recovery
from config.repo_automation import RepoAutomation
from config.unified_dashboard import UnifiedDashboard
from config.validation import KnownKeys, find_faults

SectionName: TypeAlias = Literal[
    "repo_automation", "agent_workflows", "recovery", "cicd_automation", "unified_dashboard", "fleet"
]
"""What `config.get` and `config.set` call a file."""

Streams: TypeAlias = Mapping[str, float]
"""The streams of this installation, each with its multiplier."""


class Settings(msgspec.Struct, frozen=True):
    """Everything that the six files say, validated. Nothing in it may be changed in place.

    Attributes:
        repo_automation: The repository automator's.
        agent_workflows: The workflows.
        recovery: The restart budget.
        cicd_automation: The pipeline's.
        unified_dashboard: The daemon's services.
        fleet: The fleet's, and the daemon's own.
    """

    repo_automation: RepoAutomation
    agent_workflows: AgentWorkflows
    recovery: Recovery
    cicd_automation: CicdAutomation
    unified_dashboard: UnifiedDashboard
    fleet: Fleet


@dataclass(frozen=True)
class Section:
    """One file.

    Attributes:
        name: What it is called.
        type: What it becomes.
        default: Makes it where there is no file.
        complete: Adds to a valid document what the type's own defaults cannot know.
        faults: Finds what is wrong between values that are right each by itself.
        known_keys: Where free keys are restricted to what exists.
    """

    name: SectionName
    type: Any
    default: Callable[[Streams], Any]
    complete: Callable[[object, Streams], object] = lambda document, _streams: document
    faults: Callable[[Any], Iterable[Fault]] = lambda _value: ()
    known_keys: Callable[[object, Streams], KnownKeys] = lambda _document, _streams: {}

    @property
    def file_name(self) -> str:
        """The file's name inside the configuration directory."""
        return f"{self.name}_config.json"

    def convert(self, document: object, streams: Streams) -> tuple[Any, list[Fault]]:
        """Return what a parsed document becomes, or None and what is wrong with it."""
        if faults := find_faults(document, self.type, self.known_keys(document, streams)):
            return None, faults
        try:
            value = msgspec.convert(self.complete(document, streams), self.type)
        except msgspec.ValidationError as error:
            message, _, path = str(error).partition(" - at `")
            return None, [Fault(path.rstrip("`") or "$", f"a valid value ({message})", "another one")]
        if faults := list(self.faults(value)):
            return None, faults
        return value, []


SECTIONS: tuple[Section, ...] = (
    Section("repo_automation", RepoAutomation, lambda _: RepoAutomation()),
    Section("agent_workflows", AgentWorkflows, lambda _: (), faults=repeated_names),
    Section("recovery", Recovery, lambda _: Recovery()),
    Section("cicd_automation", CicdAutomation, lambda _: CicdAutomation()),
    Section(
        "unified_dashboard",
        UnifiedDashboard,
        lambda _: UnifiedDashboard(),
        faults=lambda value: repeated_names(value.workflows, "$.workflows"),
    ),
    Section(
        "fleet",
        Fleet,
        default_fleet,
        complete=complete_fleet,
        faults=fleet_faults,
        known_keys=lambda document, streams: {"$.streams": streams.keys() | MULTIPLIERS.keys() | at_rest(document)},
    ),
)
"""All of them, in the order in which they are read and told of."""

# Met at import: two threads that meet a type of msgspec's for the first time at once crash the process.
for _section in SECTIONS:
    msgspec.json.Decoder(_section.type)


def section_named(name: str) -> Section:
    """Return a section by its name, or by its file's; raises `UnknownSection`."""
    short = name.removesuffix(".json").removesuffix("_config")
    for section in SECTIONS:
        if section.name == short:
            return section
    raise UnknownSection(name, get_args(SectionName))


def default_settings(streams: Streams) -> Settings:
    """Return the settings of a first start."""
    return Settings(**{section.name: section.default(streams) for section in SECTIONS})
