"""Customers of instances that nothing should happen to."""

from __future__ import annotations

import http.client
import threading
import time
from types import TracebackType
from typing import Self

from tests.end_to_end.daemon_process import IBAN, DaemonProcess
from tests.end_to_end.http_calls import request

PAUSE_S = 0.002


class Bystanders:
    """While entered, a customer for each of some instances calls without a pause worth mentioning.

    Attributes:
        receipts: Of the calls that were answered 200.
        failures: What came instead, for all others.
    """

    def __init__(self, daemon: DaemonProcess, *instances: str) -> None:
        self.receipts: list[str] = []
        self.failures: list[str] = []
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._live,
                args=(instance, daemon.port(instance), daemon.key(instance)),
                name=f"customer of {instance}",
            )
            for instance in instances
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def assert_served(self) -> None:
        """Assert that every call was answered, and that there were some."""
        assert self.failures == []
        assert len(self.receipts) > 5

    def await_answers(self, count: int, timeout_s: float = 10.0) -> None:
        """Wait until so many calls were answered 200."""
        deadline_s = time.monotonic() + timeout_s
        while len(self.receipts) < count:
            assert time.monotonic() < deadline_s
            time.sleep(PAUSE_S)

    def _live(self, instance: str, port: int, key: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        while not self._ending.wait(PAUSE_S):
            try:
                reply = request(port, IBAN, key=key, connection=connection)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{instance}: {error!r}")
                connection.close()
                continue
            if reply.status == 200:
                self.receipts.append(reply.headers["x-receipt"])
            else:
                self.failures.append(f"{instance}: status {reply.status}")
        connection.close()
