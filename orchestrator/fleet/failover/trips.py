"""Whose work may have a standby: none is spent on what fails wherever it runs. Pure: the times are given."""

from __future__ import annotations

from typing import Final

_FEW: Final = 64


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
        self._swept_at = _FEW

    def is_again(self, instance: str, now_s: float) -> bool:
        """Return whether an instance has exhausted its budget right after it had a fresh one."""
        since_s = self._fresh_since_s.get(instance)
        return since_s is not None and now_s <= since_s + self._window_s

    def __len__(self) -> int:
        return len(self._fresh_since_s)

    def note(self, instance: str, fresh_s: float, now_s: float) -> None:
        """Note that an instance gets a fresh budget, now or at the end of its cool-down."""
        self._fresh_since_s[instance] = fresh_s
        if len(self) > self._swept_at:  # now and then, for ten thousand may fail at once
            self._fresh_since_s = {
                each: at_s for each, at_s in self._fresh_since_s.items() if self.is_again(each, now_s)
            }
            self._swept_at = 2 * len(self) + _FEW
