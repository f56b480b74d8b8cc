"""What changed between two texts, as a unified diff."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from streams.api_services.product import Input, Output, Product, ProductError, within_answer

Opcode: TypeAlias = tuple[str, int, int, int, int]

_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")
_MAX_LINES: Final = 5000


class DiffRequest(Input, frozen=True):
    """Two texts to compare."""

    before: Annotated[str, msgspec.Meta(max_length=64_000, description="The old text, up to 5,000 lines.")]
    after: Annotated[str, msgspec.Meta(max_length=64_000, description="The new text, up to 5,000 lines.")]
    context: Annotated[int, msgspec.Meta(ge=0, le=20, description="Unchanged lines around each change.")] = 3


class DiffResponse(Output, frozen=True):
    """The diff that `patch` accepts, empty where nothing changed; `similarity` is 1.0 for equal texts."""

    equal: bool
    diff: str
    added: int
    removed: int
    similarity: float


class _Aligned(difflib.SequenceMatcher[str]):
    """difflib's grouping of changes over an alignment made elsewhere.

    difflib's own search takes cubic time on hostile texts, and its result is not the shortest.
    """

    def __init__(self, opcodes: Sequence[Opcode]) -> None:
        super().__init__(None, "", "")
        self._given = list(opcodes)

    def get_opcodes(self) -> list[Any]:
        return self._given


def _aligned(before: list[str], after: list[str]) -> list[Opcode]:
    """Return the shortest alignment, with neighbouring changes as one: first what goes, then what comes."""
    from rapidfuzz.distance import Indel

    merged: list[Opcode] = []
    for code in Indel.opcodes(before, after):
        tag = "equal" if code.tag == "equal" else "replace"
        if merged and merged[-1][0] == tag:
            _, from_start, _, to_start, _ = merged[-1]
            merged[-1] = (tag, from_start, code.src_end, to_start, code.dest_end)
        else:
            merged.append((tag, code.src_start, code.src_end, code.dest_start, code.dest_end))
    return merged


def _lines(text: str, field: str) -> list[str]:
    lines = _LINE.findall(text)
    if len(lines) > _MAX_LINES:
        raise ProductError(f"has more than {_MAX_LINES} lines", field)
    return lines


def _range(start: int, stop: int) -> str:
    """Write a range of lines as POSIX asks: from one, and a lone line without length."""
    length = stop - start
    first = start + 1 if length else start
    return f"{first}" if length == 1 else f"{first},{length}"


def _marked(sign: str, line: str) -> str:
    return f"{sign}{line}" if line.endswith("\n") else f"{sign}{line}\n\\ No newline at end of file\n"


def _run(request: DiffRequest, now: datetime) -> DiffResponse:
    from rapidfuzz.distance import Indel

    before, after = _lines(request.before, "before"), _lines(request.after, "after")
    opcodes = _aligned(before, after)
    parts: list[str] = []
    for group in _Aligned(opcodes).get_grouped_opcodes(request.context):
        if all(tag == "equal" for tag, *_ in group):
            continue
        parts.append(f"@@ -{_range(group[0][1], group[-1][2])} +{_range(group[0][3], group[-1][4])} @@\n")
        for tag, from_start, from_end, to_start, to_end in group:
            if tag == "equal":
                parts += [_marked(" ", line) for line in before[from_start:from_end]]
            else:
                parts += [_marked("-", line) for line in before[from_start:from_end]]
                parts += [_marked("+", line) for line in after[to_start:to_end]]
    changed = [code for code in opcodes if code[0] != "equal"]
    return DiffResponse(
        equal=not changed,
        diff=within_answer("--- before\n+++ after\n" + "".join(parts) if parts else "", "after"),
        added=sum(to_end - to_start for *_, to_start, to_end in changed),
        removed=sum(from_end - from_start for _, from_start, from_end, *_ in changed),
        similarity=round(Indel.normalized_similarity(before, after), 4),
    )


DIFF_PRODUCT = Product(
    name="diff",
    title="Text diff",
    summary="Compare two texts line by line.",
    description=(
        "Finds the shortest set of added and removed lines (longest common subsequence) and gives it as a "
        "unified diff that `patch` accepts, with counts and a similarity between 0 and 1."
    ),
    request=DiffRequest,
    response=DiffResponse,
    run=_run,
    example=DiffRequest(before="one\ntwo\nthree\n", after="one\n2\nthree\nfour\n"),
    heavy=True,
)
