from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.api_services.product import ProductError
from streams.api_services.products.workdays import WORKDAYS_PRODUCT, WorkdaysRequest
from tests.streams.api_services.conftest import Call

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_easter_is_jumped_over(call: Call) -> None:
    # Thursday before Easter 2026: Good Friday, the weekend and Easter Monday are no working days.
    answer = call("workdays", country="DE", start="2026-04-02", days=1)

    assert answer.end == date(2026, 4, 7)
    assert answer.holidays == (date(2026, 4, 3), date(2026, 4, 6))
    assert answer.calendar_days == 5


def test_days_between_two_dates_are_counted(call: Call) -> None:
    # July 2026 in the United States: Independence Day is observed on Friday the 3rd.
    assert call("workdays", country="US", start="2026-07-01", end="2026-07-10").workdays == 6


def test_going_back_counts_down(call: Call) -> None:
    answer = call("workdays", country="DE", start="2026-04-07", days=-1)

    assert answer.end == date(2026, 4, 2)
    assert answer.workdays == -1


def test_the_weekend_is_the_countrys_own(call: Call) -> None:
    # In Saudi Arabia it is Friday and Saturday: Sunday is a working day.
    assert call("workdays", country="SA", start="2026-06-04", days=1).end == date(2026, 6, 7)


def test_the_day_itself_is_no_working_day_from_itself(call: Call) -> None:
    answer = call("workdays", country="DE", start="2026-04-07", days=0)

    assert (answer.end, answer.workdays) == (date(2026, 4, 7), 0)


@settings(deadline=None, max_examples=50)
@given(start=st.dates(date(2000, 1, 1), date(2080, 1, 1)), days=st.integers(-1000, 1000))
def test_counting_gives_back_what_was_added(start: date, days: int) -> None:
    end = WORKDAYS_PRODUCT.run(WorkdaysRequest(country="US", start=start, days=days), NOW).end

    assert WORKDAYS_PRODUCT.run(WorkdaysRequest(country="US", start=start, end=end), NOW).workdays == days


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "days"),
        ({"days": 1, "end": "2026-01-02"}, "days"),
        ({"end": "2050-01-01"}, "end"),
        ({"days": 1, "start": "1900-01-01"}, "start"),
    ],
)
def test_a_question_that_makes_no_sense_is_the_customers_mistake(
    call: Call, fields: dict[str, object], field: str
) -> None:
    with pytest.raises(ProductError) as caught:
        call("workdays", country="DE", **fields)

    assert caught.value.field == field
