from __future__ import annotations

from datetime import timedelta

import pytest

from streams.api_services.product import ProductError
from tests.streams.api_services.conftest import Call


def times(answer: object) -> list[str]:
    return [time.isoformat() for time in answer.times]  # type: ignore[attr-defined]


def test_the_next_times_are_listed_and_explained(call: Call) -> None:
    answer = call("cron", expression="*/15 9-10 * * MON", after="2026-03-01T12:00:00Z", count=3)

    assert answer.valid
    assert times(answer) == [
        "2026-03-02T09:00:00+00:00",
        "2026-03-02T09:15:00+00:00",
        "2026-03-02T09:30:00+00:00",
    ]
    assert "Monday" in answer.explanation


def test_now_is_the_start_where_none_is_given(call: Call) -> None:
    assert times(call("cron", expression="0 0 * * *", count=1)) == ["2026-03-02T00:00:00+00:00"]


# Debian's cron(8): jobs in the hour that is skipped run right after it, those in the repeated hour run once.
def test_a_job_in_the_skipped_hour_runs_right_after_it(call: Call) -> None:
    answer = call("cron", expression="30 2 * * *", timezone="Europe/Berlin", after="2026-03-28T12:00:00Z", count=2)

    assert times(answer) == ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]


def test_a_job_in_the_repeated_hour_runs_once(call: Call) -> None:
    answer = call("cron", expression="30 2 * * *", timezone="Europe/Berlin", after="2026-10-24T12:00:00Z", count=2)

    assert times(answer) == ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]


def test_both_days_match_when_both_are_restricted(call: Call) -> None:
    # Friday the 13th does not exist in cron: it is Fridays, and the 13th.
    answer = call("cron", expression="0 0 13 * FRI", after="2026-04-09T00:00:00Z", count=3)

    assert times(answer) == [
        "2026-04-10T00:00:00+00:00",
        "2026-04-13T00:00:00+00:00",
        "2026-04-17T00:00:00+00:00",
    ]


def test_seconds_come_first_in_six_fields(call: Call) -> None:
    answer = call("cron", expression="*/20 * * * * *", after="2026-03-01T00:00:00Z", count=2)

    assert answer.times[1] - answer.times[0] == timedelta(seconds=20)


def test_a_rare_job_is_listed_for_a_hundred_years_at_most(call: Call) -> None:
    answer = call("cron", expression="0 0 29 2 *", count=100)

    assert len(answer.times) == 24
    assert answer.times[-1].year <= 2126


@pytest.mark.parametrize(
    "expression",
    ["* * * * 99", "61 * * * *", "0 0 30 2 *", "a b c d e", "* * * *    ", "* * * * * * *", "*/0 * * * *", "٣ * * * *"],
)
def test_an_invalid_expression_is_an_answer_with_a_reason(call: Call, expression: str) -> None:
    answer = call("cron", expression=expression)

    assert not answer.valid
    assert answer.reason
    assert answer.times == ()


def test_an_unknown_zone_is_the_customers_mistake(call: Call) -> None:
    with pytest.raises(ProductError, match="did you mean Europe/Berlin"):
        call("cron", expression="* * * * *", timezone="Europe/Belrin")
