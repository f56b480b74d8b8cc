"""A crowd that listens to a gateway's events and reads slowly.

A program, so that it has a process of its own: `python -m tests.benchmarks.events_crowd <host> <port> <token> <count>`.
It prints a line when all are connected, keeps so many connected until its input ends, and then prints how often one
was cut off and came back.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Final

import uvloop

BYTES: Final = 2048
EVERY_S: Final = 1.0
"""What each of them reads, and how often: less than a busy fleet has to tell."""

_AT_ONCE: Final = 50


class Crowd:
    """The listeners."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._address = (host, port)
        self._request = (
            f"GET /api/v1/events?topics=* HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n\r\n"
        ).encode()
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self.connected = 0
        self.came_back = 0

    async def listen(self) -> None:
        """Listen, slowly, and come back when cut off."""
        loop = asyncio.get_running_loop()
        while True:
            with socket.socket() as connection:
                connection.setblocking(False)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2 * BYTES)
                try:
                    async with self._turn:
                        await loop.sock_connect(connection, self._address)
                        await loop.sock_sendall(connection, self._request)
                        if not (await loop.sock_recv(connection, BYTES)).startswith(b"HTTP/1.1 200"):
                            raise RuntimeError("the gateway does not let the crowd in")
                    self.connected += 1
                    while await loop.sock_recv(connection, BYTES):
                        await asyncio.sleep(EVERY_S)
                except ConnectionError:
                    await asyncio.sleep(EVERY_S)
                self.came_back += 1


async def main(host: str, port: int, token: str, count: int) -> None:
    """Keep a crowd until the input ends."""
    crowd = Crowd(host, port, token)
    listeners = [asyncio.create_task(crowd.listen()) for _ in range(count)]
    while crowd.connected < count:
        await asyncio.sleep(0.05)
        for listener in listeners:
            if listener.done():
                listener.result()
    sys.stdout.write("connected\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    for listener in listeners:
        listener.cancel()
    await asyncio.wait(listeners)
    sys.stdout.write(f"{crowd.came_back}\n")


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
