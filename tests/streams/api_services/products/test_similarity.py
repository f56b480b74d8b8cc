from __future__ import annotations

import pytest

from tests.streams.api_services.conftest import Call


# Winkler 1990, table 2; Levenshtein's textbook pair; a transposition.
@pytest.mark.parametrize(
    ("a", "b", "score"), [("MARTHA", "MARHTA", 0.9611), ("DIXON", "DICKSONX", 0.8133), ("DWAYNE", "DUANE", 0.84)]
)
def test_jaro_winkler_gives_the_published_scores(call: Call, a: str, b: str, score: float) -> None:
    assert call("similarity", a=a, b=b).jaro_winkler == score


def test_distances_count_edits(call: Call) -> None:
    assert call("similarity", a="kitten", b="sitting").distance == 3
    assert call("similarity", a="ca", b="ac").distance == 2
    assert call("similarity", a="ca", b="ac").damerau_distance == 1


def test_words_in_another_order_are_alike(call: Call) -> None:
    answer = call("similarity", a="Jane Smith", b="smith, jane")

    assert answer.token_sort == 1.0
    assert answer.token_set == 1.0
    assert not answer.equal


def test_case_counts_when_asked(call: Call) -> None:
    assert call("similarity", a="A", b="a").equal
    assert not call("similarity", a="A", b="a", ignore_case=False).equal


def test_empty_texts_are_equal(call: Call) -> None:
    assert call("similarity", a="", b="").equal
