from __future__ import annotations

from collections.abc import Callable

import msgspec

from orchestrator.logs.exceptions import INNER_FRAMES, MAX_CHAIN, OUTER_FRAMES, as_text, structured


def caught(fail: Callable[[], object]) -> BaseException:
    try:
        fail()
    except BaseException as failure:
        return failure
    raise AssertionError("nothing was raised")


def recurse(depth: int) -> None:
    if depth == 0:
        raise LookupError("bottom")
    recurse(depth - 1)


def test_the_middle_of_a_deep_stack_is_skipped_and_counted() -> None:
    (entry,) = structured(caught(lambda: recurse(300)))
    frames = entry["frames"]
    assert len(frames) == OUTER_FRAMES + 1 + INNER_FRAMES
    assert frames[OUTER_FRAMES] == {"skipped": 303 - OUTER_FRAMES - INNER_FRAMES}
    assert frames[-1]["name"] == "recurse"


def test_a_stack_that_fits_is_whole() -> None:
    frames = structured(caught(lambda: recurse(OUTER_FRAMES + INNER_FRAMES - 3)))[0]["frames"]
    assert len(frames) == OUTER_FRAMES + INNER_FRAMES
    assert all("skipped" not in frame for frame in frames)


def test_a_long_chain_and_a_circle_end() -> None:
    first = ValueError("0")
    last = first
    for number in range(50):
        following = ValueError(str(number))
        following.__cause__ = last
        last = following
    assert len(structured(last)) == MAX_CHAIN
    first.__cause__ = last
    last.__cause__ = first
    assert len(structured(last)) == 2


def test_context_is_told_from_cause_and_may_be_suppressed() -> None:
    def while_handling() -> None:
        try:
            recurse(0)
        except LookupError:
            raise OSError("second")  # noqa: B904 - the context is what is tested

    def suppressed() -> None:
        try:
            recurse(0)
        except LookupError:
            raise OSError("second") from None

    assert [entry["is_cause"] for entry in structured(caught(while_handling))] == [False, False]
    assert len(structured(caught(suppressed))) == 1


def test_groups_and_notes_are_kept_within_bounds() -> None:
    group = ExceptionGroup("several", [ValueError(str(number)) for number in range(20)])
    group.add_note("while stopping")
    (entry,) = structured(group)
    assert entry["exc_notes"] == ["while stopping"]
    assert len(entry["exceptions"]) == 8
    assert entry["exceptions_omitted"] == 12
    deep: Exception = ValueError("x")
    for _ in range(30):
        deep = ExceptionGroup("g", [deep])
    assert len(msgspec.json.encode(structured(deep))) < 2000


def test_people_read_it_from_the_failure_to_its_origin() -> None:
    failure = caught(lambda: recurse(1))
    failure.__cause__ = ExceptionGroup("both", [KeyError("k")])
    text = as_text(structured(failure))
    assert text.startswith("LookupError: bottom\n  at ")
    assert "because of\nExceptionGroup: both (1 sub-exception)\n    KeyError: 'k'" in text
    assert f"at {__file__}:" in text
