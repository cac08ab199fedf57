"""What is counted of requests and jobs, as Prometheus reads it."""

from __future__ import annotations

import time
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lookalike.jobs import JOB_STATES

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The counters of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "lookalike_http_requests",
            "Requests answered",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "lookalike_http_request_seconds",
            "Time until the answer began",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._jobs = Gauge("lookalike_jobs", "Jobs by state", ["state"], registry=self._registry)
        self._waiters = Gauge(
            "lookalike_http_waiters", "Event streams and long polls that wait", registry=self._registry
        )

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that has been answered."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(known, route).observe(seconds)

    def exposition(self, job_counts: Mapping[str, int], waiter_count: int) -> tuple[bytes, str]:
        """Return the text of all metrics and its media type."""
        for state in JOB_STATES:
            self._jobs.labels(state).set(job_counts.get(state, 0))
        self._waiters.set(waiter_count)
        return generate_latest(self._registry), CONTENT_TYPE_PLAIN_0_0_4


class Counting:
    """Middleware that counts each request by the route that took it: paths would be countless."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and count its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        is_counted = False

        def count(status: int) -> None:
            nonlocal is_counted
            is_counted = True
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.count(scope["method"], route, status, time.perf_counter() - started)

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                count(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, counted)
        except Exception:
            if not is_counted:
                count(500)
            raise
