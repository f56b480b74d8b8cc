"""The current state: absorbing is idempotent, in one transaction, and equal to a simple model."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.data_harvesting.datasets.current import Absorbed, Current, CurrentDamaged
from streams.data_harvesting.record import Terms
from tests.streams.data_harvesting.datasets.records import PAGE, SOLD, WITHHELD, record


@contextmanager
def opened(directory: Path) -> Iterator[Current]:
    current = Current(directory / "current.sqlite3")
    current.open()
    try:
        yield current
    finally:
        current.close()


def keys(current: Current) -> list[str]:
    return [each.key for each in current.records()]


def test_what_is_new_changed_unchanged_and_gone_is_told_apart(tmp_path: Path) -> None:
    with opened(tmp_path) as current:
        assert current.absorb([record("a"), record("b"), record("c")]) == Absorbed(added=3)
        again = [record("a", "2.00", at=1), record("b", at=1)]
        assert current.absorb(again, PAGE) == Absorbed(changed=1, unchanged=1, removed=1)
        assert [(each.values["price"], each.fetched_at[-3:-1]) for each in current.records()] == [
            ("2.00", "01"),
            ("1.00", "00"),  # first seen like this
        ]


def test_absorbing_again_changes_nothing_and_is_no_news(tmp_path: Path) -> None:
    with opened(tmp_path) as current:
        current.absorb([record("a")], PAGE)
        revision = current.revision()
        assert not current.absorb([record("a", at=5)], PAGE)
        assert current.revision() == revision == (1, 0)


def test_other_terms_are_a_change(tmp_path: Path) -> None:
    with opened(tmp_path) as current:
        current.absorb([record("a", terms=SOLD)])
        assert current.absorb([record("a", terms=WITHHELD)]).changed == 1
        assert current.counts() == {"unknown_licence": 1}


def test_only_what_stood_on_the_same_page_goes_with_it(tmp_path: Path) -> None:
    with opened(tmp_path) as current:
        current.absorb([record("a"), record("b", source=PAGE + "?page=2"), record("c")])
        assert current.absorb([record("a")], PAGE, still_there=['["c"]']).removed == 0
        assert current.absorb([], PAGE).removed == 2
        assert keys(current) == ['["b"]']


def test_the_oldest_make_room(tmp_path: Path) -> None:
    with opened(tmp_path) as current:
        current.absorb([record("a", at=3), record("b", at=1), record("c", at=2)])
        assert current.trim(2) == 1
        assert keys(current) == ['["a"]', '["c"]']
        assert current.trim(2) == 0


def test_it_survives_being_closed_and_killed(tmp_path: Path) -> None:
    with opened(tmp_path) as current:
        current.absorb([record("a")])
        current.mark_published(1)
        with opened(tmp_path) as other:  # what a kill leaves is what another connection sees
            assert keys(other) == ['["a"]']
            assert other.revision() == (1, 1)
    assert (tmp_path / "current.sqlite3").stat().st_mode & 0o777 == 0o600


def test_a_failure_in_the_middle_takes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as current:
        current.absorb([record("a")])
        broken = record("b", terms=Terms(licence=None))  # type: ignore[arg-type]
        with pytest.raises(sqlite3.IntegrityError):
            current.absorb([record("a", "9.00"), broken], PAGE)
        assert [each.values["price"] for each in current.records()] == ["1.00"]


@pytest.mark.parametrize("content", [b"no database at all, but long enough to look like one" * 100])
def test_a_file_that_is_none_is_named_with_the_remedy(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "current.sqlite3").write_bytes(content)
    with pytest.raises(CurrentDamaged, match="Move it away"), opened(tmp_path):
        pass


def test_a_file_of_a_later_program_is_not_touched(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    with sqlite3.connect(tmp_path / "current.sqlite3") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(CurrentDamaged, match="version 99"), opened(tmp_path):
        pass


PAGES = st.sampled_from(["http://a.example/", "http://b.example/"])
VISITS = st.lists(
    st.tuples(PAGES, st.dictionaries(st.sampled_from("abcde"), st.sampled_from(["1.00", "2.00"])), st.booleans()),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(VISITS)
def test_whatever_pages_show_the_state_is_that_of_a_simple_model(
    visits: list[tuple[str, dict[str, str], bool]],
) -> None:
    model: dict[str, tuple[str, str]] = {}  # by id: price, and where it stood when it got it
    with TemporaryDirectory() as directory, opened(Path(directory)) as current:
        for page, shown, drops in visits:
            before = dict(model)
            absorbed = current.absorb([record(id_, price, source=page) for id_, price in shown.items()], page * drops)
            for id_, price in shown.items():
                if id_ not in model or model[id_][0] != price:
                    model[id_] = (price, page)
            if drops:
                model = {id_: known for id_, known in model.items() if known[1] != page or id_ in shown}
            assert bool(absorbed) == (model != before)
            assert {each.values["id"]: (each.values["price"], each.source) for each in current.records()} == model
