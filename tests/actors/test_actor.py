from __future__ import annotations

from typing import Any

import pytest

from actors import Actor, ActorSystem, HandlersIncomplete, Message, Request, on
from tests.actors.cast import settle


class A(Message, frozen=True):
    pass


class B(Message, frozen=True):
    pass


class C(Request[int], frozen=True):
    pass


def test_a_class_without_a_handler_that_its_type_names_is_refused() -> None:
    with pytest.raises(HandlersIncomplete, match="missing: B, C; not named: none"):

        class Incomplete(Actor[A | B | C]):
            @on(A)
            def a(self, message: A) -> None: ...


def test_a_class_with_a_handler_that_its_type_does_not_name_is_refused() -> None:
    with pytest.raises(HandlersIncomplete, match="missing: none; not named: B"):

        class Surplus(Actor[A]):
            @on(A)
            def a(self, message: A) -> None: ...

            @on(B)
            def b(self, message: B) -> None: ...


def test_a_handler_must_be_a_method() -> None:
    with pytest.raises(HandlersIncomplete, match="handles messages but is not a method"):

        class Odd(Actor[A]):
            @on(A)  # type: ignore[arg-type]
            @staticmethod
            def a(message: Any) -> None: ...


async def test_one_method_may_handle_several_messages(system: ActorSystem) -> None:
    seen: list[object] = []

    class Both(Actor[A | B]):
        @on(A)  # type: ignore[arg-type]
        @on(B)
        def both(self, message: A | B) -> None:
            seen.append(message)

    ref = await system.spawn(Both, name="both")
    ref.tell(A())
    ref.tell(B())
    await settle()
    assert seen == [A(), B()]


async def test_handlers_are_inherited_and_may_be_replaced(system: ActorSystem) -> None:
    seen: list[str] = []

    class Base(Actor[A | B]):
        @on(A)
        def a(self, message: A) -> None:
            seen.append("base a")

        @on(B)
        def b(self, message: B) -> None:
            seen.append("base b")

    class Derived(Base):
        @on(B, urgent=True)
        def b(self, message: B) -> None:
            seen.append("derived b")

    ref = await system.spawn(Derived, name="derived")
    ref.tell(A())
    ref.tell(B())
    await settle()
    assert seen == ["derived b", "base a"]


async def test_the_context_knows_path_reference_and_clock(system: ActorSystem) -> None:
    found: list[Any] = []

    class Curious(Actor[A]):
        async def on_start(self) -> None:
            found.extend([self.context.path, self.context.ref, self.context.now(), self.context.events])

        @on(A)
        def a(self, message: A) -> None: ...

    ref = await system.spawn(Curious, name="curious")
    assert found == ["/curious", ref, system.loop.time(), system.events]


async def test_a_reference_does_not_leave_its_process(system: ActorSystem) -> None:
    import pickle

    class Plain(Actor[A]):
        @on(A)
        def a(self, message: A) -> None: ...

    ref = await system.spawn(Plain, name="plain")
    with pytest.raises(TypeError, match="cannot leave its process"):
        pickle.dumps(ref)
    assert repr(ref) == "<ActorRef /plain>"
    assert ref == system._root.children["plain"].cell.ref  # type: ignore[index]
    assert len({ref, ref}) == 1
