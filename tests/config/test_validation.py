from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest

from config.errors import MAX_FAULTS
from config.validation import find_faults


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    size: Annotated[int, msgspec.Meta(ge=1, le=9)]
    kind: Literal["actor", "process"] = "actor"


class Outer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    flag: bool = False
    ratio: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    word: Annotated[str, msgspec.Meta(min_length=1, description="a word")] = "x"
    name: Annotated[str, msgspec.Meta(max_length=5, pattern="^[a-z]+$")] | None = None
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    named: dict[str, Inner] = msgspec.field(default_factory=dict)
    free: dict[str, Any] = msgspec.field(default_factory=dict)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"flag": True, "ratio": 2, "name": None, "inner": None},
        {"name": "abc", "inner": {"size": 9}, "many": [{"size": 1}], "named": {"x": {"size": 3}}},
        {"free": {"a": [None, 1.5, {"b": "c"}]}},
    ],
)
def test_a_right_value_has_no_fault_and_msgspec_agrees(document: object) -> None:
    assert find_faults(document, Outer, {}) == []
    msgspec.convert(document, Outer)


@pytest.mark.parametrize(
    ("document", "path", "expected", "found", "near"),
    [
        ([], "$", "an object", "the list []", None),
        (None, "$", "an object", "null", None),
        ({"flag": 1}, "$.flag", "true or false", "the number 1", None),
        ({"flag": None}, "$.flag", "true or false", "null", None),
        ({"ratio": 0}, "$.ratio", "a number of more than 0", "the number 0", None),
        ({"ratio": True}, "$.ratio", "a number of more than 0", "true", None),
        ({"name": "abcdef"}, "$.name", "text of at most 5 characters", 'the text "abcdef"', None),
        ({"name": "A"}, "$.name", "that matches ^[a-z]+$", 'the text "A"', None),
        ({"name": 1}, "$.name", "[a-z]+$, or null", "the number 1", None),
        ({"word": ""}, "$.word", "a word", 'the text ""', None),
        ({"inner": {"size": 0}}, "$.inner.size", "an integer of at least 1 and at most 9", "0", None),
        ({"inner": {"size": 1.0}}, "$.inner.size", "an integer", "the number 1.0", None),
        ({"inner": {"size": True}}, "$.inner.size", "an integer", "true", None),
        ({"inner": {}}, "$.inner.size", "an integer", "no such key", None),
        ({"many": {"size": 1}}, "$.many", "a list", 'the object {"size": 1}', None),
        ({"many": [{"size": 1}, {"size": "1"}]}, "$.many[1].size", "an integer", 'the text "1"', None),
        ({"named": {"a b": 3}}, '$.named["a b"]', "an object", "the number 3", None),
        ({"inner": {"size": 1, "kind": "proces"}}, "$.inner.kind", '"actor", "process"', "proces", "process"),
        ({"inner": {"size": 1, "sise": 1}}, "$.inner.sise", "a known key (size, kind)", '"sise"', "size"),
        ({"FLAG": True}, "$.FLAG", "a known key (flag, ratio", "the unknown key", "flag"),
    ],
)
def test_a_wrong_value_is_told_with_path_expectation_and_finding(
    document: object, path: str, expected: str, found: str, near: str | None
) -> None:
    (fault,) = find_faults(document, Outer, {})
    assert fault.path == path
    assert expected in fault.expected
    assert found in fault.found
    assert fault.nearest == near
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(document, Outer)


def test_all_faults_are_found_at_once() -> None:
    document = {"flag": 0, "many": [{"size": 10, "x": 1}], "ratio": "1"}
    assert [fault.path for fault in find_faults(document, Outer, {})] == [
        "$.flag",
        "$.many[0].size",
        "$.many[0].x",
        "$.ratio",
    ]


def test_a_map_whose_keys_are_known_takes_no_other() -> None:
    document = {"named": {"alpha": {"size": 1}, "beto": {"size": 1}}}
    (fault,) = find_faults(document, Outer, {"$.named": ["alpha", "beta"]})
    assert (fault.path, fault.nearest) == ("$.named.beto", "beta")


def test_a_flood_of_faults_is_cut_off() -> None:
    document = {f"unknown_{n}": n for n in range(50_000)}
    assert len(find_faults(document, Outer, {})) == MAX_FAULTS


def test_a_long_value_is_cut_in_the_message() -> None:
    (fault,) = find_faults({"flag": "x" * 100_000}, Outer, {})
    assert len(fault.found) < 100
