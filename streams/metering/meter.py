"""The one decision: may this call be served, what does it cost, and is that booked.

    authenticate → answer at hand? → rate → answer in the ledger? → reserve → perform → book → answer

No answer is given before its booking is durable, and nothing is charged for work that failed. Calls that
cost nothing (a price of zero, or the daemon's own traffic, which is never billed) count against rate and quota,
but there is nothing to book: their number and their kept answers live in this process only.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from streams.booking import KeyConflict, LedgerRef
from streams.metering.account import Account, Usage
from streams.metering.accounts import Accounts, UnbookedCalls
from streams.metering.answer import (
    Answer,
    Delivery,
    Headers,
    MeteredCall,
    Proof,
    Response,
    encode_proof,
    prove,
    without_body,
)
from streams.metering.gcra import RateDecision
from streams.metering.idempotency import CallName, Flight, KeptAnswer, KeptAnswers, name_of
from streams.metering.key_store import KeyStore
from streams.metering.limits import MeterLimits
from streams.metering.refusal import (
    AnswerTooLarge,
    BookingUnavailable,
    CallRefused,
    DeliveryGone,
    IdempotencyConflict,
    Unauthenticated,
)
from streams.metering.till import RETRY_AFTER_S, Till

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

Perform: TypeAlias = Callable[[], Awaitable[Response]]

Redeliver: TypeAlias = Callable[[Delivery], Awaitable[bytes | None]]
"""Returns the very bytes that were delivered, or None where they are not kept any more."""

_FUNNEL: Final = ("requests", "authenticated", "admitted", "delivered")


class Meter:
    """Meters the calls of one instance. Its keys come from a store, its money goes to the ledger."""

    def __init__(
        self,
        *,
        stream: str,
        instance: str,
        asset: str,
        keys: KeyStore,
        ledger: LedgerRef,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        log: FilteringBoundLogger,
        limits: MeterLimits,
    ) -> None:
        self._asset = asset
        self._now = now
        self._monotonic = monotonic
        self._limits = limits
        self._accounts = Accounts(keys, now)
        self._till = Till(stream=stream, instance=instance, asset=asset, ledger=ledger, now=now, log=log, limits=limits)
        self._answers = KeptAnswers(limits.kept_answers_bytes)
        self._flights: dict[CallName, Flight] = {}
        self._run_id = os.urandom(6).hex()
        self._serial = 0
        self._counts: Counter[str] = Counter()

    async def start(self) -> None:
        """Read from the ledger what the keys have used.

        Raises:
            LedgerUnavailable: The ledger cannot read.
            ActorError: The ledger does not answer.
        """
        self._accounts.restore(*await self._till.read_meters())

    async def run(self) -> None:
        """Settle bookings whose outcome is not known, until cancelled."""
        await self._till.run()

    def authenticate(self, authorization: bytes | None) -> Account:
        """Return the account that an Authorization header opens.

        Raises:
            Unauthenticated: There is none, or its key is malformed, unknown or revoked; all the same.
        """
        self._counts["requests"] += 1
        account = self._accounts.find(authorization)
        if account is None:
            raise self._counted(Unauthenticated())
        self._counts["authenticated"] += 1
        return account

    async def serve(self, call: MeteredCall, perform: Perform, redeliver: Redeliver | None = None) -> Answer:
        """Decide on a call, do its work, book it, and return the answer.

        Cancelled, it charges nothing unless the answer can be fetched again with its Idempotency-Key.

        Args:
            call: What is asked, and by whom.
            perform: Does the work. It is called at most once.
            redeliver: Fetches a body again that was too large for its proof; only for work that names a `Delivery`.

        Raises:
            CallRefused: The call is not served and not charged; see its subclasses.
        """
        try:
            if call.idempotency_key is None:
                return await self._serve_once(call, perform)
            name = name_of(call.account, call.idempotency_key)
            return await self._whole(await self._serve_repeatable(call, name, perform), redeliver)
        except CallRefused as refusal:
            self._counted(refusal)
            raise

    async def refuse(self, account: Account, code: str, idempotency_key: str | None = None) -> None:
        """Count a request that is malformed. It takes a call out of the rate, so that guessing is not free.

        Raises:
            IdempotencyKeyInvalid: Its Idempotency-Key is malformed too.
            IdempotencyConflict: Its Idempotency-Key was used before, or is in use.
            RateExceeded: It came too soon.
            BookingUnavailable: The ledger does not say whether the Idempotency-Key was used.
        """
        try:
            await self._refuse_used(account, idempotency_key)
        except CallRefused as refusal:
            self._counted(refusal)
            raise
        self._counts[f"refused_{code}"] += 1

    def usage(self, account: Account) -> Usage:
        """Return how an account stands."""
        self._counts["usage_read"] += 1
        return account.usage(self._asset, self._now())

    def funnel(self) -> dict[str, int]:
        """Return counts from the request to the booking, then those that took another way."""
        steps = {step: self._counts[step] for step in _FUNNEL}
        others = {reason: self._counts[reason] for reason in sorted(self._counts) if reason not in steps}
        return steps | self._till.counts | others

    def unbooked_calls(self) -> UnbookedCalls:
        """Return the calls that cost nothing: a checkpoint's matter."""
        return self._accounts.unbooked_calls()

    def restore_unbooked(self, calls: UnbookedCalls) -> None:
        """Take up a former `unbooked_calls`, before the first call is served."""
        self._accounts.restore_unbooked(calls)

    async def _refuse_used(self, account: Account, idempotency_key: str | None) -> None:
        """Admit a malformed request. What was served was not malformed, so under a used key this is another one."""
        name = None if idempotency_key is None else name_of(account, idempotency_key)
        if name is not None and (name in self._flights or self._answers.find(name) is not None):
            raise IdempotencyConflict
        account.admit(self._monotonic(), self._now())
        if idempotency_key is not None and await self._till.find(account.record, _booking_name(idempotency_key)):
            raise IdempotencyConflict

    async def _serve_once(self, call: MeteredCall, perform: Perform) -> Answer:
        now = self._now()
        decision = call.account.admit(self._monotonic(), now)
        call_id = self._next_call_id()
        response, headers, _ = await self._deliver(call, decision, now, call_id, f"call/{call_id}", perform)
        return Answer(response, headers)

    async def _serve_repeatable(self, call: MeteredCall, name: CallName, perform: Perform) -> Answer:
        deadline_s = self._monotonic() + self._limits.flight_timeout_s
        while True:
            if (kept := self._answers.find(name)) is not None:
                return self._replay(call, kept)
            if (flight := self._flights.get(name)) is None:
                break
            if (answer := await flight.join(call, deadline_s - self._monotonic())) is not None:
                return self._repeat(answer)
        flight = self._flights[name] = Flight(call)
        outcome: Answer | CallRefused | None = None
        try:
            outcome = await self._serve_first(call, name, perform)
        except CallRefused as refusal:
            outcome = refusal
            raise
        finally:
            del self._flights[name]
            flight.land(outcome)
        return outcome

    async def _serve_first(self, call: MeteredCall, name: CallName, perform: Perform) -> Answer:
        record = call.account.record
        now = self._now()
        decision = call.account.admit(self._monotonic(), now)
        booking_name = _booking_name(name[1])
        if (kept := await self._till.find(record, booking_name)) is None:
            try:
                response, headers, kept = await self._deliver(
                    call, decision, now, self._next_call_id(), booking_name, perform
                )
            except KeyConflict:
                # Another incarnation of this instance booked it meanwhile: what that delivered is the answer.
                if (kept := await self._till.find(record, booking_name)) is None:
                    raise BookingUnavailable(RETRY_AFTER_S) from None
            else:
                if kept is not None:
                    self._answers.keep(name, kept)
                return Answer(response, headers)
        self._answers.keep(name, kept)
        return self._replay(call, kept)

    async def _deliver(
        self,
        call: MeteredCall,
        decision: RateDecision,
        now: datetime,
        call_id: str,
        booking_name: str,
        perform: Perform,
    ) -> tuple[Response, Headers, KeptAnswer | None]:
        account = call.account
        reservation = account.reserve(0 if account.record.own else call.units, decision, now)
        self._counts["admitted"] += 1
        try:
            response = await perform()
            proven = self._proven(prove(call, response, self._asset))
        except BaseException:
            reservation.release()
            raise
        if proven is None:
            reservation.release()
            return response, account.headers(decision, now), None
        proof, artefact = proven
        receipt_id = None
        if reservation.units:
            receipt_id = await self._till.charge(
                account.record,
                booking_name,
                call_id,
                reservation,
                artefact,
                now,
                repeatable=call.idempotency_key is not None,
            )
        else:
            reservation.commit(booked=False)
        headers = account.headers(decision, now) + _charged(proof, receipt_id)
        return response, headers, KeptAnswer(proof, receipt_id)

    def _proven(self, proof: Proof) -> tuple[Proof, bytes] | None:
        """Return what is kept as evidence, and as it is stored; None where there is nothing that could be charged."""
        response = proof.response
        if not 200 <= response.status < 300:
            self._counts[f"failed_{response.status}"] += 1
            return None
        limit_bytes = self._limits.max_proof_bytes
        # What cannot fit is not even tried: encoding copies the body, and tens of megabytes would stop the event loop.
        if response.delivery is not None and len(response.body) > limit_bytes:
            proof = without_body(proof)
        artefact = encode_proof(proof)
        if response.delivery is not None and len(artefact) > limit_bytes:
            proof = without_body(proof)
            artefact = encode_proof(proof)
        if len(artefact) > limit_bytes:
            raise AnswerTooLarge(len(artefact), limit_bytes)
        self._counts["delivered"] += 1
        return proof, artefact

    async def _whole(self, answer: Answer, redeliver: Redeliver | None) -> Answer:
        """Return a repeated answer with its body, which its proof may only name."""
        response = answer.response
        if response.is_whole:
            return answer
        assert response.delivery is not None
        body = None if redeliver is None else await redeliver(response.delivery)
        if body is None:
            raise DeliveryGone
        return Answer(msgspec.structs.replace(response, body=body), answer.headers)

    def _replay(self, call: MeteredCall, kept: KeptAnswer) -> Answer:
        if not kept.proof.is_of(call):
            raise IdempotencyConflict
        return self._repeat(Answer(kept.proof.response, _charged(kept.proof, kept.receipt_id)))

    def _repeat(self, answer: Answer) -> Answer:
        if not 200 <= answer.response.status < 300:
            return answer
        self._counts["replayed"] += 1
        return Answer(answer.response, [*answer.headers, (b"idempotent-replayed", b"true")])

    def _counted(self, refusal: CallRefused) -> CallRefused:
        self._counts[f"refused_{refusal.code}"] += 1
        return refusal

    def _next_call_id(self) -> str:
        self._serial += 1
        return f"{self._run_id}-{self._serial:x}"


def _booking_name(idempotency_key: str) -> str:
    return f"idem/{idempotency_key}"


def _charged(proof: Proof, receipt_id: str | None) -> Headers:
    if receipt_id is None:
        return []
    return [(b"x-charge", proof.charge.encode("ascii")), (b"x-receipt", receipt_id.encode("ascii"))]
