from __future__ import annotations

from enum import Enum
from typing import Any, Literal

import msgspec
import pytest

from orchestrator.access.jsonrpc import INVALID_PARAMS, Params, RpcError
from orchestrator.access.parameters import convert_params


class Plan(Enum):
    SMALL = "small"
    LARGE = "large"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rate: int = 1
    hosts: list[str] = []


class Deploy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    stream: str
    count: int = 1
    strategy: Literal["full", "staged", "canary"] = "full"
    settings: Settings | None = None
    each: list[Settings] = []
    named: dict[str, Settings] = {}
    plan: Plan = Plan.SMALL


FIELDS = "stream, count, strategy, settings, each, named, plan"


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


def error_of(params: Params, struct: type[msgspec.Struct] = Deploy) -> dict[str, Any]:
    with pytest.raises(RpcError) as raised:
        convert_params(params, struct)
    assert raised.value.code == INVALID_PARAMS
    assert isinstance(raised.value.data, dict)
    return raised.value.data


def test_parameters_are_taken_by_name_and_by_position() -> None:
    assert convert_params({"count": 2, "stream": "a"}, Deploy) == Deploy("a", 2)
    assert convert_params(["a", 2, "canary"], Deploy) == Deploy("a", 2, "canary")


@pytest.mark.parametrize("params", [None, [], {}])
def test_a_method_without_parameters_takes_none_however_they_are_written(params: Params) -> None:
    assert convert_params(params, Nothing) == Nothing()


@pytest.mark.parametrize(
    ("params", "path", "expected", "nearest"),
    [
        ({"strem": "a"}, "$.strem", f"one of {FIELDS}", "stream"),
        ({}, "$.stream", "a value: it is required", None),
        ({"stream": 1}, "$.stream", "`str`, got `int`", None),
        (["a", "2"], "$.count", "`int`, got `str`", None),
        ({"stream": "a", "strategy": "canry"}, "$.strategy", "one of canary, full, staged", "canary"),
        ({"stream": "a", "plan": "lrge"}, "$.plan", "one of small, large", "large"),
        ({"stream": "a", "settings": {"raet": 1}}, "$.settings.raet", "one of rate, hosts", "rate"),
        ({"stream": "a", "each": [{"hosts": [1]}]}, "$.each[0].hosts[0]", "`str`, got `int`", None),
        ({"stream": "a", "each": [{"host": []}]}, "$.each[0].host", "one of rate, hosts", "hosts"),
        ({"stream": "a", "named": {"x": {"rat": 1}}}, "$.named[...].rat", "one of rate, hosts", "rate"),
        ({"stream": "a", "zzzzzzzz": 1}, "$.zzzzzzzz", f"one of {FIELDS}", None),
        (["a", 1, "full", None, [], {}, "small", 8], "$[7]", f"at most 7 by position: {FIELDS}", None),
    ],
)  # fmt: skip
def test_an_error_names_the_place_what_is_expected_and_the_nearest_name(
    params: Params, path: str, expected: str, nearest: str | None
) -> None:
    wanted = {"path": path, "expected": expected}
    assert error_of(params) == (wanted if nearest is None else {**wanted, "nearest": nearest})


def test_parameters_for_a_method_that_has_none_are_refused() -> None:
    assert error_of({"x": 1}, Nothing) == {"path": "$.x", "expected": "no parameters"}
    assert error_of([1], Nothing) == {"path": "$[0]", "expected": "no parameters"}


def test_an_endless_name_is_not_compared_with_anything() -> None:
    assert "nearest" not in error_of({"stream" * 10_000: 1})
