"""Counts what the gateway itself does."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Traffic:
    """The requests of the gateway's life.

    Args:
        registry: Where the figures are shown.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "automate_http_requests", "Requests to the gateway", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "automate_http_answer_seconds",
            "Time from a request's head to the head of its answer",
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self._logins = Counter("automate_logins", "Attempts to log in to the gateway", ("result",), registry=registry)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request.

        Args:
            method: Its method.
            route: The route's template, never the path: strangers choose paths.
            status: The answer's.
            seconds: How long it took.
        """
        self._requests.labels(method if method in _METHODS else "other", route, status).inc()
        self._seconds.observe(seconds)

    def login(self, result: str) -> None:
        """Count an attempt to log in: `accepted`, `refused` or `limited`."""
        self._logins.labels(result).inc()


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
