"""An actor kernel for asyncio: typed mailboxes, supervision by OTP's rules, one loop.

Messages are frozen structs, references are typed, and an actor is an object that costs no task while it is
idle. Start with `ActorSystem`, `Actor`, `on`, `Message` and `Request`; add `Supervisor` when it should heal.
"""

from actors.actor import Actor, ActorContext, on
from actors.child import ChildKind, ChildSpec
from actors.errors import (
    ActorError,
    ActorStopped,
    AskTimeout,
    HandlerLimitExceeded,
    HandlersIncomplete,
    Interrupted,
    MailboxFull,
    MessageRefused,
    NameTaken,
    NoSuchChild,
    NotCoolingDown,
    Refusal,
    RestartBudgetExhausted,
    StartFailed,
    StartTimeout,
    Superseded,
)
from actors.events import (
    ActorEvent,
    ActorFailed,
    ActorRestarted,
    ActorStarted,
    BudgetExhausted,
    DeadLetter,
    EventStream,
    Failure,
    LoopBlocked,
    RestartScheduled,
)
from actors.events import ActorStopped as ActorHasStopped
from actors.mailbox import Overflow
from actors.message import Message, Request, SignOfLife
from actors.ref import ActorRef
from actors.restart import Backoff, RestartBudget, RestartPolicy, WhenExhausted
from actors.supervision import (
    ChildGaveUp,
    EndCooldown,
    FindChild,
    RemoveChild,
    RestartChild,
    StartChild,
    StopChild,
    SupervisorMessage,
    WhichChildren,
)
from actors.supervisor import Strategy, Supervisor
from actors.system import ActorSystem, SystemFailed
from actors.tasks import OwnedTask
from actors.timers import RepeatingTimer, Timer
from actors.vitals import ActorVitals
from actors.watchdog import LoopWatchdog

__all__ = [
    "Actor",
    "ActorContext",
    "ActorError",
    "ActorEvent",
    "ActorFailed",
    "ActorHasStopped",
    "ActorRef",
    "ActorRestarted",
    "ActorStarted",
    "ActorStopped",
    "ActorSystem",
    "ActorVitals",
    "AskTimeout",
    "Backoff",
    "BudgetExhausted",
    "ChildGaveUp",
    "ChildKind",
    "ChildSpec",
    "DeadLetter",
    "EndCooldown",
    "EventStream",
    "Failure",
    "FindChild",
    "HandlerLimitExceeded",
    "HandlersIncomplete",
    "Interrupted",
    "LoopBlocked",
    "LoopWatchdog",
    "MailboxFull",
    "Message",
    "MessageRefused",
    "NameTaken",
    "NoSuchChild",
    "NotCoolingDown",
    "Overflow",
    "OwnedTask",
    "Refusal",
    "RemoveChild",
    "RepeatingTimer",
    "Request",
    "RestartBudget",
    "RestartBudgetExhausted",
    "RestartChild",
    "RestartPolicy",
    "RestartScheduled",
    "SignOfLife",
    "StartChild",
    "StartFailed",
    "StartTimeout",
    "StopChild",
    "Strategy",
    "Superseded",
    "Supervisor",
    "SupervisorMessage",
    "SystemFailed",
    "Timer",
    "WhenExhausted",
    "WhichChildren",
    "on",
]
