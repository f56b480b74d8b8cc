"""Work is added, subtracted and sampled without losing or inventing any."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.fleet.rolling.sequential import Sample
from orchestrator.fleet.rolling.work import Past, Slowness, Work, since, slow, slowness, together
from streams.traffic import bucket_of

counts = st.integers(0, 50)
works = st.builds(
    Work,
    requests=counts,
    errors=counts,
    durations=st.dictionaries(st.integers(0, 9), st.integers(1, 5), max_size=4),
    booked=counts,
    rejected=counts,
)


@given(works, works)
def test_what_was_done_since_a_count_is_what_was_added_to_it(before: Work, done: Work) -> None:
    assert since(together((before, done)), before) == done


def test_one_that_counts_anew_has_done_all_that_it_counts() -> None:
    before = Work(100, 10, {5: 100}, booked=7, rejected=1)
    now = Work(3, 1, {5: 3}, booked=9, rejected=1)
    assert since(now, before) == Work(3, 1, {5: 3}, booked=2, rejected=0)


@given(st.integers(0, 30), st.integers(0, 30), st.lists(st.integers(0, 12), max_size=8), st.text(max_size=3))
def test_every_piece_of_the_past_is_drawn_once(bad: int, good: int, draws: list[int], seed: str) -> None:
    past = Past(Sample(bad, bad + good), seed)
    drawn = [past.draw(count) for count in draws]
    assert sum(each.of for each in drawn) == min(sum(draws), bad + good)
    assert all(each.bad <= each.of for each in drawn)
    rest = past.draw(bad + good)
    assert sum(each.bad for each in drawn) + rest.bad == bad


def test_slow_is_what_takes_longer_than_nine_of_ten_and_longer_than_the_concession() -> None:
    durations = {bucket_of(0.2): 95, bucket_of(2.0): 5}
    border = slowness(durations, 2.0, 0.05)
    assert border == Slowness(bucket_of(0.2), bucket_of(0.2) + 4)
    assert slow(durations, border.baseline) == Sample(5, 100)
    assert slowness(durations, 2.0, 5.0) == Slowness(bucket_of(5.0), bucket_of(5.0))
    assert slowness({}, 2.0, 0.05) is None
