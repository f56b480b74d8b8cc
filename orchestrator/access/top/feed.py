"""What the daemon says of its own accord, for as long as somebody listens: lost and found again."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from orchestrator.access.client import CallTimedOut, Client, DaemonUnreachable, RpcFailure

FIRST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 10.0

KEPT: Final = 5000
"""Notifications that wait to be handed out; the oldest give way, as on a screen."""

_GATHERED_FOR_S: Final = 0.75
_ANSWER_S: Final = 10.0


class Feed:
    """A subscription that is taken up again whenever it is lost.

    A thread of its own waits at the socket; everything that is called back is called on the loop.

    Args:
        path: The control socket.
        method: What subscribes.
        params: Its parameters.
        notification: The method of the notifications that count.
        found: Called with what the subscription returned, each time it is taken up.
        told: Called with what came since it was called last, in order.
        lost: Called with the reason and the seconds until the next attempt.
    """

    def __init__(
        self,
        path: Path,
        method: str,
        params: object,
        notification: str,
        *,
        found: Callable[[Any], object],
        told: Callable[[list[Any]], object],
        lost: Callable[[str, float], object],
    ) -> None:
        self._client = Client(path, _ANSWER_S)
        self._method, self._params, self._notification = method, params, notification
        self._found, self._told, self._lost = found, told, lost
        self._waiting: deque[Any] = deque(maxlen=KEPT)
        self._due = False
        self._ended = threading.Event()
        self._attempts = 0

    async def run(self) -> None:
        """Listen until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                over: asyncio.Future[str] = loop.create_future()
                threading.Thread(
                    target=self._listen, args=(loop, over), name=f"top {self._method}", daemon=True
                ).start()
                reason = await over
                delay_s = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2**self._attempts)
                self._attempts += 1
                self._lost(reason, delay_s)
                await asyncio.sleep(delay_s)
        finally:
            self._ended.set()
            self._client.interrupt()

    def _listen(self, loop: asyncio.AbstractEventLoop, over: asyncio.Future[str]) -> None:
        """Subscribe, and hand on what comes; in a thread."""
        try:
            stream = self._client.stream(self._method, self._params)
            if self._ended.is_set():
                return
            _on_loop(loop, self._begin, stream.result)
            for notification in stream:
                if self._ended.is_set():
                    return
                if notification.method == self._notification:
                    self._waiting.append(notification.params)
                    if not self._due:
                        self._due = True
                        _on_loop(loop, self._gather, loop)
        except (DaemonUnreachable, CallTimedOut, RpcFailure) as error:
            _on_loop(loop, _settle, over, str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, the feed is lost for now, and says why
            _on_loop(loop, _settle, over, f"{type(error).__name__}: {error}")
        finally:
            self._client.close()

    def _begin(self, result: Any) -> None:
        self._attempts = 0
        if not self._ended.is_set():
            self._found(result)

    def _gather(self, loop: asyncio.AbstractEventLoop) -> None:
        # Many come at once where many happen: they are shown together.
        if not self._ended.is_set():
            loop.call_later(_GATHERED_FOR_S, self._hand_out)

    def _hand_out(self) -> None:
        self._due = False
        said = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if said and not self._ended.is_set():
            self._told(said)


def _on_loop(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *arguments: Any) -> None:
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError:
        return  # the loop has ended, and with it whoever wanted to know


def _settle(over: asyncio.Future[str], reason: str) -> None:
    if not over.done():
        over.set_result(reason)
