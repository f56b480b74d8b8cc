"""A key at work: its rate, its allowance, and the headers that tell its owner how it stands."""

from __future__ import annotations

from datetime import datetime
from math import ceil

import msgspec

from streams.metering.allowance import Allowance, Reservation
from streams.metering.gcra import Rate, RateDecision, decide
from streams.metering.key_journal import KeyRecord
from streams.metering.refusal import CallRefused, RateExceeded
from streams.money import format_amount


class Usage(msgspec.Struct, frozen=True):
    """How a key stands; what `GET /v1/usage` answers. Amounts are decimal text.

    Attributes:
        key: The key's id.
        label: What its owner calls it.
        plan: The plan that it was made on.
        period: The calendar month, `2026-11`.
        period_starts: Its first moment.
        period_ends: The next month's first moment.
        calls: Calls delivered in the period.
        quota: Calls that the period allows; None for no limit.
        remaining: Calls that are left of them.
        spent: What the key has spent since it was made.
        credit: What it may spend in all; None for no limit.
        asset: What the amounts are counted in.
        rate_per_s: Calls a second that it may make.
        burst: Calls that it may make at once after a rest.
    """

    key: str
    label: str
    plan: str
    period: str
    period_starts: datetime
    period_ends: datetime
    calls: int
    quota: int | None
    remaining: int | None
    spent: str
    credit: str | None
    asset: str
    rate_per_s: float
    burst: int


class Account:
    """What one key may do now.

    Attributes:
        record: The key's record.
        allowance: Its calls and credit.
    """

    __slots__ = ("_arrival_ns", "_policy", "_rate", "allowance", "record")

    def __init__(self, record: KeyRecord, allowance: Allowance) -> None:
        self.record = record
        self.allowance = allowance
        self._rate = Rate.per_second(record.rate_per_s, record.burst)
        self._arrival_ns = 0
        policy = f'"rate";q={record.burst};w={self._rate.window_s}'
        if record.quota is not None:
            policy += f', "quota";q={record.quota}'
        self._policy = policy.encode("ascii")

    def admit(self, now_s: float, now: datetime) -> RateDecision:
        """Take one call out of the rate.

        Raises:
            RateExceeded: It came too soon; nothing was taken.
        """
        decision = decide(self._rate, self._arrival_ns, now_s)
        if not decision.allowed:
            refusal = RateExceeded(decision.retry_after_s)
            refusal.headers += self.headers(decision, now)
            raise refusal
        self._arrival_ns = decision.arrival_ns
        return decision

    def reserve(self, units: int, decision: RateDecision, now: datetime) -> Reservation:
        """Set one admitted call and its price aside.

        Raises:
            QuotaExceeded: The period's calls are used up.
            OutOfCredit: The credit does not cover the price.
        """
        try:
            return self.allowance.reserve(units, now)
        except CallRefused as refusal:
            refusal.headers += self.headers(decision, now)
            raise

    def headers(self, decision: RateDecision, now: datetime) -> list[tuple[bytes, bytes]]:
        """Return the fields of draft-ietf-httpapi-ratelimit-headers, and the three that came before them.

        Both policies are told in `RateLimit`; the older fields know only one, which is the tighter one.
        """
        reset_s = ceil(decision.reset_s)
        remaining = decision.remaining
        limit = self._rate.burst
        allowance = self.allowance
        if (left := allowance.remaining_calls()) is None:
            state = b'"rate";r=%d;t=%d' % (remaining, reset_s)
        else:
            period_s = max(0, ceil((allowance.period.ends - now).total_seconds()))
            state = b'"rate";r=%d;t=%d, "quota";r=%d;t=%d' % (remaining, reset_s, left, period_s)
            if left < remaining or not left:
                remaining, reset_s, limit = left, period_s, allowance.quota or 0
        return [
            (b"ratelimit-policy", self._policy),
            (b"ratelimit", state),
            (b"ratelimit-limit", b"%d" % limit),
            (b"ratelimit-remaining", b"%d" % remaining),
            (b"ratelimit-reset", b"%d" % reset_s),
        ]

    def usage(self, asset: str, now: datetime) -> Usage:
        """Return how the key stands."""
        allowance, record = self.allowance, self.record
        allowance.roll(now)
        return Usage(
            key=record.id,
            label=record.label,
            plan=record.plan,
            period=allowance.period.name,
            period_starts=allowance.period.starts,
            period_ends=allowance.period.ends,
            calls=allowance.calls,
            quota=allowance.quota,
            remaining=allowance.remaining_calls(),
            spent=format_amount(allowance.spent, asset),
            credit=None if allowance.credit is None else format_amount(allowance.credit, asset),
            asset=asset,
            rate_per_s=record.rate_per_s,
            burst=record.burst,
        )
