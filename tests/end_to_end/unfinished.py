"""A request that is in progress for as long as a test wants."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.end_to_end.daemon_process import DaemonProcess

FIRST_HALF: Final = b'{"value": "DE8937'
SECOND_HALF: Final = b'0400440532013000"}'


@contextmanager
def request_in_progress(daemon: DaemonProcess, instance: str) -> Iterator[http.client.HTTPConnection]:
    """Send a paid request up to the middle of its body; `SECOND_HALF` is what is missing."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port(instance), timeout=10)
    try:
        connection.putrequest("POST", "/v1/iban")
        connection.putheader("Authorization", f"Bearer {daemon.key(instance)}")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(FIRST_HALF + SECOND_HALF)))
        connection.endheaders(FIRST_HALF)
        while not daemon.call("fleet.get", {"id": instance})["details"]["http"]["in_progress"]:
            time.sleep(0.002)
        yield connection
    finally:
        connection.close()
