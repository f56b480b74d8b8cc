"""What one instance sells: the step from a request on the wire to a metered call of a product."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias
from urllib.parse import parse_qsl

import msgspec

from streams.api_services.decoding import decode_request
from streams.api_services.heavy_work import HeavyWork
from streams.api_services.product import AnyProduct, MalformedBodyError, ProductError
from streams.http_answer import (
    JSON_TYPE,
    PROBLEM_TYPE,
    BodyTooLarge,
    HttpAnswer,
    PeerGone,
    problem,
    problem_answer,
    read_body,
)
from streams.metering.account import Account, Usage
from streams.metering.answer import Answer, MeteredCall, Response, content_digest
from streams.metering.meter import Perform
from streams.metering.refusal import CallRefused
from streams.metering.web import http_answer, http_refusal, refuse_key_in_query
from streams.stream import Health, Limits

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

PageName: TypeAlias = Literal["openapi", "docs"]

INVALID: Final = "invalid_request"

_FORM_TYPE: Final = b"application/x-www-form-urlencoded"
_MAX_FIELDS: Final = 64
_JSON: Final = JSON_TYPE.decode("ascii")
_PROBLEM: Final = PROBLEM_TYPE.decode("ascii")
_ENCODER: Final = msgspec.json.Encoder()


class Metering(Protocol):
    """What a shop needs of its meter; see `streams.metering.meter.Meter`."""

    def authenticate(self, authorization: bytes | None) -> Account: ...  # noqa: D102

    async def serve(self, call: MeteredCall, perform: Perform) -> Answer: ...  # noqa: D102

    async def refuse(self, account: Account, code: str, idempotency_key: str | None) -> None: ...  # noqa: D102

    def usage(self, account: Account) -> Usage: ...  # noqa: D102


class Offer(msgspec.Struct, frozen=True):
    """A product at a price, in units."""

    product: AnyProduct
    units: int


class Shop:
    """One instance as the shared HTTP application sees it: `scope["state"]["served"]` of every request.

    Attributes:
        id: The instance's id.
        health: Tells whether it serves.
        log: The instance's logger.
    """

    def __init__(
        self,
        *,
        id: str,  # noqa: A002 - the field's word
        offers: Mapping[str, Offer],
        meter: Metering,
        heavy_work: HeavyWork,
        limits: Limits,
        now: Callable[[], datetime],
        health: Callable[[], Health],
        log: FilteringBoundLogger,
        openapi: Callable[[], bytes],
        docs: Callable[[], bytes],
    ) -> None:
        self.id = id
        self.health = health
        self.log = log
        self._offers = offers
        self._meter = meter
        self._heavy_work = heavy_work
        self._limits = limits
        self._now = now
        self._openapi = openapi
        self._docs = docs
        self._pages: dict[PageName, bytes] = {}

    async def page(self, name: PageName) -> bytes:
        """Return the OpenAPI document or the page for customers; made when it is first asked for."""
        if name not in self._pages:
            # Loads a template engine and its files, for some 50 ms.
            self._pages[name] = await asyncio.to_thread(self._openapi if name == "openapi" else self._docs)
        return self._pages[name]

    async def call(self, name: str, scope: Any, receive: Any) -> HttpAnswer:
        """Answer a request for a product."""
        offer = self._offers.get(name)
        if offer is None:
            return self._unknown(name)
        headers: dict[bytes, bytes] = dict(scope["headers"])
        method: str = scope["method"]
        try:
            refuse_key_in_query(scope["query_string"])
            account = self._meter.authenticate(headers.get(b"authorization"))
            sent_key = headers.get(b"idempotency-key")
            idempotency_key = None if sent_key is None else sent_key.decode("latin-1")
            try:
                query = _parameters(scope["query_string"], "query")
                body = None if method == "GET" else await self._body(offer.product, headers, receive)
                content = decode_request(offer.product, query, body)
            except (MalformedRequest, ProductError) as error:
                return await self._refuse_malformed(account, error, idempotency_key)
            call = MeteredCall(account, method, f"/v1/{name}", content_digest(content), offer.units, idempotency_key)
            return http_answer(await self._meter.serve(call, lambda: self._perform(offer.product, content)))
        except CallRefused as refusal:
            return http_refusal(refusal)
        except PeerGone:
            return problem_answer(400, "the request ended before it was whole", code="incomplete")

    def usage(self, scope: Any) -> HttpAnswer:
        """Answer a customer who asks how their key stands."""
        try:
            refuse_key_in_query(scope["query_string"])
            account = self._meter.authenticate(dict(scope["headers"]).get(b"authorization"))
        except CallRefused as refusal:
            return http_refusal(refusal)
        return HttpAnswer(200, JSON_TYPE, _ENCODER.encode(self._meter.usage(account)))

    def _unknown(self, name: str) -> HttpAnswer:
        nearest = difflib.get_close_matches(name[:64], self._offers, n=1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(self._offers)}"
        return problem_answer(404, f"there is no such product here; {hint}", code="unknown_product")

    async def _refuse_malformed(
        self, account: Account, error: MalformedRequest | ProductError, idempotency_key: str | None
    ) -> HttpAnswer:
        if isinstance(error, MalformedRequest):
            status, code, extra = error.status, error.code, None
        else:
            status, code = (400, "malformed_json") if isinstance(error, MalformedBodyError) else (422, INVALID)
            extra = {"field": error.field}
        await self._meter.refuse(account, code, idempotency_key)
        return problem_answer(status, str(error), code=code, extra=extra)

    async def _body(
        self, product: AnyProduct, headers: Mapping[bytes, bytes], receive: Any
    ) -> bytes | list[tuple[str, str]]:
        """Return a body of JSON, or the parameters of a form; empty where nothing was sent."""
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise MalformedRequest(415, "unsupported_encoding", "send the body without a Content-Encoding")
        try:
            body = await read_body(receive, headers.get(b"content-length"), self._limits.max_request_bytes)
        except BodyTooLarge as error:
            raise MalformedRequest(413, "body_too_large", str(error)) from error
        media_type = headers.get(b"content-type", JSON_TYPE).partition(b";")[0].strip().lower()
        # Many clients call whatever they send a form, so what looks like a JSON object is taken as one.
        if not body or media_type == JSON_TYPE or media_type.endswith(b"+json") or body.lstrip().startswith(b"{"):
            return body
        if media_type == _FORM_TYPE and product.accepts_query:
            return _parameters(body, "form")
        raise MalformedRequest(
            415, "unsupported_media_type", "send JSON, with the header 'Content-Type: application/json'"
        )

    async def _perform(self, product: AnyProduct, content: Any) -> Response:
        now = self._now()
        try:
            if product.heavy:
                result = await self._perform_long(product, content, now)
            else:
                if not self._heavy_work.is_prepared(product):
                    await self._heavy_work.prepare(product)
                result = product.run(content, now)
        except ProductError as error:
            body = problem(422, str(error), code=INVALID, extra={"field": error.field})
            return Response(422, _PROBLEM, body)
        except TimeoutError:
            limit_s = self._limits.request_timeout_s
            detail = f"this took longer than {limit_s:g} s; nothing was charged"
            return Response(503, _PROBLEM, problem(503, detail, code="timed_out"))
        return Response(200, _JSON, _ENCODER.encode(result))

    async def _perform_long(self, product: AnyProduct, content: Any, now: datetime) -> Any:
        async with asyncio.timeout(self._limits.request_timeout_s):
            return await self._heavy_work.run(lambda: product.run(content, now))


class MalformedRequest(Exception):
    """A request that is not what a product could be called with, before its content is looked at."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code


def _parameters(written: bytes, place: Literal["query", "form"]) -> list[tuple[str, str]]:
    if not written:
        return []
    try:
        return parse_qsl(written.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise MalformedRequest(
            400,
            f"malformed_{place}",
            f"the {place} must be percent-encoded UTF-8 with at most {_MAX_FIELDS} parameters",
        ) from None
