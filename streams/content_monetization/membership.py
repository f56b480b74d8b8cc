"""Articles for members: read with a key, charged once per key and article, by the meter that all streams share."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from streams.content_monetization.page import HTML, Page
from streams.http_answer import JSON_TYPE, BodyTooLarge, HttpAnswer, PeerGone, problem_answer, read_body
from streams.metering.answer import MeteredCall, Response, content_digest
from streams.metering.meter import Meter
from streams.metering.refusal import CallRefused
from streams.metering.web import http_refusal, refuse_key_in_query

_MAX_FORM_BYTES: Final = 2048
_PRIVATE: Final = (b"cache-control", b"no-store, private")


class Membership:
    """Sells the articles of one instance to its members.

    Args:
        meter: Decides, charges and books.
        units: The price of an article.
        headers: What every page is sent with.
    """

    def __init__(self, meter: Meter, units: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._meter = meter
        self._units = units
        self._headers = headers

    async def read(self, slug: str, page: Page | None, scope: Any, receive: Any) -> HttpAnswer:
        """Answer a member who wants to read: by header, or by the form below an article's summary.

        Args:
            slug: The article.
            page: What they would read; None where there is no such article.
            scope: The request.
            receive: Its body.
        """
        headers: dict[bytes, bytes] = dict(scope["headers"])
        is_form = scope["method"] == "POST"
        try:
            refuse_key_in_query(scope["query_string"])
            authorization = await _form_key(headers, receive) if is_form else headers.get(b"authorization")
            return await self._sell(slug, page, authorization)
        except CallRefused as refusal:
            return self._explain(slug, refusal) if is_form else http_refusal(refusal)
        except BodyTooLarge as error:
            return problem_answer(413, str(error), code="body_too_large")
        except PeerGone:
            return problem_answer(400, "the request ended before it was whole", code="incomplete")

    def usage(self, scope: Any) -> HttpAnswer:
        """Answer a member who asks how their key stands."""
        try:
            refuse_key_in_query(scope["query_string"])
            account = self._meter.authenticate(dict(scope["headers"]).get(b"authorization"))
        except CallRefused as refusal:
            return http_refusal(refusal)
        return HttpAnswer(200, JSON_TYPE, msgspec.json.encode(self._meter.usage(account)))

    async def _sell(self, slug: str, page: Page | None, authorization: bytes | None) -> HttpAnswer:
        account = self._meter.authenticate(authorization)
        if page is None:
            await self._meter.refuse(account, "unknown_article")
            return problem_answer(404, "there is no such article for members here", code="unknown_article")
        body = page.parts[0]

        async def deliver() -> Response:
            return Response(200, HTML.decode("ascii"), body)

        # The article is what is bought, not an answer: under one key it is charged once, however often it is read.
        call = MeteredCall(
            account, "GET", f"/members/{slug}", content_digest({"article": slug}), self._units, f"article-{slug}"
        )
        answer = await self._meter.serve(call, deliver)
        if answer.response.status != 200:
            return HttpAnswer(
                answer.response.status,
                answer.response.media_type.encode("ascii"),
                answer.response.body,
                answer.headers,
            )
        # What was bought before is read as it is now.
        return HttpAnswer(200, HTML, body, [*answer.headers, *self._headers])

    def _explain(self, slug: str, refusal: CallRefused) -> HttpAnswer:
        text = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Not opened</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<link rel="stylesheet" href="/style.css"><main><h1>This key does not open the article</h1>'
            f"<p>{escape(refusal.detail)}</p><p>Nothing was charged.</p>"
            f'<p><a href="/articles/{escape(slug)}">Back to the article</a></p></main></html>'
        )
        return HttpAnswer(refusal.status, HTML, text.encode("utf-8"), [*refusal.headers, *self._headers])


async def _form_key(headers: Mapping[bytes, bytes], receive: Any) -> bytes | None:
    body = await read_body(receive, headers.get(b"content-length"), _MAX_FORM_BYTES)
    try:
        key = parse_qs(body.decode("ascii"), max_num_fields=8).get("key", [""])[0].strip()
        return b"Bearer " + key.encode("ascii")
    except ValueError:
        return None
