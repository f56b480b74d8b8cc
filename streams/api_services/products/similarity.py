"""How alike two names or phrases are, for matching records and finding duplicates."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from streams.api_services.product import Input, Output, Product


class SimilarityRequest(Input, frozen=True):
    """Two texts to compare."""

    a: Annotated[str, msgspec.Meta(max_length=500, description="One text.")]
    b: Annotated[str, msgspec.Meta(max_length=500, description="The other text.")]
    ignore_case: Annotated[bool, msgspec.Meta(description="Whether case and punctuation are ignored.")] = True


class SimilarityResponse(Output, frozen=True):
    """Scores from 0 (nothing in common) to 1 (the same); `distance` counts edits of single characters."""

    equal: bool
    distance: int
    damerau_distance: int
    levenshtein: float
    jaro_winkler: float
    token_sort: float
    token_set: float
    partial: float


def _run(request: SimilarityRequest, now: datetime) -> SimilarityResponse:
    from rapidfuzz import fuzz, utils
    from rapidfuzz.distance import OSA, JaroWinkler, Levenshtein

    a, b = request.a, request.b
    if request.ignore_case:
        a, b = utils.default_process(a), utils.default_process(b)
    return SimilarityResponse(
        equal=a == b,
        distance=Levenshtein.distance(a, b),
        damerau_distance=OSA.distance(a, b),
        levenshtein=round(Levenshtein.normalized_similarity(a, b), 4),
        jaro_winkler=round(JaroWinkler.similarity(a, b), 4),
        token_sort=round(fuzz.token_sort_ratio(a, b) / 100, 4),
        token_set=round(fuzz.token_set_ratio(a, b) / 100, 4),
        partial=round(fuzz.partial_ratio(a, b) / 100, 4),
    )


SIMILARITY_PRODUCT = Product(
    name="similarity",
    title="Text similarity",
    summary="Score how alike two names or phrases are.",
    description=(
        "Levenshtein and Damerau distances (optimal string alignment), Jaro-Winkler, and scores on words that "
        "ignore their order or repetition, for matching records, finding duplicates and spelling slips."
    ),
    request=SimilarityRequest,
    response=SimilarityResponse,
    run=_run,
    example=SimilarityRequest(a="Jon Smith", b="Smith, John"),
    heavy=True,
)
