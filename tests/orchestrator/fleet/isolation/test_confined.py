"""What a stream in a process of its own has, and what it has not: money, keys, files, secrets of others."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from actors import AskTimeout, Refusal
from orchestrator.fleet.instance import Examine, Pause, Perform, Resume
from orchestrator.fleet.isolation import landlock
from streams.far_sides import FarSide
from streams.metering.messages import ListKeys
from tests.orchestrator.fleet.isolation.bench import bench


async def test_it_books_for_itself_and_for_nobody_else(tmp_path: Path) -> None:
    async with bench(tmp_path) as fleet:
        liar = await fleet.start()
        outcome, transaction = await fleet.attempt(liar, "book", "rogue-001")
        assert outcome == "done"
        for what, target, words in (
            ("book", "rogue-002", "cannot book for rogue-002"),
            ("book", "api_services-001", "cannot book for api_services-001"),
            ("other_book", "rogue-001", "books in 'paper', not in 'live'"),
            ("other_key", "api_services-001", "is one of api_services-001's"),
            ("find", "api_services-001/call/1", "is one of api_services-001's"),
        ):
            fault = await fleet.attempt(liar, what, target)
            assert fault[0] == "BookingRejected", fault
            assert words in fault[1]
        tally = fleet.around.tally
        assert [tally.rejected(each) for each in ("rogue-001", "rogue-002", "api_services-001")] == [4, 0, 0]
        for what, target in (("other_meter", "api_services-001"), ("meters", ""), ("meters", "rogue-0011/")):
            fault = await fleet.attempt(liar, what, target)
            assert "is not one of rogue-001's" in fault[1], fault
        assert await fleet.attempt(liar, "meters", "rogue-001/") == ["done", {}]
        assert [entry.id for entry in await fleet.ledger.entries()] == [transaction]
        refused = [said for name, said in fleet.events if name == "instance.refused"]
        assert {said["instance"] for said in refused} == {"rogue-001"}
        assert len(refused) == 7 + 1


async def test_failures_of_the_ledger_reach_it_as_what_they_are(tmp_path: Path) -> None:
    async with bench(tmp_path) as fleet:
        honest = await fleet.start()
        fleet.ledger.faults.fault = "unavailable"
        assert await fleet.attempt(honest, "book", "rogue-001") == [
            "LedgerUnavailable",
            "the ledger cannot book now: the disk is full",
        ]
        fleet.ledger.faults.clear()
        assert (await fleet.attempt(honest, "book", "rogue-001"))[0] == "done"


async def test_it_has_its_own_environment_and_files_and_only_the_secrets_that_it_names(tmp_path: Path) -> None:
    os.environ["AUTOMATE_TEST_MARK"] = "of the daemon"
    (tmp_path / "outside").write_text("of the daemon")
    try:
        async with bench(tmp_path) as fleet:
            confined = await fleet.start(secret="OWN_SECRET")
            seen = (await confined.ask(Examine(), 5)).details
            assert "AUTOMATE_TEST_MARK" not in seen["environment"]
            assert seen["descriptors"] == []
            assert seen["process"]["pid"] != os.getpid()
            assert await fleet.attempt(confined, "secret", "OWN_SECRET") == ["done", "of mine"]
            assert await fleet.attempt(confined, "secret", "OTHER_SECRET") == ["done", None]
            assert await fleet.attempt(confined, "write", "own") == ["done", 8]
            assert (tmp_path / "instances" / "rogue-001" / "own").read_text() == "was here"
            assert (await fleet.attempt(confined, "limits"))[0] in ("ValueError", "PermissionError")
            assert await fleet.attempt(confined, "program") == ["done", "42"]
            # The control socket admits the daemon's own user: that is not for a child to use.
            assert await fleet.attempt(confined, "connect", str(tmp_path / "control.sock")) == [
                "PermissionError",
                "[Errno 1] Operation not permitted",
            ]
            if landlock.version() == 0:
                pytest.skip("this kernel has no Landlock")
            assert (await fleet.attempt(confined, "read", str(tmp_path / "outside")))[0] == "PermissionError"
            assert (await fleet.attempt(confined, "read", str(tmp_path / "ledger.sqlite3")))[0] == "PermissionError"
            assert (await fleet.attempt(confined, "write", str(tmp_path / "outside")))[0] == "PermissionError"
            if landlock.version() >= 6:
                assert (await fleet.attempt(confined, "signal", str(os.getpid())))[0] == "PermissionError"
    finally:
        del os.environ["AUTOMATE_TEST_MARK"]


async def test_messages_and_refusals_cross_and_the_far_sides_follow(tmp_path: Path) -> None:
    async with bench(tmp_path) as fleet:
        fleet.far_sides.add(FarSide("venue.one", "http://127.0.0.1:1"))
        instance = await fleet.start()
        await instance.ask(Pause(), 5)
        assert (await instance.ask(Examine(), 5)).paused
        await instance.ask(Resume(), 5)
        with pytest.raises(Refusal, match="does not sell by key"):
            await instance.ask(ListKeys(), 5)
        with pytest.raises(Refusal, match="has no action 'fly'; it has try") as refused:
            await instance.ask(Perform("fly", {}), 5)
        assert refused.value.rpc_code == -32001  # type: ignore[attr-defined]
        with pytest.raises(AskTimeout):
            await instance.ask(Perform("try", {"what": "pending"}), 0.2)
        assert await fleet.attempt(instance, "far_side", "venue.one") == ["done", "http://127.0.0.1:1"]
        fleet.far_sides.remove("venue.one")
        fleet.far_sides.add(FarSide("venue.two", "http://127.0.0.1:2"))
        async with asyncio.timeout(5):
            while await fleet.attempt(instance, "far_side", "venue.two") != ["done", "http://127.0.0.1:2"]:
                await asyncio.sleep(0.05)
        assert await fleet.attempt(instance, "far_side", "venue.one") == ["done", None]
        assert instance.vitals().restarts == 0


async def test_its_log_and_its_output_are_told_as_its_own(tmp_path: Path) -> None:
    async with bench(tmp_path) as fleet:
        instance = await fleet.start()
        await fleet.attempt(instance, "print", "hear me")
        async with asyncio.timeout(5):
            while fleet.lines("rogue-001") < 2:
                await asyncio.sleep(0.02)
        told = {line["event"]: line for line in fleet.said if line.get("instance") == "rogue-001"}
        assert told["instance.output"]["line"] == "hear me"
        assert told["instance.output"]["source"] == "stdout"
        assert told["rogue.said"]["text"] == "hear me"
        assert told["rogue.said"]["actor"] == "/instances/rogue-001"
