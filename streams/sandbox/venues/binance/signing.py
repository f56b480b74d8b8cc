"""Whose request it is, and whether it is fresh: HMAC-SHA256 over all that was sent, and a time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from streams.sandbox.venues.binance.orders import BinanceError, need, whole_number
from streams.sandbox.venues.customers import Customer
from streams.sandbox.venues.http_request import VenueRequest

DEFAULT_WINDOW_MS: Final = 5_000
LONGEST_WINDOW_MS: Final = 60_000
MAY_BE_AHEAD_MS: Final = 1_000
"""How far a client's clock may be ahead of the venue's."""


def account_of(request: VenueRequest, by_key: Mapping[str, Customer], now_ms: int) -> str:
    """Return whose request it is.

    Args:
        request: The request.
        by_key: Who may trade, by API key.
        now_ms: The venue's time, Unix milliseconds.

    Raises:
        BinanceError: The request does not prove whose it is, or is too old.
        NotAForm: It cannot be read.
    """
    key = request.headers.get("x-mbx-apikey", "")
    if not key:
        raise BinanceError(-2014, "API-key format invalid.", 401)
    customer = by_key.get(key)
    if customer is None:
        raise BinanceError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    parameters = request.parameters()
    signature = need(parameters, "signature")
    # Over the query and the body, one behind the other, without the signature itself.
    signed = "".join(_unsigned(text) for text in (request.query, request.body))
    right = hmac.new(customer.secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(right.encode(), signature.lower().encode()):
        raise BinanceError(-1022, "Signature for this request is not valid.")
    _require_fresh(parameters, now_ms)
    return customer.account


def _unsigned(text: str) -> str:
    return "&".join(part for part in text.split("&") if not part.startswith("signature="))


def _require_fresh(parameters: Mapping[str, str], now_ms: int) -> None:
    need(parameters, "timestamp")
    sent_ms = whole_number(parameters, "timestamp") or 0
    window_ms = whole_number(parameters, "recvWindow")
    window_ms = DEFAULT_WINDOW_MS if window_ms is None else window_ms
    if window_ms > LONGEST_WINDOW_MS:
        raise BinanceError(-1131, f"recvWindow must be less than {LONGEST_WINDOW_MS}.")
    if sent_ms >= now_ms + MAY_BE_AHEAD_MS:
        raise BinanceError(-1021, f"Timestamp for this request was {MAY_BE_AHEAD_MS}ms ahead of the server's time.")
    if now_ms - sent_ms > window_ms:
        raise BinanceError(-1021, "Timestamp for this request is outside of the recvWindow.")
