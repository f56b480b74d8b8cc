"""Whose request it is: HMAC-SHA512 over the path and the SHA-256 of nonce and body."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

from streams.sandbox.venues.customers import Customer
from streams.sandbox.venues.http_request import VenueRequest
from streams.sandbox.venues.kraken.orders import KrakenError, whole_number


def proof_of(request: VenueRequest, by_key: Mapping[str, Customer]) -> tuple[str, int]:
    """Return whose request it is, and its nonce.

    Args:
        request: The request.
        by_key: Who may trade, by API key.

    Raises:
        KrakenError: It does not prove whose it is, or has no nonce.
        NotAForm: It cannot be read.
    """
    customer = by_key.get(request.headers.get("api-key", ""))
    if customer is None:
        raise KrakenError("EAPI:Invalid key")
    parameters = request.form()
    digest = hashlib.sha256((parameters.get("nonce", "") + request.body).encode()).digest()
    right = hmac.new(base64.b64decode(customer.secret), request.path.encode() + digest, hashlib.sha512).digest()
    try:
        signature = base64.b64decode(request.headers.get("api-sign", ""), validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    if not hmac.compare_digest(right, signature):
        raise KrakenError("EAPI:Invalid signature")
    nonce = whole_number(parameters, "nonce")
    if nonce is None:
        raise KrakenError("EAPI:Invalid nonce")
    return customer.account, nonce
