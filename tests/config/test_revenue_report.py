from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from config.errors import ConfigError
from config.store import ConfigStore

Drop = Callable[..., Path]


def test_what_reports_say_is_part_of_the_fleets_file(store: ConfigStore, drop: Drop) -> None:
    drop("fleet", {"report": {"asset": "EUR", "daily_target": "12.50"}})
    report = store.load().fleet.report
    assert (report.asset, report.daily_target, report.interval_s) == ("EUR", "12.50", 300)


@pytest.mark.parametrize(
    ("report", "path"),
    [
        ({"daily_target": 12.5}, "$.report.daily_target"),
        ({"daily_target": "-3"}, "$.report.daily_target"),
        ({"daily_target": "1e3"}, "$.report.daily_target"),
        ({"daily_target": "12.5\n"}, "$.report.daily_target"),
        ({"asset": "usd"}, "$.report.asset"),
        ({"interval_s": 1}, "$.report.interval_s"),
        ({"every": 60}, "every"),
    ],
)
def test_what_is_no_amount_asset_or_interval_is_refused_by_its_place(
    store: ConfigStore, drop: Drop, report: dict[str, object], path: str
) -> None:
    drop("fleet", {"report": report})
    with pytest.raises(ConfigError) as refused:
        store.load()
    assert path in str(refused.value)
