from __future__ import annotations

import msgspec

from actors import ActorSystem, Backoff, RestartPolicy, StopChild
from tests.actors.cast import Add, Crash, Player, Sleep, Troupe, settle


async def test_the_tree_shows_every_actor_with_its_vitals(system: ActorSystem, troupe: Troupe) -> None:
    await troupe.supervise(troupe.child("a"), troupe.child("b"))
    player = await system.spawn(Player, name="player")
    player.tell(Add(1))
    player.tell(Sleep(60))
    player.tell(Add(2))
    player.tell(Add(3))
    await settle()
    root = system.tree()
    assert (root.path, root.kind, root.condition, root.restarts_left) == ("/", "Supervisor", "running", None)
    assert [child.path for child in root.children] == ["/sup", "/player"]
    assert [child.path for child in root.children[0].children] == ["/sup/a", "/sup/b"]
    vitals = root.children[1]
    assert (vitals.kind, vitals.condition, vitals.handled, vitals.mailbox_depth) == ("Player", "running", 2, 2)
    assert (vitals.restarts, vitals.restarts_left, vitals.last_failure, vitals.dropped) == (0, 3, None, 0)
    assert vitals.busy_s > 0


async def test_a_condition_tells_restarting_from_stopped(system: ActorSystem, troupe: Troupe) -> None:
    slowly = RestartPolicy(backoff=Backoff(first_s=5, jitter=False))
    sup = await troupe.supervise(troupe.child("a", stop_s=1), troupe.child("b"), policy=slowly)
    troupe.tell("sup/a", Crash("bad"))
    await settle(2)
    await sup.ask(StopChild("b"), timeout=5)
    a, b = sup.vitals().children
    assert (a.condition, a.restarts_left, b.condition) == ("restarting", 2, "stopped")
    assert a.last_failure is not None
    assert str(a.last_failure).endswith("RuntimeError: bad while handling Crash")


async def test_vitals_can_be_encoded(system: ActorSystem, troupe: Troupe) -> None:
    await troupe.supervise(troupe.child("a"))
    troupe.tell("sup/a", Crash("bad"))
    await settle(5)
    decoded = msgspec.json.decode(msgspec.json.encode(system.tree()))
    assert decoded["children"][0]["children"][0]["last_failure"]["kind"] == "RuntimeError"
