"""Why a call is not served: one class per situation, each with what HTTP says of it.

A refusal costs the customer nothing. The HTTP layer renders it as problem details (RFC 9457).
"""

from __future__ import annotations

import math
from typing import ClassVar, Final

QUOTA_PROBLEM: Final = "https://iana.org/assignments/http-problem-types#quota-exceeded"


class CallRefused(Exception):
    """A call that is not served and not charged.

    Attributes:
        status: The HTTP status.
        code: A stable name for programs.
        problem: The problem type's URI.
        detail: What happened and what to do, for the customer.
        headers: Further response headers.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "refused"
    problem: ClassVar[str] = "about:blank"

    def __init__(self, detail: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = headers if headers is not None else []


class Unauthenticated(CallRefused):
    """No key, or none in force. The text is one for all cases, so that a guess teaches nothing."""

    status = 401
    code = "unauthenticated"

    def __init__(self) -> None:
        super().__init__(
            "a valid API key is needed, sent as the header 'Authorization: Bearer ak_…'",
            [(b"www-authenticate", b'Bearer realm="api"')],
        )


class KeyInQuery(CallRefused):
    """A key was sent in the address, where every log on the way keeps it."""

    code = "key_in_query"

    def __init__(self) -> None:
        super().__init__(
            "API keys are not taken from the address, because addresses end up in logs: send the key as the "
            "header 'Authorization: Bearer ak_…', and have a key that was sent like this revoked"
        )


class IdempotencyKeyInvalid(CallRefused):
    """The Idempotency-Key is empty, too long or not printable."""

    code = "idempotency_key_invalid"

    def __init__(self) -> None:
        super().__init__("the header Idempotency-Key must be 1 to 255 printable ASCII characters")


class IdempotencyConflict(CallRefused):
    """The Idempotency-Key was used for another request."""

    status = 409
    code = "idempotency_conflict"

    def __init__(self) -> None:
        super().__init__(
            "this Idempotency-Key was used for a request with another method, path or content: "
            "send a new key for a new request"
        )


class IdempotencyInProgress(CallRefused):
    """The first request with the same Idempotency-Key has not ended in the time that this one may wait."""

    status = 409
    code = "idempotency_in_progress"

    def __init__(self) -> None:
        super().__init__(
            "the first request with this Idempotency-Key is still being worked on: try again",
            [(b"retry-after", b"1")],
        )


class RateExceeded(CallRefused):
    """The key calls faster than its rate."""

    status = 429
    code = "rate_exceeded"
    problem = QUOTA_PROBLEM

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("this key is calling faster than its rate allows", [retry_after(retry_after_s)])


class QuotaExceeded(CallRefused):
    """The key has used up its calls of the period."""

    status = 429
    code = "quota_exceeded"
    problem = QUOTA_PROBLEM

    def __init__(self, quota: int, period: str, retry_after_s: float) -> None:
        super().__init__(f"this key's {quota} calls of {period} are used up", [retry_after(retry_after_s)])


class OutOfCredit(CallRefused):
    """The price of the call is more than what is left of the key's credit."""

    status = 402
    code = "out_of_credit"

    def __init__(self) -> None:
        super().__init__("what is left of this key's credit does not cover the price of this call")


class AnswerTooLarge(CallRefused):
    """The answer is larger than what can be kept as the proof of a delivery."""

    status = 413
    code = "answer_too_large"

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"the answer would be {size_bytes} bytes, above the limit of {limit_bytes}: ask for less; "
            "nothing was charged"
        )


class DeliveryGone(CallRefused):
    """What was delivered and charged under this Idempotency-Key is not kept any more."""

    status = 410
    code = "delivery_gone"

    def __init__(self) -> None:
        super().__init__(
            "what was delivered under this Idempotency-Key is not kept here any more; it was charged then, and is "
            "not charged again: send a new key for what there is now"
        )


class BookingUnavailable(CallRefused):
    """The charge cannot be made durable now, so the answer is not given."""

    status = 503
    code = "booking_unavailable"

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(
            "this call cannot be booked at the moment, so it is neither answered nor charged: try again",
            [retry_after(retry_after_s)],
        )


class BookingUncertain(CallRefused):
    """Whether the charge was made is not known yet."""

    status = 503
    code = "booking_uncertain"

    def __init__(self, retry_after_s: float, *, repeatable: bool) -> None:
        super().__init__(
            "this call's booking takes too long: send it again with the same Idempotency-Key, it is charged once"
            if repeatable
            else "this call's booking takes too long: try again; should it have been charged, it is refunded",
            [retry_after(retry_after_s)],
        )


def retry_after(seconds: float) -> tuple[bytes, bytes]:
    """Return a Retry-After header of whole seconds, rounded up, at least 1."""
    return b"retry-after", b"%d" % max(1, math.ceil(seconds))
