"""What an answer means for the host that gave it: an answer that asks for a pause pauses all of the host."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from streams.data_harvesting.fetching.policy import FetchPolicy
from streams.data_harvesting.fetching.retry_after import retry_after_s
from streams.data_harvesting.fetching.schedule import HostSchedule

if TYPE_CHECKING:
    from streams.data_harvesting.fetching.client import Answer

THROTTLED: Final = frozenset((429, 503))


def note_answer(
    schedule: HostSchedule, authority: str, answer: Answer, policy: FetchPolicy, now: datetime
) -> float | None:
    """Pause a host that asks for it or that is in trouble. Return for how long, seconds; None for not at all.

    429 and 503 pause it for what their Retry-After says, up to the policy's `max_pause_s`; without one, and after
    other answers of 5xx, it is left alone for longer each time.
    """
    if answer.status < 500 and answer.status != 429:
        schedule.worked(authority)
        return None
    pause_s = note_failure(schedule, authority, policy)
    if answer.status in THROTTLED:
        asked_s = retry_after_s(answer.headers.get("retry-after", ""), answer.headers.get("date", ""), now)
        if asked_s is not None:
            pause_s = min(asked_s, policy.max_pause_s)
            schedule.pause(authority, pause_s)
    return pause_s


def note_failure(schedule: HostSchedule, authority: str, policy: FetchPolicy) -> float:
    """Leave a host alone for a while that does not answer. Return for how long, seconds."""
    return schedule.failed(authority, first_s=policy.backoff_s, most_s=policy.max_backoff_s)
