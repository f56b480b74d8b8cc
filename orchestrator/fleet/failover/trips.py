"""Whose work may have a standby: none is spent on what fails wherever it runs. Pure: the times are given."""

from __future__ import annotations


class Trips:
    """Remembers since when each instance whose budget was exhausted has had a fresh one.

    One that exhausts that one too, within the window that it is counted in, would do so on every standby: its settings
    or its files are at fault, and not the body that runs it. It waits out its cool-down. Once it has run for longer
    than the window, it has earned another try.

    Args:
        window_s: The window of the restart budget.
    """

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._fresh_since_s: dict[str, float] = {}

    def is_again(self, instance: str, now_s: float) -> bool:
        """Return whether an instance has exhausted its budget right after it had a fresh one."""
        since_s = self._fresh_since_s.get(instance)
        return since_s is not None and now_s <= since_s + self._window_s

    def note(self, instance: str, fresh_s: float) -> None:
        """Note that an instance gets, or will get, a fresh budget."""
        for other in [each for each, since_s in self._fresh_since_s.items() if fresh_s > since_s + 2 * self._window_s]:
            del self._fresh_since_s[other]
        self._fresh_since_s[instance] = fresh_s
