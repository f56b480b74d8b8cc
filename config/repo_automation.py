"""`repo_automation_config.json`: what is done for a repository, and from which templates."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Template: TypeAlias = Literal["python_project", "node_project", "revenue_scripts", "agent_workflows"]
"""A kind of project that can be rendered."""


class RepoAutomation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the repository automator works.

    Attributes:
        auto_create: Make repositories that are wanted and do not exist.
        auto_initialize: Make a new repository a git repository with a first commit.
        auto_setup_ci_cd: Add the continuous integration of its template.
        templates: The templates that may be used.
    """

    auto_create: bool = True
    auto_initialize: bool = True
    auto_setup_ci_cd: bool = True
    templates: tuple[Template, ...] = (
        "python_project",
        "node_project",
        "revenue_scripts",
        "agent_workflows",
    )
