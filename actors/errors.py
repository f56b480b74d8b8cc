"""What can go wrong between actors. Flat, and named by the situation."""

from __future__ import annotations


class ActorError(Exception):
    """Base of everything the kernel raises."""


class Refusal(ActorError):
    """Raised by a handler to answer no: the asker gets it, the actor goes on.

    Any other exception of a handler is a failure: the asker gets that too, and the actor is restarted.
    """


class MessageRefused(ActorError, TypeError):
    """The receiver declares no handler for this type of message. Raised at the sender."""

    def __init__(self, path: str, message: object, accepted: tuple[str, ...]) -> None:
        super().__init__(
            f"{path} has no handler for {type(message).__name__}; it accepts {', '.join(accepted) or 'nothing'}"
        )
        self.path = path


class MailboxFull(ActorError):
    """The receiver's mailbox has no room and its overflow policy does not drop."""

    def __init__(self, path: str, capacity: int) -> None:
        super().__init__(f"the mailbox of {path} is full ({capacity} messages)")
        self.path = path
        self.capacity = capacity


class ActorStopped(ActorError):
    """The receiver has stopped, or stopped before it answered."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} has stopped")
        self.path = path


class AskTimeout(ActorError, TimeoutError):
    """No answer came within the time given. The request may still be handled; its reply is a dead letter."""

    def __init__(self, path: str, request: object, timeout_s: float) -> None:
        super().__init__(f"{path} did not answer {type(request).__name__} within {timeout_s:g} s")
        self.path = path
        self.timeout_s = timeout_s


class HandlerLimitExceeded(ActorError):
    """An asynchronous handler ran past its actor's limit and was cancelled; a failure like any other."""

    def __init__(self, path: str, message: object, limit_s: float) -> None:
        super().__init__(f"{path} was still handling {type(message).__name__} after {limit_s:g} s")
        self.path = path
        self.limit_s = limit_s


class Interrupted(ActorError):
    """`CancelledError` or `StopIteration` came out of a handler, a task or `on_start`; a failure like any other.

    Those two mean something else to whoever waits for a future, so they are never passed on as they are. Mostly
    something that was awaited had been cancelled by somebody else. The original is attached as the cause.
    """

    def __init__(self, cause: BaseException) -> None:
        super().__init__(f"{type(cause).__name__} came out of it, although nobody had cancelled it")
        self.__cause__ = cause


class StartTimeout(ActorError):
    """An actor's `on_start` did not finish in time; a failed start like any other."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__(f"{path} had not started after {timeout_s:g} s")
        self.path = path


class StartFailed(ActorError):
    """A child could not be started; the cause is attached."""

    def __init__(self, path: str, cause: BaseException) -> None:
        super().__init__(f"{path} failed to start: {type(cause).__name__}: {cause}")
        self.path = path
        self.__cause__ = cause


class NameTaken(Refusal):
    """A supervisor has a child of that name already."""

    def __init__(self, path: str) -> None:
        super().__init__(f"there is an actor at {path} already")
        self.path = path


class NoSuchChild(Refusal):
    """A supervisor has no child of that name."""

    def __init__(self, path: str, name: str) -> None:
        super().__init__(f"{path} has no child {name!r}")
        self.name = name


class Superseded(Refusal):
    """A later command for the same child took over before this one was done."""

    def __init__(self, path: str) -> None:
        super().__init__(f"a later command for {path} took over")
        self.path = path


class NotCoolingDown(Refusal):
    """A child was to be started out of its cool-down, and is in none, or not any more."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} does not cool down by itself now")
        self.path = path


class HandlersIncomplete(ActorError, TypeError):
    """An actor class does not declare exactly the handlers that its message type names."""


class RestartBudgetExhausted(ActorError):
    """A supervisor gave up: too many failures inside the window. Carries the last one as its cause."""

    def __init__(self, path: str, max_restarts: int, window_s: float, history: tuple[str, ...]) -> None:
        super().__init__(f"{path} failed more than {max_restarts} times in {window_s:g} s: {'; '.join(history)}")
        self.path = path
        self.history = history
