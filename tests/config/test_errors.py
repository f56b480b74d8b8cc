from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import ConfigError, Fault, Problem, child_path, nearest, quoted


def test_a_problem_is_one_line_with_file_path_expectation_finding_and_nearest() -> None:
    fault = Fault("$.a", "a number", "null", nearest="b", line=3, column=7)
    assert str(Problem("/h/a.json", fault)) == (
        '/h/a.json: $.a (line 3, column 7): expected a number, found null; nearest known: "b"'
    )


def test_an_error_is_a_line_for_each_problem() -> None:
    error = ConfigError.of(Path("/h/a.json"), [Fault("$.a", "x", "y"), Fault("$.b", "x", "y")])
    assert str(error).splitlines() == [
        "/h/a.json: $.a: expected x, found y",
        "/h/a.json: $.b: expected x, found y",
    ]
    assert error.exit_code == 78


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("cuont", ["count", "multiplier"], "count"),
        ("COUNT", ["count", "multiplier"], "count"),
        ("zzz", ["count"], "count"),
        ("count", [], None),
        ("x" * 1_000_000, ["count", "xx"], "xx"),
    ],
)
def test_the_nearest_word_is_found(word: str, known: list[str], found: str | None) -> None:
    assert nearest(word, known) == found


@pytest.mark.parametrize(
    ("key", "path"),
    [("count", "$.count"), (3, "$[3]"), ("a b", '$["a b"]'), ("", '$[""]'), ('"', '$["\\""]')],
)
def test_a_path_is_written_as_json_path(key: str | int, path: str) -> None:
    assert child_path("$", key) == path


def test_a_message_holds_no_line_break_and_no_endless_text() -> None:
    assert quoted("a\nb") == '"a\\nb"'
    assert len(quoted("x" * 10_000)) < 70
    assert len(child_path("$", "x" * 10_000)) < 70
    assert quoted("\ud800").encode() == b'"\\ud800"'
