"""What is kept of rollouts on disk, a file for each: they go on where they were, whatever has ended the daemon."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec
import structlog

from config.fleet import Isolation
from config.saving import write_atomically
from orchestrator.fleet.rolling.work import Work
from orchestrator.fleet.rollout import Rollout, RolloutState

Kind: TypeAlias = Literal["count", "deploy", "configure"]
"""`count`: instances are started and retired, all at once. `deploy`: instances are added in batches. `configure`:
instances get other settings."""

KEPT: Final = 50
"""Files of rollouts that have ended."""

_LAST: Final = "last"
_SUFFIX: Final = ".json"

_log = structlog.get_logger("fleet")


class Batch(msgspec.Struct, frozen=True):
    """Instances that are changed together.

    Attributes:
        count: How many.
        judged: Whether they are compared with others before the next batch; otherwise they only must be ready.
        instances: Their ids; of instances that are added, known from when the batch begins.
    """

    count: int
    judged: bool
    instances: tuple[str, ...] = ()


class RolloutFile(msgspec.Struct, frozen=True):
    """All that is needed to go on with a rollout, or to take it back.

    Attributes:
        rollout: How it goes, as it is shown.
        kind: What it does.
        settings: What the instances' settings are overlaid with.
        batches: Its batches, in their order.
        former: The complete settings that each instance had before, of those that are configured.
        isolation: Where instances that are added run; None for where the stream's configuration says.
        ends_as: What it is when the former state is back.
        past: What the present batch's instances did before they were changed, where no others are left to compare with.
        up: Instances to start, of a `count`.
        down: Instances to take down, of a `count`.
    """

    rollout: Rollout
    kind: Kind
    settings: dict[str, Any] = {}
    batches: tuple[Batch, ...] = ()
    former: dict[str, dict[str, Any]] = {}
    isolation: Isolation | None = None
    ends_as: RolloutState = "rolled_back"
    past: Work | None = None
    up: tuple[str, ...] = ()
    down: tuple[str, ...] = ()

    @property
    def batch(self) -> Batch:
        """The present batch."""
        return self.batches[self.rollout.stage - 1]

    @property
    def changed(self) -> tuple[str, ...]:
        """The instances of the present batch and of those before it."""
        return tuple(each for batch in self.batches[: self.rollout.stage] for each in batch.instances)

    def with_rollout(self, **fields: Any) -> RolloutFile:
        """Return it with some of the rollout's fields changed."""
        return msgspec.structs.replace(self, rollout=self.rollout.with_change(**fields))

    def with_batch(self, instances: Iterable[str]) -> RolloutFile:
        """Return it with the instances of the present batch."""
        batch = msgspec.structs.replace(self.batch, instances=tuple(instances))
        place = self.rollout.stage - 1
        return msgspec.structs.replace(self, batches=(*self.batches[:place], batch, *self.batches[place + 1 :]))


# Made at import: two threads that meet a type of msgspec's for the first time at once crash the process.
_DECODER: Final = msgspec.json.Decoder(RolloutFile)
_ENCODER: Final = msgspec.json.Encoder()


class Journal:
    """The directory of the files. Its methods block: they are for a thread.

    Args:
        directory: Where; made 0700 when something is kept.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def keep(self, file: RolloutFile) -> None:
        """Write what there is of a rollout, durably. Raises OSError: what was kept before stands then."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(self._file_of(file.rollout.id), _ENCODER.encode(file))

    def forget(self, rollout: str) -> None:
        """Remove a rollout's file. Raises OSError."""
        self._file_of(rollout).unlink(missing_ok=True)

    def load(self) -> list[RolloutFile]:
        """Read what there is, oldest first, and remove the oldest of those that have ended. Raises OSError.

        A file that cannot be read as one is told of in the log, and left for a person to look at.
        """
        found: list[RolloutFile] = []
        for path in sorted(self._directory.glob(f"rollout-*{_SUFFIX}"), key=lambda path: number_of(path.stem)):
            try:
                file = _DECODER.decode(path.read_bytes())
            except (OSError, msgspec.MsgspecError) as error:
                _log.error("rollout.file_broken", file=str(path), reason=str(error))
                continue
            if file.rollout.id == path.stem:
                found.append(file)
        ended = [file for file in found if file.rollout.ended_at is not None]
        for file in ended[: max(0, len(ended) - KEPT)]:
            self.forget(file.rollout.id)
            found.remove(file)
        return found

    def last_number(self) -> int:
        """Return the highest number that a rollout has had, or may have had."""
        numbers = [number_of(path.stem) for path in self._directory.glob(f"rollout-*{_SUFFIX}")]
        with suppress(FileNotFoundError, ValueError):
            numbers.append(int((self._directory / _LAST).read_text("ascii")))
        return max(numbers, default=0)

    def note_last_number(self, number: int) -> None:
        """Have no rollout get this number or a lower one, whatever comes. Raises OSError."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(self._directory / _LAST, b"%d\n" % number)

    def _file_of(self, rollout: str) -> Path:
        return self._directory / f"{rollout}{_SUFFIX}"


def id_of(number: int) -> str:
    """Return the id of the rollout of this number."""
    return f"rollout-{number:04d}"


def number_of(rollout: str) -> int:
    """Return the number of a rollout; 0 where the id is none."""
    digits = rollout.removeprefix("rollout-")
    return int(digits) if digits.isascii() and digits.isdigit() else 0
