"""`cicd_automation_config.json`: what the pipeline does by itself, and what must hold before it goes on."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

QualityGate: TypeAlias = Literal["tests_pass", "coverage_threshold", "no_security_issues"]
"""A condition that a build must meet."""


class CicdAutomation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the pipeline works.

    Attributes:
        auto_test: Test a repository when it changes.
        auto_deploy: Deploy what has passed all gates.
        auto_rollback: Go back to the version before when validation fails.
        quality_gates: The gates that a build must pass.
    """

    auto_test: bool = True
    auto_deploy: bool = True
    auto_rollback: bool = True
    quality_gates: tuple[QualityGate, ...] = ("tests_pass", "coverage_threshold", "no_security_issues")
