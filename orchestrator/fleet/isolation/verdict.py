"""Whether a process has gone beyond its limits. Pure."""

from __future__ import annotations

from collections import deque

from config.isolation import ProcessLimits
from orchestrator.fleet.isolation.usage import Use

_MIB = 1024 * 1024


class Judge:
    """Judges one process and its descendants by what they use from look to look.

    Args:
        limits: What they may use.
    """

    def __init__(self, limits: ProcessLimits) -> None:
        self._limits = limits
        self._seen: deque[tuple[float, float]] = deque()
        self.cpu_share = 0.0

    def verdict(self, use: Use, now_s: float) -> str | None:
        """Return which limit is exceeded, for people; None where none is.

        Args:
            use: What is used now.
            now_s: Monotonic seconds.
        """
        limits = self._limits
        share = self._share(use.cpu_s, now_s)
        if use.processes > limits.processes:
            return f"it has started {use.processes} processes; processes allows {limits.processes}"
        if use.threads > limits.threads:
            return f"it has {use.threads} threads; threads allows {limits.threads}"
        if use.memory_bytes > limits.memory_bytes:
            return (
                f"it has {use.memory_bytes // _MIB} MiB of memory in use; memory_bytes allows "
                f"{limits.memory_bytes // _MIB} MiB"
            )
        if share is not None and share > limits.cpu_share:
            return (
                f"it kept {share:.2f} cores busy over {limits.cpu_window_s:g} s; cpu_share allows {limits.cpu_share:g}"
            )
        return None

    def _share(self, cpu_s: float, now_s: float) -> float | None:
        """Return the cores that were busy over the whole window; None as long as there is no whole one."""
        seen = self._seen
        seen.append((now_s, cpu_s))
        start_s = now_s - self._limits.cpu_window_s
        while len(seen) > 1 and seen[1][0] <= start_s:
            seen.popleft()
        since_s, before_s = seen[0]
        if now_s > since_s:
            # What a descendant used is gone from the sum when it ends: that never makes less than nothing.
            self.cpu_share = max(0.0, (cpu_s - before_s) / (now_s - since_s))
        return self.cpu_share if since_s <= start_s else None
