"""The cell: one place in the tree. Its life is in `life.py`; here is how its messages are handled.

The hot path is `ActorRef.tell`, `wake`, `drain`.
"""

from __future__ import annotations

from asyncio import CancelledError, Future
from collections.abc import Awaitable
from functools import partial
from time import perf_counter
from types import CoroutineType
from typing import Any

from actors.errors import ActorStopped, HandlerLimitExceeded, Interrupted, MailboxFull, MessageRefused, Refusal
from actors.life import Life
from actors.tasks import OwnedTask

BATCH = 64
"""Messages that an actor handles before others get their turn."""


class Cell(Life):
    """The message half of a cell."""

    __slots__ = ()

    def wake(self) -> None:
        """Have the messages handled soon. Only when not `ready`."""
        self.ready = True
        self.dispatcher.wake(self)

    def look_for_work(self) -> None:
        """Have waiting messages handled, or be ready to be woken."""
        if self.mailbox.waiting:
            self.mailbox.admit()
        if self.mailbox.user or self.mailbox.urgent:
            self.wake()
        else:
            self.ready = False

    # -- into the mailbox -------------------------------------------------------------------------------

    def put_slowly(self, entry: Any) -> None:
        """Take an entry that is urgent, not accepted, or that found the mailbox full or closed."""
        mailbox = self.mailbox
        asked = type(entry) is tuple
        message, reply = entry[:2] if asked else (entry, None)
        urgent = type(message) in self.urgent_functions
        if not urgent and type(message) not in self.functions and not (mailbox.closed and not self.functions):
            raise MessageRefused(self.path, message, self.accepted())
        if mailbox.closed:
            if reply is not None:
                reply.set_exception(ActorStopped(self.path))
            self.system.dead_letters.add(self.path, message, "stopped")
        elif urgent:
            mailbox.put_urgent(entry)
            self.attention = True
            if not self.ready:
                self.wake()
        elif mailbox.overflow == "drop_oldest" and mailbox.user:
            self._drop(mailbox.user.popleft())
            mailbox.user.append(entry)
        elif mailbox.overflow in ("drop_oldest", "drop_newest"):
            self._drop(entry)
        elif reply is None:
            raise MailboxFull(self.path, mailbox.limit)
        elif mailbox.overflow == "wait":
            for request in mailbox.drop_abandoned():
                self.system.dead_letters.add(self.path, request, "expired")
            mailbox.wait_for_room(entry, None)
        else:
            reply.set_exception(MailboxFull(self.path, mailbox.limit))

    def tell_self(self, message: Any) -> None:
        """Deliver a timer's message; one that finds no room goes to dead letters."""
        try:
            self.ref.tell(message)
        except MailboxFull:
            self._drop(message)

    def _drop(self, entry: Any) -> None:
        self.mailbox.dropped += 1
        message = entry
        if type(entry) is tuple:
            message, reply, _, _ = entry
            if not reply.done():
                reply.set_exception(MailboxFull(self.path, self.mailbox.limit))
        self.system.dead_letters.add(self.path, message, "overflow")

    # -- out of the mailbox -----------------------------------------------------------------------------

    def drain(self) -> None:
        """Handle a batch of messages; called by the dispatcher.

        This is the path that must be fast, so it is spelled out rather than divided.
        """
        # A turn may be left over from before a restart, when the actor is busy with an asynchronous handler.
        if self.state != "running" or self.current is not None:
            return
        actor, mailbox = self.actor, self.mailbox
        if self.attention:
            self.attention = False
            if mailbox.urgent and not self._drain_urgent():
                return
        user, functions = self.queue, self.functions
        # What handlers send to their own actor waits for the next batch.
        left = len(user)
        if left > BATCH:
            left = BATCH
        count = left
        while left:
            left -= 1
            entry = user.popleft()
            if type(entry) is not tuple:
                try:
                    result = functions[type(entry)](actor, entry)
                    if result is not None and type(result) is CoroutineType:
                        self._handle_in_task(result, entry, None)
                except Refusal as refusal:
                    self._refuse(entry, None, refusal)
                except (Exception, CancelledError) as error:
                    self._break(entry, None, error)
            else:
                message, reply, _, _ = entry
                try:
                    if reply.done():
                        self.system.dead_letters.add(self.path, message, "expired")
                        continue
                    result = functions[type(message)](actor, message)
                    if type(result) is CoroutineType:
                        self._handle_in_task(result, message, reply)
                    elif isinstance(result, Future):
                        result.add_done_callback(partial(self._relay, message, reply))
                    elif not reply.done():
                        reply.set_result(result)
                    else:
                        # What the handler did has made the asker give up.
                        self.system.dead_letters.add(self.path, message, "late_reply")
                except Refusal as refusal:
                    self._refuse(message, reply, refusal)
                except (Exception, CancelledError) as error:
                    self._break(message, reply, error)
            if self.attention:
                break
        self.handled += count - left
        if mailbox.waiting:
            # At once, even if the actor is busy now: nobody else may slip into the room that was made.
            mailbox.admit()
        if self.attention and not self.is_free():
            return
        if user or mailbox.urgent:
            self.dispatcher.wake(self)
        else:
            self.ready = False

    def _drain_urgent(self) -> bool:
        """Handle the urgent messages; return whether the actor is still free after that."""
        urgent = self.mailbox.urgent or ()
        for _ in range(len(urgent)):
            if not urgent or not self.is_free():
                break
            entry = urgent.popleft()
            message, reply = entry[:2] if type(entry) is tuple else (entry, None)
            self.handled += 1
            if reply is not None and reply.done():
                self.system.dead_letters.add(self.path, message, "expired")
                continue
            try:
                result = self.urgent_functions[type(message)](self.actor, message)
                if type(result) is CoroutineType:
                    self._handle_in_task(result, message, reply)
                elif reply is not None:
                    self._answer(message, reply, result)
            except Refusal as refusal:
                self._refuse(message, reply, refusal)
            except (Exception, CancelledError) as error:
                self._break(message, reply, error)
        return self.is_free()

    def _answer(self, message: Any, reply: Future[Any], result: Any) -> None:
        if isinstance(result, Future):
            result.add_done_callback(partial(self._relay, message, reply))
        elif reply.done():
            self.system.dead_letters.add(self.path, message, "late_reply")
        else:
            reply.set_result(result)

    def _relay(self, message: Any, reply: Future[Any], result: Future[Any]) -> None:
        """Pass a deferred answer on to the asker."""
        error = ActorStopped(self.path) if result.cancelled() else result.exception()
        if reply.done():
            self.system.dead_letters.add(self.path, message, "late_reply", error)
        elif error is not None:
            reply.set_exception(error)
        else:
            reply.set_result(result.result())

    def _refuse(self, message: Any, reply: Future[Any] | None, refusal: Refusal) -> None:
        if reply is not None and not reply.done():
            reply.set_exception(refusal)
        else:
            self.system.dead_letters.add(self.path, message, "refused", refusal)

    def _break(self, message: Any, reply: Future[Any] | None, error: BaseException) -> None:
        """End this life because of a handler's failure. The message is not replayed."""
        if isinstance(error, (CancelledError, StopIteration)):
            error = Interrupted(error)
        error.add_note(f"while {self.path} handled {type(message).__name__}")
        if reply is not None and not reply.done():
            reply.set_exception(error)
        self.system.dead_letters.add(self.path, message, "failed", error)
        self.fail(error, message)

    def _handle_in_task(self, coroutine: CoroutineType[Any, Any, Any], message: Any, reply: Future[Any] | None) -> None:
        self.attention = True
        self.current = OwnedTask(type(message).__name__)
        task = self.system.start_soon(self._run_handler, self.current, coroutine, message, reply, name=self.path)
        # A task that is cancelled before its first step never gets to the coroutine.
        task.add_done_callback(lambda _: coroutine.close())

    async def _run_handler(
        self,
        task: OwnedTask,
        coroutine: Awaitable[Any],
        message: Any,
        reply: Future[Any] | None,
    ) -> None:
        assert self.actor is not None
        limit_s = self.actor.handler_limit_s
        timer = self.system.timers.call_later(limit_s, task.cancel) if limit_s is not None else None
        began = perf_counter()
        failure: BaseException | None = None
        try:
            result = await task.run(coroutine)
            if reply is not None and not task.cancelled:
                self._answer(message, reply, result)
        except Refusal as refusal:
            self._refuse(message, reply, refusal)
        except Exception as error:
            failure = error
        finally:
            self.busy_s += perf_counter() - began
            if timer is not None:
                timer.cancel()
            self.become_idle()
        if task.cancelled and failure is None:
            if self.state == "running":
                failure = HandlerLimitExceeded(self.path, message, limit_s or 0.0)
            else:
                if reply is not None and not reply.done():
                    reply.set_exception(ActorStopped(self.path))
                self.system.dead_letters.add(self.path, message, "stopped")
        if failure is not None:
            self._break(message, reply, failure)
        elif self.state == "running":
            self.look_for_work()
