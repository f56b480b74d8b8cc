"""Customers that go on paying whatever happens to the daemon, and keep their receipts."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.end_to_end.daemon_process import IBAN
from tests.end_to_end.http_calls import request

if TYPE_CHECKING:
    from collections.abc import Iterator


class Customer(threading.Thread):
    """Makes one call after the other; those with an Idempotency-Key again and again until they are answered.

    Attributes:
        receipts: Of the calls answered with an Idempotency-Key, by that key.
        plain_receipts: Of those without one.
        unanswered: How many without one were not answered.
        refused: Answers other than 200, by status.
    """

    def __init__(self, number: int, port: int, key: str, *, repeats: bool, pause_s: float = 0.0) -> None:
        super().__init__(name=f"customer-{number}")
        self.receipts: dict[str, str] = {}
        self.plain_receipts: list[str] = []
        self.unanswered = 0
        self.refused: Counter[int] = Counter()
        self.ending = threading.Event()
        self._number = number
        self._key = key
        self._repeats = repeats
        self._pause_s = pause_s
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def run(self) -> None:
        """Call until the ending or the end of the quota, and then until the last call is answered."""
        count = 0
        while not self.ending.wait(self._pause_s) and not self.refused[429]:
            count += 1
            if self._repeats:
                self._call_until_answered(f"{self._number}/{count}")
            else:
                self._call_once()
        self._connection.close()

    def _call_until_answered(self, name: str) -> None:
        while (answer := self._try(idempotency_key=name)) is None:
            time.sleep(0.005)
        if answer:
            self.receipts[name] = answer

    def _call_once(self) -> None:
        answer = self._try()
        if answer is None:
            self.unanswered += 1
            self.ending.wait(0.005)
        elif answer:
            self.plain_receipts.append(answer)

    def _try(self, idempotency_key: str | None = None) -> str | None:
        """Return the receipt; "" where the call was refused, None where it was not answered."""
        try:
            reply = request(
                self._connection.port, IBAN, key=self._key, connection=self._connection, idempotency_key=idempotency_key
            )
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return None
        if reply.status == 200:
            return reply.headers["x-receipt"]
        self.refused[reply.status] += 1
        return "" if reply.status == 429 else None


@contextmanager
def calling(customers: list[Customer]) -> Iterator[None]:
    for customer in customers:
        customer.start()
    try:
        yield
    finally:
        for customer in customers:
            customer.ending.set()
        for customer in customers:
            customer.join()
