from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.api_services.product import ProductError
from streams.api_services.products.diff import DIFF_PRODUCT, DiffRequest, DiffResponse
from tests.streams.api_services.conftest import Call

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@\n")

few_lines = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "\n", "d d\n"]), max_size=12).map("".join)
texts = st.tuples(few_lines, st.sampled_from(["", "a", "end"])).map("".join)


def diffed(before: str, after: str, context: int = 3) -> DiffResponse:
    return DIFF_PRODUCT.run(DiffRequest(before=before, after=after, context=context), NOW)


def patched(before: str, diff: str) -> str:
    """Apply a unified diff by its definition, checking every line that it claims to find."""
    source = re.findall(r"[^\n]*\n|[^\n]+", before)
    lines = re.findall(r"[^\n]*\n", diff)[2:]
    result: list[str] = []
    at = 0
    for number, line in enumerate(lines):
        if hunk := HUNK.match(line):
            start = int(hunk[1]) if hunk[2] == "0" else int(hunk[1]) - 1
            result += source[at:start]
            at = start
            continue
        if line.startswith("\\"):
            continue
        unfinished = number + 1 < len(lines) and lines[number + 1].startswith("\\")
        text = line[1:-1] if unfinished else line[1:]
        if line[0] in " -":
            assert source[at] == text
            at += 1
        if line[0] in " +":
            result.append(text)
    return "".join(result + source[at:])


@settings(deadline=None, max_examples=50)
@given(before=texts, after=texts, context=st.integers(0, 4))
def test_the_diff_turns_the_one_into_the_other(before: str, after: str, context: int) -> None:
    answer = diffed(before, after, context)

    assert patched(before, answer.diff) == after
    assert answer.equal == (before == after) == (answer.diff == "")
    lines = answer.diff.splitlines()[2:]
    assert answer.added == sum(line.startswith("+") for line in lines)
    assert answer.removed == sum(line.startswith("-") for line in lines)


@pytest.mark.skipif(shutil.which("patch") is None, reason="patch is not installed")
def test_the_program_patch_accepts_it(tmp_path: Path) -> None:
    before = "".join(f"line {number}\n" for number in range(40))
    after = before.replace("line 7\n", "").replace("line 20\n", "twenty\nand more\n") + "no newline"
    (tmp_path / "text").write_text(before)

    subprocess.run(["patch", "text"], input=diffed(before, after).diff, text=True, check=True, cwd=tmp_path)

    assert (tmp_path / "text").read_text() == after


def test_a_change_shows_what_goes_before_what_comes() -> None:
    assert diffed("a\nb\nc\n", "a\nx\nc\n").diff == "--- before\n+++ after\n@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"


def test_a_missing_last_newline_is_marked() -> None:
    assert diffed("a", "a\n").diff.endswith("-a\n\\ No newline at end of file\n+a\n")


def test_too_many_lines_are_refused(call: Call) -> None:
    with pytest.raises(ProductError) as caught:
        call("diff", before="\n" * 5001, after="")

    assert caught.value.field == "before"
