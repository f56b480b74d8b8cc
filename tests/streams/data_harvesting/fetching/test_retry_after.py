from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from streams.data_harvesting.fetching.retry_after import http_date, retry_after_s

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_seconds_are_seconds() -> None:
    assert retry_after_s(" 120 ", "", NOW) == 120


def test_a_time_is_told_by_our_clock_where_the_server_does_not_tell_its_own() -> None:
    assert retry_after_s(format_datetime(NOW + timedelta(seconds=90), usegmt=True), "", NOW) == 90


@pytest.mark.parametrize("wrong", [timedelta(hours=3), timedelta(days=-400)])
def test_a_time_is_told_by_the_servers_clock_however_wrong_that_is(wrong: timedelta) -> None:
    theirs = NOW + wrong
    until = format_datetime(theirs + timedelta(seconds=90), usegmt=True)
    assert retry_after_s(until, format_datetime(theirs, usegmt=True), NOW) == 90


def test_a_time_that_is_over_is_no_wait() -> None:
    assert retry_after_s(format_datetime(NOW - timedelta(hours=1), usegmt=True), "", NOW) == 0


@pytest.mark.parametrize("header", ["", "soon", "-5", "1.5", "9" * 40, "١٢"])
def test_what_is_neither_says_nothing(header: str) -> None:
    assert retry_after_s(header, "", NOW) is None


def test_old_forms_of_dates_are_read() -> None:
    expected = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
    assert http_date("Sun, 06 Nov 1994 08:49:37 GMT") == expected
    assert http_date("Sunday, 06-Nov-94 08:49:37 GMT") == expected
    assert http_date("Sun Nov  6 08:49:37 1994") == expected
