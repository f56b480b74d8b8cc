"""Metering, as HTTP sees it: where a key may not stand, and how answers and refusals look."""

from __future__ import annotations

import re
from typing import Final

from streams.http_answer import HttpAnswer, problem_answer
from streams.metering.answer import Answer
from streams.metering.refusal import CallRefused, KeyInQuery

# The form of our keys, percent-encoded or not, and the names under which clients send theirs.
_KEY: Final = re.compile(rb"(?i)ak(?:_|%5f)(?:test|live)(?:_|%5f)|(?:^|&)(?:access_token|api_?key)=")


def refuse_key_in_query(query: bytes) -> None:
    """Refuse an address that carries a key.

    Raises:
        KeyInQuery: It does.
    """
    if query and _KEY.search(query) is not None:
        raise KeyInQuery


def http_answer(answer: Answer) -> HttpAnswer:
    """Return a metered answer as it is sent."""
    response = answer.response
    headers = [*response.headers, *answer.headers]
    return HttpAnswer(response.status, response.media_type.encode("ascii"), response.body, headers)


def http_refusal(refusal: CallRefused) -> HttpAnswer:
    """Return a refusal as problem details."""
    return problem_answer(
        refusal.status, refusal.detail, code=refusal.code, type_uri=refusal.problem, headers=refusal.headers
    )
