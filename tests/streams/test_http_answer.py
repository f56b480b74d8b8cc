"""Bodies within bounds, answers whole."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from streams.http_answer import BodyTooLarge, HttpAnswer, PeerGone, problem_answer, read_body


def receiving(*parts: bytes | None) -> Callable[[], Awaitable[dict[str, Any]]]:
    """Deliver the parts of a body; None for a peer that is gone."""
    left = list(parts)

    async def receive() -> dict[str, Any]:
        part = left.pop(0)
        if part is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": bool(left)}

    return receive


@pytest.mark.parametrize("parts", [[b""], [b"abc"], [b"a", b"b", b"c"], [b"", b"abc", b""]])
async def test_a_body_is_read_whole(parts: list[bytes]) -> None:
    assert await read_body(receiving(*parts), None, 3) == b"".join(parts)


@pytest.mark.parametrize("parts", [[b"abcd"], [b"ab", b"cd"], [b"ab", b"cd", b"ef"]])
async def test_a_body_beyond_the_limit_is_not_read_on(parts: list[bytes]) -> None:
    with pytest.raises(BodyTooLarge, match="3 bytes"):
        await read_body(receiving(*parts), None, 3)


async def test_a_body_that_says_it_is_too_large_is_not_read_at_all() -> None:
    with pytest.raises(BodyTooLarge):
        await read_body(receiving(), b"4", 3)


@pytest.mark.parametrize("parts", [[None], [b"a", None]])
async def test_a_peer_that_leaves_is_noticed(parts: list[bytes | None]) -> None:
    with pytest.raises(PeerGone):
        await read_body(receiving(*parts), b"3", 3)


async def test_an_answer_is_sent_in_two_messages_with_its_length() -> None:
    sent = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await HttpAnswer(200, b"text/plain", b"hello", [(b"x-a", b"b")], cacheable_s=60)({}, None, send)
    start, body = sent
    assert dict(start["headers"]) == {
        b"content-type": b"text/plain",
        b"content-length": b"5",
        b"x-content-type-options": b"nosniff",
        b"cache-control": b"public, max-age=60",
        b"x-a": b"b",
    }
    assert (start["status"], body["body"], body["more_body"]) == (200, b"hello", False)


def test_a_problem_explains_itself() -> None:
    answer = problem_answer(409, "no", code="conflict", extra={"field": "x"}, headers=[(b"retry-after", b"1")])
    assert json.loads(answer.body) == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "code": "conflict",
        "detail": "no",
        "field": "x",
    }
    assert (b"retry-after", b"1") in answer.headers
