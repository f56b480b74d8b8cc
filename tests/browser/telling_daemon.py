"""A daemon that is the real one, and publishes on its own bus what a test writes into the pipe `tell` of its home.

Run as `python -m tests.browser.telling_daemon <home>`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from config import resolve_home
from orchestrator.daemon import Running, run

PIPE = "tell"


async def tell_until_stopped(daemon: Running) -> int:
    """Publish what comes through the pipe, a JSON object a line, until the daemon is asked to stop."""
    pipe = daemon.paths.home / PIPE
    os.mkfifo(pipe, 0o600)
    # Opened for writing as well, so that there is no end when a writer leaves.
    file = os.fdopen(os.open(pipe, os.O_RDWR | os.O_NONBLOCK), "rb", 0)
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), file
    )

    async def tell() -> None:
        while line := await reader.readline():
            told = json.loads(line)
            daemon.events.publish(told.pop("event"), **told)

    telling = asyncio.create_task(tell())
    try:
        await daemon.stopping.wait()
    finally:
        telling.cancel()
        transport.close()
        pipe.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(run(resolve_home(sys.argv[1], {}), work=tell_until_stopped))
