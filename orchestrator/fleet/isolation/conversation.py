"""Questions and their answers over a channel, correlated by number; the same on both sides."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from actors import AskTimeout, Refusal
from orchestrator.fleet.isolation.channel import Channel, ChannelBroken
from orchestrator.fleet.isolation.frames import ENCODER, Answer, Ask, Failed, Question, Trouble
from orchestrator.fleet.isolation.troubles import failure_of, trouble_of

MAX_OPEN: Final = 1024
"""Questions that one side may have open at once."""


class TooManyQuestions(Refusal):
    """So many questions are open already that one more would only make it worse."""

    rpc_code = -32002


class TooLong(Refusal):
    """A question does not fit into one message between processes."""

    rpc_code = -32602


class Conversation:
    """What is asked over a channel, and has not been answered yet.

    Args:
        channel: The channel.
        questions: What the other side can be asked, by name.
        name: Who is asked, for the failures.
    """

    def __init__(self, channel: Channel, questions: Mapping[str, Question], name: str) -> None:
        self._channel = channel
        self._questions = questions
        self._name = name
        self._open: dict[int, tuple[asyncio.Future[Any], Question, asyncio.TimerHandle]] = {}
        self._number = 0
        self._closed: Exception | None = None

    def ask(self, message: msgspec.Struct, timeout_s: float) -> asyncio.Future[Any]:
        """Send a question; the future holds its answer, or fails as the other side failed, or with `AskTimeout`.

        Raises:
            TooManyQuestions: Too many are open.
            Exception: The conversation was closed with it.
            TooLong: It is too long to be sent.
        """
        if self._closed is not None:
            raise self._closed
        if len(self._open) >= MAX_OPEN:
            raise TooManyQuestions(f"{self._name} has {len(self._open)} questions to answer already")
        loop = asyncio.get_running_loop()
        what = type(message).__name__
        number = self._number + 1
        frame = ENCODER.encode(Ask(number, what, msgspec.Raw(ENCODER.encode(message))))
        if not self._channel.fits(frame):
            raise TooLong(f"{what} has {len(frame)} bytes, which is more than {self._name} takes at once")
        self._number = number
        self._channel.send(frame)
        future: asyncio.Future[Any] = loop.create_future()
        timer = loop.call_later(timeout_s, self._expire, number, message, timeout_s)
        self._open[number] = (future, self._questions[what], timer)
        return future

    def take(self, frame: Answer | Failed) -> None:
        """Take an answer.

        Raises:
            ChannelBroken: Nothing of that number was asked, or the answer is not what the question calls for.
        """
        entry = self._open.pop(frame.number, None)
        if entry is None:
            # It came too late, or never was: numbers are given in order, so those that were are known.
            if not 0 < frame.number <= self._number:
                raise ChannelBroken(f"the question {frame.number} was answered, and was never asked")
            return
        future, question, timer = entry
        timer.cancel()
        if isinstance(frame, Failed):
            if not future.done():
                future.set_exception(failure_of(frame.trouble))
            return
        try:
            answer = question.read_answer.decode(frame.body)
        except msgspec.DecodeError as error:
            broken = ChannelBroken(f"an answer is not what was asked for: {error}")
            if not future.done():
                future.set_exception(broken)
            raise broken from error
        if not future.done():
            future.set_result(answer)

    def answer(self, number: int, reply: asyncio.Future[Any]) -> None:
        """Send what has become of a question of the other side; for `add_done_callback`."""
        if reply.cancelled():
            self._fail(number, Trouble("CancelledError", "it was given up"))
        elif (error := reply.exception()) is not None:
            self._fail(number, trouble_of(error))
        else:
            self.answer_with(number, reply.result())

    def answer_with(self, number: int, result: Any) -> None:
        """Send an answer."""
        try:
            frame = ENCODER.encode(Answer(number, msgspec.Raw(ENCODER.encode(result))))
        except (TypeError, ValueError, OverflowError) as error:
            self._fail(number, Trouble("Unsendable", f"the answer cannot be sent: {error}", refusal=True))
            return
        if self._channel.fits(frame):
            self._channel.send(frame)
        else:
            text = f"the answer has {len(frame)} bytes, which is more than a message between processes may have"
            self._fail(number, Trouble("Unsendable", text, refusal=True))

    def refuse(self, number: int, error: BaseException) -> None:
        """Answer with a failure."""
        self._fail(number, trouble_of(error))

    def close(self, error: Exception) -> None:
        """Fail what is still open, and whatever is asked from now on."""
        self._closed = error
        left, self._open = self._open, {}
        for future, _, timer in left.values():
            timer.cancel()
            if not future.done():
                future.set_exception(error)
                future.exception()  # whoever asked may have given up: then nobody misses it

    def _fail(self, number: int, trouble: Trouble) -> None:
        self._channel.send(ENCODER.encode(Failed(number, trouble)))

    def _expire(self, number: int, message: msgspec.Struct, timeout_s: float) -> None:
        entry = self._open.pop(number, None)
        if entry is not None and not entry[0].done():
            entry[0].set_exception(AskTimeout(self._name, message, timeout_s))
            entry[0].exception()  # as above
