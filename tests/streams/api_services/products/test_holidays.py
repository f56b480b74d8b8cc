from __future__ import annotations

from datetime import date

import pytest

from streams.api_services.product import ProductError
from tests.streams.api_services.conftest import Call


def names(answer: object) -> dict[date, str]:
    return {holiday.date: holiday.name for holiday in answer.holidays}  # type: ignore[attr-defined]


# Easter Sunday is 20 April 2025 and 5 April 2026.
@pytest.mark.parametrize(("year", "monday"), [(2025, date(2025, 4, 21)), (2026, date(2026, 4, 6))])
def test_easter_moves_with_the_year(call: Call, year: int, monday: date) -> None:
    assert names(call("holidays", country="DE", year=year))[monday] == "Easter Monday"


def test_a_state_has_more_than_its_country(call: Call) -> None:
    country, state = (names(call("holidays", country="DE", year=2026, subdivision=each)) for each in (None, "by"))

    assert country.items() < state.items()
    assert state[date(2026, 1, 6)] == "Epiphany"


def test_a_holiday_on_a_weekend_is_observed_on_a_weekday(call: Call) -> None:
    # 4 July 2026 is a Saturday (5 U.S.C. 6103).
    days = names(call("holidays", country="us", year=2026))

    assert "observed" in days[date(2026, 7, 3)]


def test_days_come_in_order_with_their_weekday(call: Call) -> None:
    days = call("holidays", country="FR").holidays

    assert [day.date for day in days] == sorted(day.date for day in days)
    assert all(day.date.year == 2026 and day.weekday == day.date.isoweekday() for day in days)


def test_an_unknown_country_or_state_is_the_customers_mistake(call: Call) -> None:
    with pytest.raises(ProductError) as caught:
        call("holidays", country="ZZ")
    assert caught.value.field == "country"

    with pytest.raises(ProductError, match="known are BB, BE") as caught:
        call("holidays", country="DE", subdivision="XX")
    assert caught.value.field == "subdivision"
