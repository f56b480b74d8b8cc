"""`agent_workflows_config.json`: the list of workflows. None by default: no script of that kind ships."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

import msgspec

from config.errors import Fault, child_path, quoted
from config.names import Line, Name

WorkflowType: TypeAlias = Literal["continuous", "scheduled", "service"]
"""Runs again and again; runs at times; runs until it is stopped."""

Priority: TypeAlias = Literal["high", "medium", "low"]
"""Which workflow goes first where not all can run."""


class Workflow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A script that the daemon runs.

    Attributes:
        name: Its name, unique in the list.
        type: How it runs.
        script: The script's file, relative to the directory of workflows.
        priority: Which goes first.
    """

    name: Name
    type: WorkflowType
    script: Line
    priority: Priority = "medium"


AgentWorkflows: TypeAlias = tuple[Workflow, ...]
"""What stands in the file."""


def repeated_names(workflows: Sequence[Workflow], path: str = "$") -> Iterator[Fault]:
    """Yield a fault for every workflow whose name another one before it has."""
    first: dict[str, int] = {}
    for index, workflow in enumerate(workflows):
        if (other := first.setdefault(workflow.name, index)) != index:
            place = child_path(child_path(path, index), "name")
            yield Fault(
                place,
                "a name that no other workflow has",
                f"{quoted(workflow.name)}, the name of {child_path(path, other)}",
            )
