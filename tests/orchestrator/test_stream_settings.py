"""Settings of streams are checked before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from config.errors import ConfigError
from config.fleet import Fleet, StreamPlan
from config.paths import resolve_home
from orchestrator.stream_settings import check_stream_settings
from streams.catalog import Catalog


def check(home: Path, settings: dict[str, Any], stream: str = "api_services") -> None:
    fleet = Fleet(streams={stream: StreamPlan(settings=settings)})
    check_stream_settings(resolve_home(str(home), {}), fleet, Catalog())


def test_settings_that_fit_pass(tmp_path: Path) -> None:
    check(tmp_path, {})
    check(tmp_path, {"title": "Mine", "products": {"iban": "0.01"}})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"titel": "Mine"}, ["fleet_config.json", "$.streams.api_services.settings.titel", 'nearest known: "title"']),
        ({"title": 3}, ["$.streams.api_services.settings.title"]),
        ({"products": {"ibam": "0.01"}}, ["$.streams.api_services.settings", "ibam"]),
    ],
)
def test_settings_that_do_not_are_named_with_file_and_path(
    tmp_path: Path, settings: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        check(tmp_path, settings)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_stream_that_is_not_installed_is_not_checked(tmp_path: Path) -> None:
    check(tmp_path, {"anything": 1}, "somebody_elses")
