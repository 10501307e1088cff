"""What a Prometheus server reads at /metrics, made anew of what the workers say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import accumulate

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.responses import Response

from pipeline.health import LATENCY_BOUNDS_MS, CameraState, CameraStatus, Statuses
from pipeline.web.site import Site

router = APIRouter(include_in_schema=False)

_COUNTERS = {
    "frames": ("frames", "Frames that were decoded."),
    "looks": ("looks", "Frames that were looked at."),
    "detections": ("detections", "Objects found in them."),
    "events": ("events", "Events that were opened."),
    "breaks": ("breaks", "Connections, and jumps in the times of pictures."),
}
"""Name of a metric -> field of the status, and what it is."""


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """In the text format of Prometheus, version 0.0.4."""
    site: Site = request.app.state.site
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Statuses(site.fresh(datetime.now(UTC))))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


class _Statuses(Collector):
    """Statuses as metrics; none of a camera whose worker has said nothing yet, or long ago."""

    def __init__(self, statuses: Statuses | None) -> None:
        self._cameras = {} if statuses is None else statuses.cameras
        self._workers = {} if statuses is None else statuses.workers
        self._problems = 0 if statuses is None else len(statuses.problems)

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("vigil_problems", "What does not work at present.", self._problems)
        yield self._of_states()
        yield self._gauge(
            "vigil_camera_since_timestamp_seconds",
            "Since when the camera is in its state.",
            lambda status: None if status.since is None else status.since.timestamp(),
        )
        yield self._gauge(
            "vigil_camera_latency_seconds",
            "Median time from a frame's arrival to what was found in it.",
            lambda status: None if status.latency_ms is None else status.latency_ms / 1000,
        )
        yield self._gauge(
            "vigil_camera_recording",
            "Whether video is kept, or none is wanted (1), or it cannot be kept (0).",
            lambda status: float(status.recording is None),
        )
        yield self._gauge(
            "vigil_camera_looks_wanted_per_second",
            "Looks a second that would be right for what happens.",
            lambda status: status.wanted_per_s,
        )
        yield self._gauge(
            "vigil_camera_looks_allowed_per_second",
            "Looks a second that the detector has for it, beside the other cameras.",
            lambda status: status.allowed_per_s,
        )
        yield self._latencies()
        for name, (field, what) in _COUNTERS.items():
            counter = CounterMetricFamily(f"vigil_camera_{name}", what, labels=["camera"])
            for key, status in self._cameras.items():
                counter.add_metric([key], getattr(status, field))
            yield counter
        yield self._by_cause(
            "vigil_camera_dropped", "Frames and packets that were not used.", "cause", "dropped"
        )
        yield self._by_cause(
            "vigil_camera_events_silenced",
            "Events that are kept, and that nobody was told of when they began.",
            "cause",
            "silenced",
        )
        yield self._by_cause(
            "vigil_camera_rule_failures",
            "Looks that had to do without a rule of the user's own, since it failed.",
            "rule",
            "rule_failures",
        )
        yield self._by_cause(
            "vigil_camera_state_changes", "How often it came into a state.", "state", "changes"
        )

        restarts = CounterMetricFamily(
            "vigil_worker_restarts",
            "Starts after an end that nobody had asked for.",
            labels=["worker", "cause"],
        )
        for name, worker in self._workers.items():
            for cause, count in sorted(worker.restarts.items()):
                restarts.add_metric([name, cause], count)
        yield restarts

    def _of_states(self) -> Metric:
        gauge = GaugeMetricFamily(
            "vigil_camera_state", "1 for the state it is in.", labels=["camera", "state"]
        )
        for key, status in self._cameras.items():
            for state in CameraState:
                gauge.add_metric([key, state.value], float(status.state is state))
        return gauge

    def _gauge(
        self, name: str, what: str, value_of: Callable[[CameraStatus], float | None]
    ) -> Metric:
        gauge = GaugeMetricFamily(name, what, labels=["camera"])
        for key, status in self._cameras.items():
            value = value_of(status)
            if value is not None:
                gauge.add_metric([key], value)
        return gauge

    def _latencies(self) -> Metric:
        histogram = HistogramMetricFamily(
            "vigil_camera_look_latency_seconds",
            "Time from a frame's arrival to what was found in it.",
            labels=["camera"],
        )
        bounds = [*(str(bound / 1000) for bound in LATENCY_BOUNDS_MS), "+Inf"]
        for key, status in self._cameras.items():
            if status.latencies:
                totals = accumulate(status.latencies)
                buckets = list(zip(bounds, totals, strict=True))
                histogram.add_metric([key], buckets, status.latencies_s)
        return histogram

    def _by_cause(self, name: str, what: str, label: str, field: str) -> Metric:
        counter = CounterMetricFamily(name, what, labels=["camera", label])
        for key, status in self._cameras.items():
            for cause, count in sorted(getattr(status, field).items()):
                counter.add_metric([key, cause], count)
        return counter
