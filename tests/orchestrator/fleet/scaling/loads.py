"""Figures and streams for tests, as short as they can be written."""

from __future__ import annotations

from typing import Any

from orchestrator.fleet.scaling.figures import Figures, StreamNow

GIB = 1024**3


def figures(t_s: float = 0.0, load: float | None = 0.5, **more: Any) -> Figures:
    """Return figures in which the event loop is the busiest, and everything else is at ease."""
    known: dict[str, Any] = {
        "cpu": 0.1,
        "memory": 0.1,
        "loop": load,
        "lag_s": 0.001,
        "cores": 4.0,
        "fleet_cores": 0.4,
        "memory_limit_bytes": 8 * GIB,
        "fleet_memory_bytes": 200 * 1024**2,
        "instances": 20,
    }
    return Figures(t_s=t_s, **{**known, **more})


def stream(name: str = "api_services", count: int = 20, lowest: int = 5, highest: int = 40, **more: Any) -> StreamNow:
    """Return a stream that may be scaled; it runs on the cores beside the loop."""
    known: dict[str, Any] = {"by_hand": 20, "isolation": "process", "scale_min": lowest, "scale_max": highest}
    return StreamNow(stream=name, count=count, lowest=lowest, highest=highest, **{**known, **more})
