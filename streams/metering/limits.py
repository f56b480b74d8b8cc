"""The bounds of a meter."""

from __future__ import annotations

import msgspec


class MeterLimits(msgspec.Struct, frozen=True):
    """How much a meter keeps, and how long it waits.

    Attributes:
        max_proof_bytes: Largest artefact that is booked.
        booking_timeout_s: How long the ledger may take before a booking's outcome counts as unknown.
        settling_timeout_s: How long a customer then still waits for it.
        flight_timeout_s: How long a repetition waits for the first call.
        kept_answers_bytes: Answers kept in memory for repetitions.
    """

    max_proof_bytes: int = 192 * 1024
    booking_timeout_s: float = 5.0
    settling_timeout_s: float = 5.0
    flight_timeout_s: float = 15.0
    kept_answers_bytes: int = 1024 * 1024
