"""The one decision, against the real ledger."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import structlog

from streams.metering.account import Account
from streams.metering.answer import Answer, MeteredCall, Response
from streams.metering.key_journal import KeyRecord
from streams.metering.key_store import KeyStore, KeyTerms
from streams.metering.limits import MeterLimits
from streams.metering.meter import Meter
from streams.metering.refusal import (
    AnswerTooLarge,
    BookingUnavailable,
    BookingUncertain,
    CallRefused,
    IdempotencyConflict,
    IdempotencyInProgress,
    IdempotencyKeyInvalid,
    OutOfCredit,
    QuotaExceeded,
    RateExceeded,
    Unauthenticated,
)
from tests.streams.ledgers import LedgerBench, open_ledger

PRICE = 2_000  # 0.002 USD
TERMS = KeyTerms(book="paper", plan="basic", label="", rate_per_s=1e6, burst=100_000, quota=None, credit=None)
LIMITS = MeterLimits(max_proof_bytes=2_000, booking_timeout_s=0.1, settling_timeout_s=0.1, flight_timeout_s=0.1)
PATIENT = msgspec.structs.replace(LIMITS, booking_timeout_s=5.0, settling_timeout_s=5.0, flight_timeout_s=5.0)


class Shop:
    """A meter at work, with clocks that the test holds."""

    def __init__(self, directory: Path, bench: LedgerBench, limits: MeterLimits) -> None:
        self.bench = bench
        self.time = datetime(2026, 11, 23, 12, tzinfo=UTC)
        self.seconds = 1000.0
        self.keys = KeyStore(directory / "keys.jsonl", lambda: self.time)
        self.meter = Meter(
            stream="api_services",
            instance="api_services-007",
            asset="USD",
            keys=self.keys,
            ledger=bench.ref,
            now=lambda: self.time,
            monotonic=lambda: self.seconds,
            log=structlog.get_logger(),
            limits=limits,
        )
        self.performed = 0

    async def account(self, terms: KeyTerms = TERMS, **changes: object) -> Account:
        key, _ = await self.keys.create(msgspec.structs.replace(terms, **changes))
        return self.meter.authenticate(f"Bearer {key}".encode())

    async def call(
        self,
        account: Account,
        content: str = "x",
        *,
        idempotency_key: str | None = None,
        units: int = PRICE,
        perform: Callable[[], Awaitable[Response]] | None = None,
    ) -> Answer:
        async def echo() -> Response:
            self.performed += 1
            return Response(200, "text/plain", content.encode())

        digest = hashlib.sha256(content.encode()).digest()
        call = MeteredCall(account, "GET", "/v1/echo", digest, units, idempotency_key)
        return await self.meter.serve(call, perform or echo)

    async def booked(self) -> list[str]:
        """Return the kinds of all transactions."""
        return [entry.kind for entry in await self.bench.entries()]


@asynccontextmanager
async def open_shop(directory: Path, limits: MeterLimits = PATIENT) -> AsyncIterator[Shop]:
    async with open_ledger(directory) as bench:
        shop = Shop(directory, bench, limits)
        await shop.keys.load()
        await shop.meter.start()
        running = asyncio.create_task(shop.meter.run())
        try:
            yield shop
        finally:
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running


def header(answer: Answer, name: str) -> str | None:
    return next((value.decode() for key, value in answer.headers if key == name.encode()), None)


async def refusals(calls: list[Awaitable[Answer]]) -> tuple[int, list[type[BaseException]]]:
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    refused = [type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)]
    return len(outcomes) - len(refused), refused


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20.0):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_call_books_exactly_its_price_with_the_delivered_answer_as_proof(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        account = await shop.account()
        answer = await shop.call(account, "hello")
        assert answer.response == Response(200, "text/plain", b"hello")
        assert header(answer, "x-charge") == "0.002 USD"
        (entry,) = await shop.bench.entries()
        assert entry.id == header(answer, "x-receipt")
        assert (entry.book, entry.kind, entry.stream, entry.instance) == (
            "paper",
            "api.call",
            "api_services",
            "api_services-007",
        )
        assert (entry.amount, entry.asset) == ("0.002", "USD")
        assert [posting.account for posting in entry.postings] == [
            "asset:receivable:api_services:api_services-007",
            "income:api_services:api_services-007",
        ]
        assert entry.evidence.kind == "api.response"
        assert await shop.bench.meters() == {
            f"api_services-007/calls/2026-11/{account.record.id}": 1,
            f"api_services-007/spent/{account.record.id}": PRICE,
        }


@pytest.mark.parametrize(
    "authorization",
    [None, b"", b"Bearer", b"Bearer ", b"Basic YTpi", b"Bearer ak_test_" + b"0" * 38, b"Bearer " + b"x" * 10_000],
)
async def test_no_key_or_a_wrong_one_is_refused(tmp_path: Path, authorization: bytes | None) -> None:
    async with open_shop(tmp_path) as shop:
        with pytest.raises(Unauthenticated):
            shop.meter.authenticate(authorization)


async def test_a_revoked_key_is_refused_in_the_same_words_as_an_unknown_one(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        key, record = await shop.keys.create(TERMS)
        assert shop.meter.authenticate(f"bearer {key}".encode()).record == record
        await shop.keys.revoke(record.id)
        with pytest.raises(Unauthenticated) as revoked:
            shop.meter.authenticate(f"Bearer {key}".encode())
        with pytest.raises(Unauthenticated) as unknown:
            shop.meter.authenticate(b"Bearer nonsense")
        assert revoked.value.detail == unknown.value.detail
        assert revoked.value.headers == unknown.value.headers


async def test_a_thousand_concurrent_calls_on_a_quota_of_five_hundred(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        account = await shop.account(quota=500)
        served, refused = await refusals([shop.call(account) for _ in range(1000)])
        assert served == 500
        assert refused == [QuotaExceeded] * 500
        assert await shop.booked() == ["api.call"] * 500
        assert shop.performed == 500


async def test_credit_is_out_exactly_at_the_boundary(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        account = await shop.account(credit=3 * PRICE)
        served, refused = await refusals([shop.call(account) for _ in range(10)])
        assert (served, refused) == (3, [OutOfCredit] * 7)
        assert len(await shop.booked()) == 3
        generous = await shop.account(credit=3 * PRICE - 1)
        served, refused = await refusals([shop.call(generous) for _ in range(3)])
        assert (served, refused) == (2, [OutOfCredit])


async def test_a_key_that_calls_too_fast_is_told_when_to_come_back(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        account = await shop.account(rate_per_s=0.5, burst=2, quota=100)
        first = await shop.call(account)
        assert header(first, "ratelimit-policy") == '"rate";q=2;w=4, "quota";q=100'
        assert header(first, "ratelimit") == '"rate";r=1;t=2, "quota";r=99;t=648000'
        assert [header(first, f"ratelimit-{name}") for name in ("limit", "remaining", "reset")] == ["2", "1", "2"]
        await shop.call(account)
        with pytest.raises(RateExceeded) as refused:
            await shop.call(account)
        assert dict(refused.value.headers)[b"retry-after"] == b"2"
        assert dict(refused.value.headers)[b"ratelimit"].startswith(b'"rate";r=0;t=4')
        shop.seconds += 2.0
        await shop.call(account)
        assert len(await shop.booked()) == 3


async def test_an_exhausted_quota_is_told_in_the_headers_and_opens_with_the_next_month(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        account = await shop.account(quota=1)
        await shop.call(account)
        with pytest.raises(QuotaExceeded) as refused:
            await shop.call(account)
        headers = dict(refused.value.headers)
        assert headers[b"retry-after"] == headers[b"ratelimit-reset"] == b"648000"
        assert (headers[b"ratelimit-limit"], headers[b"ratelimit-remaining"]) == (b"1", b"0")
        shop.time += timedelta(days=8)
        await shop.call(account)
        assert set(await shop.bench.meters("api_services-007/calls/")) == {
            f"api_services-007/calls/{month}/{account.record.id}" for month in ("2026-11", "2026-12")
        }


async def test_a_restart_goes_on_with_what_was_used(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        key, _ = await shop.keys.create(msgspec.structs.replace(TERMS, quota=3, credit=5 * PRICE))
        account = shop.meter.authenticate(f"Bearer {key}".encode())
        for _ in range(2):
            await shop.call(account)
    async with open_shop(tmp_path) as shop:
        account = shop.meter.authenticate(f"Bearer {key}".encode())
        usage = shop.meter.usage(account)
        assert (usage.calls, usage.remaining, usage.spent, usage.credit) == (2, 1, "0.004", "0.01")
        served, refused = await refusals([shop.call(account) for _ in range(3)])
        assert (served, refused) == (1, [QuotaExceeded] * 2)
        shop.time += timedelta(days=8)
        served, refused = await refusals([shop.call(account) for _ in range(3)])
        assert (served, refused) == (2, [OutOfCredit])


async def test_calls_in_a_new_month_after_a_restart_start_from_zero(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        key, _ = await shop.keys.create(msgspec.structs.replace(TERMS, quota=1))
        await shop.call(shop.meter.authenticate(f"Bearer {key}".encode()))
    async with open_shop(tmp_path) as shop:
        shop.time += timedelta(days=8)
        account = shop.meter.authenticate(f"Bearer {key}".encode())
        assert shop.meter.usage(account).calls == 0
        await shop.call(account)


@pytest.mark.parametrize("status", [404, 422, 500])
async def test_work_that_failed_is_not_charged_and_gives_its_call_back(tmp_path: Path, status: int) -> None:
    async def fail() -> Response:
        return Response(status, "text/plain", b"no")

    async with open_shop(tmp_path) as shop:
        account = await shop.account(quota=1, credit=PRICE)
        answer = await shop.call(account, perform=fail)
        assert answer.response.status == status
        assert header(answer, "x-charge") is None
        assert await shop.booked() == []
        assert header(await shop.call(account), "x-charge") == "0.002 USD"


async def test_work_that_breaks_or_is_cancelled_gives_its_call_back(tmp_path: Path) -> None:
    async def explode() -> Response:
        raise ZeroDivisionError

    async def hang() -> Response:
        return await asyncio.get_running_loop().create_future()

    async with open_shop(tmp_path) as shop:
        account = await shop.account(quota=1)
        with pytest.raises(ZeroDivisionError):
            await shop.call(account, perform=explode)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(shop.call(account, perform=hang), 0.01)
        await shop.call(account)
        assert len(await shop.booked()) == 1


async def test_an_answer_too_large_to_keep_is_refused_without_charge(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        account = await shop.account(quota=1)
        with pytest.raises(AnswerTooLarge, match="nothing was charged"):
            await shop.call(account, "x" * 2_000)
        await shop.call(account, "x" * 1_500)
        assert len(await shop.booked()) == 1


async def test_free_calls_and_own_traffic_count_but_book_nothing(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        key, _ = await shop.keys.create(msgspec.structs.replace(TERMS, quota=2))
        account = shop.meter.authenticate(f"Bearer {key}".encode())
        own = await shop.account(own=True, credit=0)
        free = await shop.call(account, units=0)
        assert (header(free, "x-charge"), header(free, "x-receipt")) == (None, None)
        await shop.call(own)
        assert await shop.booked() == []
        checkpoint = shop.meter.unbooked_calls()
    async with open_shop(tmp_path) as shop:
        shop.meter.restore_unbooked(checkpoint)
        account = shop.meter.authenticate(f"Bearer {key}".encode())
        assert shop.meter.unbooked_calls() == checkpoint
        await shop.call(account)
        with pytest.raises(QuotaExceeded):
            await shop.call(account)


async def test_the_same_idempotency_key_gives_the_same_answer_and_books_nothing_more(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        account = await shop.account(quota=1)
        first = await shop.call(account, "a", idempotency_key="k1")
        again = await shop.call(account, "a", idempotency_key="k1")
        assert again.response == first.response
        assert header(first, "idempotent-replayed") is None
        assert header(again, "idempotent-replayed") == "true"
        for name in ("x-receipt", "x-charge"):
            assert header(again, name) == header(first, name) is not None
        assert (await shop.booked(), shop.performed) == (["api.call"], 1)


async def test_an_answer_is_replayed_from_the_ledger_after_a_restart(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        key, _ = await shop.keys.create(msgspec.structs.replace(TERMS, quota=1))
        first = await shop.call(shop.meter.authenticate(f"Bearer {key}".encode()), "a", idempotency_key="k")
    async with open_shop(tmp_path) as shop:
        account = shop.meter.authenticate(f"Bearer {key}".encode())
        again = await shop.call(account, "a", idempotency_key="k", units=PRICE * 2)
        assert again.response == first.response
        for name in ("x-receipt", "x-charge"):
            assert header(again, name) == header(first, name)
        with pytest.raises(IdempotencyConflict):
            await shop.call(account, "b", idempotency_key="k")
        assert (await shop.booked(), shop.performed) == (["api.call"], 0)


async def test_the_same_idempotency_key_for_another_request_is_a_conflict(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        account = await shop.account()
        await shop.call(account, "a", idempotency_key="k")
        with pytest.raises(IdempotencyConflict):
            await shop.call(account, "b", idempotency_key="k")
        assert await shop.booked() == ["api.call"]


async def test_customers_do_not_meet_each_others_idempotency_keys(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        one, other = await shop.account(), await shop.account()
        first = await shop.call(one, "a", idempotency_key="k")
        second = await shop.call(other, "b", idempotency_key="k")
        assert (first.response.body, second.response.body) == (b"a", b"b")
        assert len(await shop.booked()) == 2


async def test_concurrent_calls_with_one_idempotency_key_are_performed_and_booked_once(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        account = await shop.account(quota=1)
        answers = await asyncio.gather(*(shop.call(account, "a", idempotency_key="k") for _ in range(50)))
        assert {answer.response.body for answer in answers} == {b"a"}
        assert len({header(answer, "x-receipt") for answer in answers}) == 1
        assert sum(header(answer, "idempotent-replayed") == "true" for answer in answers) == 49
        assert (await shop.booked(), shop.performed) == (["api.call"], 1)


async def test_a_different_request_does_not_wait_for_the_one_in_progress(tmp_path: Path) -> None:
    proceed = asyncio.Event()

    async def wait() -> Response:
        await proceed.wait()
        return Response(200, "text/plain", b"done")

    async with open_shop(tmp_path, LIMITS) as shop:
        account = await shop.account()
        first = asyncio.create_task(shop.call(account, "a", idempotency_key="k", perform=wait))
        await asyncio.sleep(0)
        with pytest.raises(IdempotencyConflict):
            await shop.call(account, "b", idempotency_key="k")
        with pytest.raises(IdempotencyInProgress) as refused:
            await shop.call(account, "a", idempotency_key="k")
        assert refused.value.headers == [(b"retry-after", b"1")]
        proceed.set()
        assert (await first).response.body == b"done"


async def test_when_the_first_call_is_cancelled_one_that_waits_does_the_work(tmp_path: Path) -> None:
    async def hang() -> Response:
        return await asyncio.get_running_loop().create_future()

    async with open_shop(tmp_path) as shop:
        account = await shop.account(quota=1)
        first = asyncio.create_task(shop.call(account, "a", idempotency_key="k", perform=hang))
        while account.allowance.reserved_calls == 0:
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(shop.call(account, "a", idempotency_key="k")) for _ in range(3)]
        await asyncio.sleep(0.001)
        first.cancel()
        answers = await asyncio.gather(*others)
        assert {answer.response.body for answer in answers} == {b"a"}
        assert (await shop.booked(), shop.performed) == (["api.call"], 1)


async def test_a_failure_is_not_kept_under_its_idempotency_key(tmp_path: Path) -> None:
    async def fail() -> Response:
        return Response(422, "text/plain", b"no")

    async with open_shop(tmp_path) as shop:
        account = await shop.account()
        failed = await shop.call(account, "bad", idempotency_key="k", perform=fail)
        assert failed.response.status == 422
        corrected = await shop.call(account, "good", idempotency_key="k")
        assert corrected.response.body == b"good"
        assert await shop.booked() == ["api.call"]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "é", "a\x7f"])
async def test_an_idempotency_key_is_printable_and_not_too_long(tmp_path: Path, key: str) -> None:
    async with open_shop(tmp_path) as shop:
        with pytest.raises(IdempotencyKeyInvalid):
            await shop.call(await shop.account(), idempotency_key=key)


async def test_every_printable_idempotency_key_can_be_booked(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        account = await shop.account()
        printable = "".join(map(chr, range(0x20, 0x7F)))
        for key in (printable, "x" * 255, " "):
            await shop.call(account, idempotency_key=key)
        assert len(await shop.booked()) == 3


@pytest.mark.parametrize("idempotency_key", [None, "k"])
async def test_a_ledger_that_cannot_book_costs_nothing_and_recovers(
    tmp_path: Path, idempotency_key: str | None
) -> None:
    async with open_shop(tmp_path) as shop:
        account = await shop.account(quota=1, credit=PRICE)
        shop.bench.faults.fault = "unavailable"
        with pytest.raises(BookingUnavailable) as refused:
            await shop.call(account, idempotency_key=idempotency_key)
        assert refused.value.status == 503
        assert refused.value.headers == [(b"retry-after", b"7")]
        shop.bench.faults.clear()
        await shop.call(account, idempotency_key=idempotency_key)
        assert await shop.booked() == ["api.call"]
        assert shop.meter.usage(account).calls == 1


@pytest.mark.parametrize("fault", ["mute", "crash"])
async def test_an_answer_of_the_ledger_that_is_lost_is_asked_for_again(tmp_path: Path, fault: str) -> None:
    limits = msgspec.structs.replace(LIMITS, settling_timeout_s=5.0)
    async with open_shop(tmp_path, limits) as shop:
        account = await shop.account(quota=1, credit=PRICE)
        shop.bench.faults.fault = fault  # type: ignore[assignment]
        calling = asyncio.create_task(shop.call(account))
        await until(lambda: shop.meter.funnel()["unsettled"] == 1)
        shop.bench.faults.clear()
        answer = await calling
        (entry,) = await shop.bench.entries()
        assert header(answer, "x-receipt") == entry.id
        assert (account.allowance.calls, account.allowance.spent) == (1, PRICE)
        assert (account.allowance.reserved_calls, shop.meter.funnel()["booked"]) == (0, 1)


async def test_a_booking_that_comes_too_late_for_its_answer_is_refunded(tmp_path: Path) -> None:
    async with open_shop(tmp_path, LIMITS) as shop:
        account = await shop.account(quota=1, credit=PRICE)
        shop.bench.faults.fault = "stalled"
        with pytest.raises(BookingUncertain, match="refunded"):
            await shop.call(account)
        with pytest.raises(QuotaExceeded):
            await shop.call(account)
        shop.bench.faults.clear()
        await until(lambda: shop.meter.funnel()["refunded"] == 1)
        call, refund = await shop.bench.entries()
        assert (call.kind, call.amount) == ("api.call", "0.002")
        assert (refund.kind, refund.amount, refund.corrects) == ("api.refund", "-0.002", call.id)
        assert set((await shop.bench.meters()).values()) == {0}
        assert (account.allowance.calls, account.allowance.spent) == (0, 0)
        await shop.call(account)


async def test_a_late_booking_with_an_idempotency_key_is_kept_for_the_repetition(tmp_path: Path) -> None:
    async with open_shop(tmp_path, LIMITS) as shop:
        account = await shop.account(quota=1, credit=PRICE)
        shop.bench.faults.fault = "stalled"
        with pytest.raises(BookingUncertain, match="same Idempotency-Key"):
            await shop.call(account, "a", idempotency_key="k")
        with pytest.raises(BookingUncertain):
            await shop.call(account, "a", idempotency_key="k")
        shop.bench.faults.clear()
        await until(lambda: shop.meter.funnel()["unsettled"] == 0)
        again = await shop.call(account, "a", idempotency_key="k")
        (entry,) = await shop.bench.entries()
        assert (again.response.body, header(again, "x-receipt")) == (b"a", entry.id)
        assert (shop.performed, account.allowance.calls, account.allowance.spent) == (1, 1, PRICE)


@pytest.mark.parametrize("idempotency_key", [None, "k"])
async def test_a_call_cancelled_while_it_is_booked_charges_only_what_can_be_fetched(
    tmp_path: Path, idempotency_key: str | None
) -> None:
    async with open_shop(tmp_path) as shop:
        account = await shop.account(quota=1, credit=PRICE)
        shop.bench.faults.fault = "mute"
        calling = asyncio.create_task(shop.call(account, "a", idempotency_key=idempotency_key))
        while shop.bench.faults.submitted == 0:
            await asyncio.sleep(0.001)
        shop.bench.faults.clear()
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await until(lambda: shop.meter.funnel()["unsettled"] == 0)
        if idempotency_key is None:
            assert await shop.booked() == ["api.call", "api.refund"]
            assert (account.allowance.calls, account.allowance.spent) == (0, 0)
        else:
            assert await shop.booked() == ["api.call"]
            again = await shop.call(account, "a", idempotency_key=idempotency_key)
            assert header(again, "idempotent-replayed") == "true"
            assert shop.performed == 1


async def test_two_incarnations_of_an_instance_book_one_idempotent_call_once(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        key, _ = await shop.keys.create(TERMS)
        twin = Shop(tmp_path, shop.bench, PATIENT)
        await twin.keys.load()
        await twin.meter.start()
        account = shop.meter.authenticate(f"Bearer {key}".encode())
        twins_account = twin.meter.authenticate(f"Bearer {key}".encode())

        async def overtaken() -> Response:
            await twin.call(twins_account, "a", idempotency_key="k")
            return Response(200, "text/plain", b"slower")

        answer = await shop.call(account, "a", idempotency_key="k", perform=overtaken)
        assert answer.response.body == b"a"
        assert header(answer, "idempotent-replayed") == "true"
        assert await shop.booked() == ["api.call"]
        assert account.allowance.reserved_calls == 0


async def test_the_funnel_tells_every_step_and_every_refusal(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        account = await shop.account(quota=2)
        await shop.call(account, "a", idempotency_key="k")
        await shop.call(account, "a", idempotency_key="k")
        await shop.call(account)
        with pytest.raises(CallRefused):
            await shop.call(account)
        with pytest.raises(CallRefused):
            shop.meter.authenticate(None)
        funnel = shop.meter.funnel()
        assert list(funnel)[:5] == ["requests", "authenticated", "admitted", "delivered", "booked"]
        assert funnel["requests"] == 2  # authentication is a step of its own here
        assert (funnel["admitted"], funnel["delivered"], funnel["booked"], funnel["replayed"]) == (2, 2, 2, 1)
        assert (funnel["refused_quota_exceeded"], funnel["refused_unauthenticated"]) == (1, 1)


async def test_a_malformed_request_takes_a_call_out_of_the_rate(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        account = await shop.account(rate_per_s=1.0, burst=1)
        await shop.meter.refuse(account, "invalid")
        with pytest.raises(RateExceeded):
            await shop.meter.refuse(account, "invalid")
        funnel = shop.meter.funnel()
        assert (funnel["refused_invalid"], funnel["refused_rate_exceeded"]) == (1, 1)


async def test_a_malformed_request_meets_a_used_idempotency_key_wherever_it_is_known(tmp_path: Path) -> None:
    proceed = asyncio.Event()

    async def wait() -> Response:
        await proceed.wait()
        return Response(200, "text/plain", b"done")

    async with open_shop(tmp_path) as shop:
        key, _ = await shop.keys.create(TERMS)
        account = shop.meter.authenticate(f"Bearer {key}".encode())
        first = asyncio.create_task(shop.call(account, "a", idempotency_key="k", perform=wait))
        await asyncio.sleep(0)
        with pytest.raises(IdempotencyConflict):
            await shop.meter.refuse(account, "invalid", "k")
        proceed.set()
        await first
        with pytest.raises(IdempotencyConflict):
            await shop.meter.refuse(account, "invalid", "k")
        await shop.meter.refuse(account, "invalid", "unused")
        await shop.meter.refuse(await shop.account(), "invalid", "k")
        with pytest.raises(IdempotencyKeyInvalid):
            await shop.meter.refuse(account, "invalid", "")
    async with open_shop(tmp_path) as shop:
        account = shop.meter.authenticate(f"Bearer {key}".encode())
        with pytest.raises(IdempotencyConflict):
            await shop.meter.refuse(account, "invalid", "k")
        assert await shop.booked() == ["api.call"]
        assert "refused_invalid" not in shop.meter.funnel()


async def test_keys_of_the_live_book_are_booked_there(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        await shop.call(await shop.account(book="live"))
        assert await shop.bench.entries("paper") == []
        assert len(await shop.bench.entries("live")) == 1


def test_a_record_survives_its_journal_line() -> None:
    record = KeyRecord(
        id="key_1",
        digest="00",
        display="ak_test_abcd…",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        **msgspec.structs.asdict(TERMS),
    )
    assert msgspec.json.decode(msgspec.json.encode(record), type=KeyRecord) == record
