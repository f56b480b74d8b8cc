"""What is kept of rollouts comes back as it was; what is broken is told of, and in nobody's way."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from config.rollouts import RollingOut
from orchestrator.fleet.rolling.batches import batches_to_add, batches_to_change
from orchestrator.fleet.rolling.journal import KEPT, Batch, Journal, RolloutFile, id_of
from orchestrator.fleet.rolling.work import Work
from orchestrator.fleet.rollout import Rollout
from orchestrator.fleet.rollouts import Rollouts

RULES = RollingOut(batch_count=2)


def file_of(number: int, *, ended: bool = False) -> RolloutFile:
    rollout = Rollout(
        id_of(number),
        "stall",
        "canary",
        3,
        stages=2,
        stage=2,
        phase="watching",
        state="paused",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return RolloutFile(
        rollout.ended("rolled_back", "slower") if ended else rollout,
        "configure",
        {"price": 2},
        (Batch(1, True, ("stall-001",)), Batch(2, False, ("stall-002", "stall-003"))),
        {f"stall-00{each}": {"price": 1} for each in (1, 2, 3)},
        past=Work(10, 1, {40: 9, 44: 1}),
    )


def test_a_rollout_comes_back_as_it_was(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "rollouts")
    assert (journal.load(), journal.last_number()) == ([], 0)
    journal.keep(file_of(7))
    (found,) = journal.load()
    assert found == file_of(7)
    assert found.batch.instances == ("stall-002", "stall-003")
    assert found.changed == ("stall-001", "stall-002", "stall-003")
    assert (tmp_path / "rollouts").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "rollouts" / "rollout-0007.json").stat().st_mode & 0o777 == 0o600


def test_files_that_are_none_are_left_alone_and_their_numbers_are_not_used_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.keep(file_of(3))
    (tmp_path / "rollout-0009.json").write_text('{"rollout": 1}')
    (tmp_path / "rollout-0008.json").write_bytes(msgspec.json.encode(file_of(4)))  # says it is another
    assert [file.rollout.id for file in journal.load()] == ["rollout-0003"]
    assert (tmp_path / "rollout-0009.json").exists()
    assert journal.last_number() == 9
    journal.note_last_number(20)
    assert journal.last_number() == 20
    (tmp_path / "last").write_text("none")
    assert journal.last_number() == 9


def test_the_oldest_that_have_ended_are_forgotten_and_those_that_go_on_are_not(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.keep(file_of(1))
    for number in range(2, KEPT + 5):
        journal.keep(file_of(number, ended=True))
    found = [file.rollout.id for file in journal.load()]
    assert len(found) == KEPT + 1
    assert found[0] == "rollout-0001"
    assert found[1] == id_of(5)
    assert len(journal.load()) == KEPT + 1


async def test_rollouts_of_a_former_daemon_are_listed_and_the_numbers_go_on(tmp_path: Path) -> None:
    former = Rollouts(tmp_path)
    await former.load()
    await former.reserve(5)
    await former.keep(file_of(2, ended=True))
    rollouts = Rollouts(tmp_path)
    await rollouts.load()
    assert [each.state for each in rollouts.page(9, None).items] == ["rolled_back"]
    assert rollouts.begin("stall", 1).id == "rollout-0006"
    assert next(iter(rollouts.interrupt())).id == "rollout-0006"


async def test_where_nothing_can_be_written_what_is_known_stays_as_it_was(tmp_path: Path) -> None:
    rollouts = Rollouts(tmp_path / "file" / "rollouts")
    (tmp_path / "file").write_text("no directory")
    await rollouts.load()
    await rollouts.reserve(3)
    with pytest.raises(OSError, match="rollouts"):
        await rollouts.keep(file_of(1))
    assert rollouts.get("rollout-0001") is None
    # Instances that are counted up or down do not wait for that.
    started = await rollouts.begin_kept("stall", ("stall-001",), ())
    assert rollouts.get(started.rollout.id) == started.rollout


def test_batches_hold_every_instance_once_in_the_order_given() -> None:
    instances = tuple(f"stall-{number:03d}" for number in range(1, 12))
    for strategy, sizes in (("full", [11]), ("staged", [2, 2, 2, 2, 2, 1]), ("canary", [5, 6])):
        batches = batches_to_change(strategy, instances, RULES)  # type: ignore[arg-type]
        assert [batch.count for batch in batches] == sizes
        assert tuple(each for batch in batches for each in batch.instances) == instances
        added = batches_to_add(strategy, 11, RULES)  # type: ignore[arg-type]
        assert [batch.count for batch in added] == sizes
        assert [batch.judged for batch in added] == [batch.judged for batch in batches]
    # Of a few, one stays to be compared with; one alone has only its past.
    assert [batch.count for batch in batches_to_change("canary", instances[:5], RULES)] == [4, 1]
    assert [batch.count for batch in batches_to_change("canary", instances[:1], RULES)] == [1]
    assert [batch.count for batch in batches_to_add("canary", 4, RULES)] == [4]
