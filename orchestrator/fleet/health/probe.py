"""What one look at an instance or a service found."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

SubjectKind: TypeAlias = Literal["instance", "service"]

Symptom: TypeAlias = Literal["not_ready", "restarting", "unanswered", "failed", "unsteady"]
"""What is wrong. `not_ready`: it answers, and says that it cannot earn. `restarting`: it is down, or has not become
ready since. `unanswered`: it does not handle its messages: it is frozen. `failed`: its restart budget is exhausted, or
it cannot run here at all. `unsteady`: it is well and ill by turns."""

SEVERITY: Final[tuple[Symptom, ...]] = ("not_ready", "unsteady", "restarting", "unanswered", "failed")
"""The symptoms, the worst last."""


class Subject(msgspec.Struct, frozen=True, order=True):
    """Who is looked at.

    Attributes:
        kind: An instance, or a service.
        name: The instance's id, or the service's name.
    """

    kind: SubjectKind
    name: str

    def __hash__(self) -> int:
        return hash(self.name)

    def ids(self) -> dict[str, str]:
        """Return what events call it by."""
        if self.kind == "service":
            return {"service": self.name}
        return {"instance": self.name, "stream": self.name.rpartition("-")[0]}


class Probe(msgspec.Struct, frozen=True):
    """What a look found.

    Attributes:
        symptom: What is wrong; None where it is well.
        detail: Its own word on that, or what was seen from outside.
        took_s: How long it took to answer; None where it did not, or was not asked.
    """

    symptom: Symptom | None
    detail: str = ""
    took_s: float | None = None
